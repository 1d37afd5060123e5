"""The stages in order, over the artifact store."""
