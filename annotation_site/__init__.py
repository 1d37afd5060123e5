"""The annotation site: leads, rounds, annotators, jobs, results."""
