"""Where the classifier looks, for every image, and the space it spans."""
