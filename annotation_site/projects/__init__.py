"""Projects, members, data sets, images, the classifier under study."""
