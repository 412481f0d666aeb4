"""How much memory a model takes: predicted from headers and configuration."""
