"""The lead's workspace: slices of a data set, marks on them, and what follows from the marks."""
