"""What the gateway knows of requests when they are over, and who is told."""
