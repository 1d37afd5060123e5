"""Benches of slices: how marks spread, what noise on slices mends, how fast inversions are."""
