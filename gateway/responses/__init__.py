"""Responses that are kept, and what fits of a conversation that went on for long."""
