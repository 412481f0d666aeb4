"""Benchmarks that are begun and watched through the API: one at a time, in a process of its own."""
