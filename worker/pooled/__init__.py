"""Embeddings and relevance: whole texts of many requests packed into each decode."""
