"""Builds of llama.cpp: fetched, checked against the binding, proven, and chosen for each model."""
