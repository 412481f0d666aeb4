"""Kronk: local GGUF models behind OpenAI- and Anthropic-compatible APIs, a process per model."""

# pyproject.toml takes it from here: to ask what is installed takes a process longer than all else
# that it imports of Python's own.
__version__ = "0.1.0"
