"""Guessing the next tokens cheaply, so that one decode can prove several at once."""
