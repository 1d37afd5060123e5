"""Slices of a data set, what is said of them, and how marks spread; numpy and scipy alone, but `finding`."""
