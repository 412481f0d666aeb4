"""Long work on the files of the base path: kept, run in processes of its own, and told of."""
