"""Rounds of active learning: immutable sets of labels, and what changed from one to the next."""
