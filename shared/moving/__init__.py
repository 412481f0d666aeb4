"""Models on their way from one Kronk to another, or to the hub."""
