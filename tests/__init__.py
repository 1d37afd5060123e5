"""Tests of the engine, of the site and of both in a browser."""
