"""The pages the gateway serves to a browser."""
