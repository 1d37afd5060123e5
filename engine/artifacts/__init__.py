"""Artifacts: what is on disk, keyed by how it was made."""
