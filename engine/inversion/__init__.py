"""Feature inversion: a picture of what a slice's attention rests on."""
