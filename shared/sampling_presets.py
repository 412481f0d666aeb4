"""Sampling parameters under one name, for a configuration or a request to begin with.

Each preset says the five that shape the odds, so that none of a weaker source mixes with them: what
else is said beside a preset stands above it.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass

from .errors import InvalidArgument
from .wire.values import Sampling

FIELD = "sampling_preset"
# The one that is each model's own: what the catalog says of it, and below that its GGUF.
RECOMMENDED = "recommended"


@dataclass(frozen=True, slots=True)
class Preset:
    """One row."""

    meaning: str
    sampling: Sampling


# Within what the manual (3.2) gives for each use: 0.0 to 0.3 for code and facts, 0.5 to 0.8 for
# general chat, 0.9 to 1.2 for stories. `min_p` of 0.05 is llama-server's default. None penalises
# repetition: code and tables repeat themselves for good reasons.
PRESETS: dict[str, Preset] = {
    "balanced": Preset(
        "General chat.",
        Sampling(temperature=0.7, top_k=40, top_p=0.9, min_p=0.05, repeat_penalty=1.0),
    ),
    "coding": Preset(
        "Programs, edits and tool calls: close to the likeliest, yet not stuck in a loop.",
        Sampling(temperature=0.2, top_k=40, top_p=0.9, min_p=0.05, repeat_penalty=1.0),
    ),
    "creative": Preset(
        "Stories and ideas: many words are possible, unlikely ones are cut by `min_p` alone.",
        Sampling(temperature=1.0, top_k=0, top_p=0.95, min_p=0.05, repeat_penalty=1.0),
    ),
    "precise": Preset(
        "Facts, extraction and summaries: almost always the likeliest.",
        Sampling(temperature=0.1, top_k=20, top_p=0.8, min_p=0.1, repeat_penalty=1.0),
    ),
}
NAMES = (*PRESETS, RECOMMENDED)
_RECOMMENDED_MEANING = (
    "What the model's makers recommend, as the catalog has it, else as its GGUF has it: in a"
    " request instead of the model's configuration, in a configuration the same as no preset."
)


def meaning(name: str) -> str:
    """What a preset is for."""
    return PRESETS[name].meaning if name in PRESETS else _RECOMMENDED_MEANING


def values(name: str) -> dict[str, object]:
    """The parameters that a preset says; of `recommended` none, as each model has its own."""
    if name == RECOMMENDED:
        return {}
    sampling = PRESETS[name].sampling
    said = {field.name: getattr(sampling, field.name) for field in dataclasses.fields(sampling)}
    return {parameter: value for parameter, value in said.items() if value is not None}


def named(name: object, where: str = FIELD) -> str:
    """`name`, if a preset has it; `InvalidArgument` names the nearest."""
    if isinstance(name, str) and name in NAMES:
        return name
    close = difflib.get_close_matches(name.lower(), NAMES, 1) if isinstance(name, str) else []
    hint = f"; did you mean {close[0]}?" if close else ""
    shown = repr(name)
    shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
    raise InvalidArgument(
        f"Invalid value for '{where}': expected one of {', '.join(NAMES)}, got {shown}{hint}",
        param=where,
    )
