"""Refitting heads, fine-tuning, and the retraining routes."""
