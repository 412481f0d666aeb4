"""Per-model configuration: what the rest of Kronk uses of `kronk.shared.config`."""

from __future__ import annotations

from .config.document import (
    Configs,
    Recommended,
    effective_of,
    examine,
    load_file,
    parse,
    parse_file,
    parse_recommended,
    read_file,
)
from .config.layers import Effective
from .config.model import ModelConfig
from .config.problems import BadFile, Place, Problem
from .config.said import NO_PROJECTOR, is_path

__all__ = [
    "NO_PROJECTOR",
    "BadFile",
    "Configs",
    "Effective",
    "ModelConfig",
    "Place",
    "Problem",
    "Recommended",
    "effective_of",
    "examine",
    "is_path",
    "load_file",
    "parse",
    "parse_file",
    "parse_recommended",
    "read_file",
]
