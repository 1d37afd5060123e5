"""Tags of the quality pages."""
