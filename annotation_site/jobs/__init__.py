"""Long work: queueing, progress, cancelling; only runner.py reaches the engine's pipeline."""
