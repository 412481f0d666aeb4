"""A report for a bug ticket: what it looks at, and how it leaves out what is secret."""
