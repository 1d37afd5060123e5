"""Tests of the annotator's pages and of the verbs behind them."""
