"""Sampling parameters: names, ranges and how a model's configuration says them."""

from __future__ import annotations

from typing import Any

from .errors import InvalidArgument
from .wire.values import Sampling

# Range of each sampling parameter, lowest and highest; requests and files share it.
SAMPLING_LIMITS: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_k": (0, 1_000_000),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "seed": (-(2**63), 2**64 - 1),
}


def parse_sampling(value: object, where: str) -> Sampling:
    """The `sampling-parameters` map."""
    if not isinstance(value, dict):
        raise InvalidArgument(f"{where}: expected a map of sampling parameters")
    values: dict[str, Any] = {}
    for key, given in value.items():
        name = str(key).replace("-", "_")
        if name not in SAMPLING_LIMITS:
            raise InvalidArgument(f"{where}.{key}: no such sampling parameter")
        least, most = SAMPLING_LIMITS[name]
        whole = name in ("top_k", "seed")
        if isinstance(given, bool) or not isinstance(given, int if whole else (int, float)):
            kind = "a whole number" if whole else "a number"
            raise InvalidArgument(f"{where}.{key}: expected {kind}, got {given!r}")
        if not least <= given <= most:
            raise InvalidArgument(f"{where}.{key}: expected {least} to {most}, got {given!r}")
        values[name] = given if whole else float(given)
    return Sampling(**values)
