"""Kronk: local GGUF models behind OpenAI- and Anthropic-compatible APIs, a process per model."""

from importlib.metadata import version

__version__ = version("kronk")
