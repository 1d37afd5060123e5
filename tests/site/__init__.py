"""Tests of the site, one file per view or verb."""
