"""How good a classifier is, by group, and whether it looks at the object."""
