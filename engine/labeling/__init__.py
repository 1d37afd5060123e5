"""From queries to a score for every image."""
