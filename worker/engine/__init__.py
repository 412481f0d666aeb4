"""Continuous batching over one llama.cpp context."""
