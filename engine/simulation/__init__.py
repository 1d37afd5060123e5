"""Simulated people for benchmarks and demos; they know the true regions."""
