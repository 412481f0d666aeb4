"""The engine of Rego policies, in a process of its own."""
