"""Which device the tensors go to that are placed by their names. Pure.

llama.cpp tries each pattern on each tensor's name, and the first that is found in it counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kronk.shared.wire.loading import TensorPlace

# A pattern that might try for ages what it can match is not followed: what such a load takes is
# known once it was measured. That needs a repeated group, or many repetitions.
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_REPEATED = re.compile(r"[*+{]")
_MOST_REPEATED = 4
# `CUDA0`, `ROCm1`, `Vulkan0`: a device by its number. `CUDA_Host` is main memory.
_DEVICE = re.compile(r"[A-Za-z]+(\d+)$")


class TensorPlaces:
    """The patterns of a configuration; `gpus` are the GPUs' names in budgets, `host` that of main
    memory."""

    def __init__(self, places: Sequence[TensorPlace], gpus: Sequence[str], host: str) -> None:
        self._rows = [
            (pattern, device)
            for place in places
            if (pattern := _compiled(place.pattern)) is not None
            and (device := _device(place.buffer, gpus, host)) is not None
        ]

    def of(self, name: str) -> str | None:
        """The device of the tensor of that name; None where no pattern is about it."""
        return next((device for pattern, device in self._rows if pattern.search(name)), None)


def _compiled(pattern: str) -> re.Pattern[str] | None:
    if _REPEATED_GROUP.search(pattern) or len(_REPEATED.findall(pattern)) > _MOST_REPEATED:
        return None
    try:
        return re.compile(pattern)
    except (re.error, RecursionError):
        return None


def _device(buffer: str, gpus: Sequence[str], host: str) -> str | None:
    number = _DEVICE.match(buffer)
    if number is None:
        return host
    return gpus[int(number[1])] if int(number[1]) < len(gpus) else None
