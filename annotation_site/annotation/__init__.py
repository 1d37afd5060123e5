"""Rounds and the annotators' work: consent, practice, tasks, answers."""
