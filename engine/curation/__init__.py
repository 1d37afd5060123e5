"""From scores to a balanced subset and core masks."""
