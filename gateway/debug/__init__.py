"""A server for whoever looks for a fault, beside the API's: it answers while that one hangs."""
