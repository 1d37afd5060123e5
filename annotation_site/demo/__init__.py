"""`make demo`: a project on benchmark data, and simulated annotators over real HTTP."""
