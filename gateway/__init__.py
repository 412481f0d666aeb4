"""The HTTP process: authenticate, translate dialects, stream."""
