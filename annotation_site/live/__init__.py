"""Crowd meets model: what the answers so far say of every image, while a round is open."""
