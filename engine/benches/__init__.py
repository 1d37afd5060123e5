"""Measurements of speed and of effect, each a command of `gazecheck bench`."""
