"""Anthropic's Messages: requests to jobs, and a worker's events to messages."""
