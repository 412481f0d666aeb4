"""What `model-config.yaml` says, where it says so, and what it comes to with what is below it."""
