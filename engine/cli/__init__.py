"""The gazecheck command."""
