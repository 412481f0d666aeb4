"""Reading what the server has logged."""
