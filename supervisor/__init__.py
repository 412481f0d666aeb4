"""The process that owns every other process."""
