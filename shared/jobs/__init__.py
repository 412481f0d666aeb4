"""Long work on the files of a base path: owned by the server, or by a command with `--local`."""
