"""Data sets: manifests, pictures, groups, layouts, benchmark sets."""
