"""Models on disk: the index, the catalog and where models come from."""
