"""Classifiers: architectures, checkpoints, what is captured from them."""
