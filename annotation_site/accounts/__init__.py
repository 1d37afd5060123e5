"""People who sign in: leads and reviewers."""
