"""Files that requests name by URL."""
