"""Tags of the annotator's pages."""
