"""Constrained decoding: which tokens may come next, and how an answer can be brought to an end."""
