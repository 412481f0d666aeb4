"""The command line: a client of the admin API, or of the libraries below it."""
