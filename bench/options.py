"""What all measurements can be told."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from server import starter_model


def parser(
    description: str | None, rounds: int, model: str = "the starter model"
) -> argparse.ArgumentParser:
    """A parser that knows the model, the rounds and the threads."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", type=Path, help=f"default: {model}")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    return parser


def model_of(options: argparse.Namespace) -> Path:
    """The model to measure with; the starter model is fetched if need be."""
    return options.model or starter_model()
