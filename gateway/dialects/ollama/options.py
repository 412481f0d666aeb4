"""Ollama's `options`: sampling parameters, and what ends an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kronk.gateway.dialects.fields import unrecognized, unsupported, wrong
from kronk.gateway.dialects.generation import (
    MOST_TOKENS,
    STOP_SCHEMA,
    check_min_tokens,
    preset,
    sampling_schemas,
    stops,
)
from kronk.shared.errors import InvalidArgument
from kronk.shared.sampling_params import ALIASES, PARAMETERS, parse_value
from kronk.shared.sampling_presets import FIELD as PRESET
from kronk.shared.wire.values import Sampling

# How a model is loaded and computed, which here its configuration says; no answer depends on it.
# `num_ctx` and `num_keep` are about what Ollama does with a prompt that does not fit: here such a
# prompt is refused, with both numbers.
_OF_LOADING = frozenset(
    {
        "num_ctx",
        "num_keep",
        "num_batch",
        "num_gpu",
        "num_thread",
        "main_gpu",
        "numa",
        "low_vram",
        "f16_kv",
        "logits_all",
        "use_mmap",
        "use_mlock",
    }
)
# Known to Ollama's clients and not built, each with the values that change nothing.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "tfs_z": (1,),
    "penalize_newline": (True,),
    "vocab_only": (False,),
    "embedding_only": (False,),
}
_NULL = {"type": "null"}
SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "num_predict": {
                    "anyOf": [{"type": "integer", "minimum": -2, "maximum": MOST_TOKENS}, _NULL]
                },
                "stop": STOP_SCHEMA,
                **sampling_schemas(),
                **{name: {"type": ["integer", "boolean", "null"]} for name in sorted(_OF_LOADING)},
                **{name: {"enum": [*values, None]} for name, values in _NEUTRAL.items()},
            },
            "additionalProperties": False,
        },
        _NULL,
    ],
    "default": None,
    "description": "Sampling parameters by the names of the other routes, and num_predict, stop.",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the options of a request come to."""

    sampling: Sampling
    max_tokens: int | None
    stop: tuple[str, ...]


def options(value: object) -> Options:
    """The `options` of a request; nulls say nothing."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise wrong("options", "an object", value)
    said = {key: item for key, item in value.items() if item is not None}
    values: dict[str, Any] = {}
    for key, item in said.items():
        where = f"options.{key[:100]}"
        name = ALIASES.get(key, key)
        if name in PARAMETERS:
            if name in values:
                raise InvalidArgument(f"'{where}' is another name of {name}; send one", param=where)
            values[name] = parse_value(name, item, f"Invalid value for '{where}'", where)
        else:
            _check(key, item, where)
    begins = preset(said.get(PRESET), f"options.{PRESET}")
    sampling, max_tokens = Sampling(**(begins | values)), _max_tokens(said.get("num_predict"))
    check_min_tokens(sampling, max_tokens, "options.num_predict", "options.min_tokens")
    return Options(sampling, max_tokens, stops(said.get("stop"), "options.stop"))


def _check(key: str, value: object, where: str) -> None:
    """What is no sampling parameter."""
    if key in _NEUTRAL:
        # To Python 1 is True, and to a caller it is a mistake.
        if value not in _NEUTRAL[key] or isinstance(value, bool) != isinstance(
            _NEUTRAL[key][0], bool
        ):
            raise unsupported(where)
    elif key in _OF_LOADING:
        if not isinstance(value, int):
            raise wrong(where, "a whole number, or true or false", value)
    elif key not in ("num_predict", "stop", PRESET):
        raise unrecognized(where)


def _max_tokens(value: object) -> int | None:
    """`num_predict`, of which 0, -1 and -2 are no limit but the context window."""
    if value is None:
        return None
    if type(value) is not int or not -2 <= value <= MOST_TOKENS:
        raise wrong("options.num_predict", f"a whole number from -2 to {MOST_TOKENS}", value)
    return value if value > 0 else None
