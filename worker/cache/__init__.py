"""What a model has computed before and need not compute again: prefixes of prompts."""
