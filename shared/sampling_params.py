"""Sampling parameters: meaning, range and default, and how a model's configuration says them.

`PARAMETERS` is the one table. Requests, configuration files, GGUF recommendations, the baseline
and the help texts all derive from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .errors import InvalidArgument
from .wire.values import Sampling

Kind = Literal["float", "int", "bool", "strings", "bias"]

# llama.cpp cuts sequence breakers at 40 characters too.
LONGEST_BREAKER = 40
MOST_BREAKERS = 64
# OpenAI's own limit is 300; grammars by bias need more.
MOST_BIASES = 4096
LARGEST_BIAS = 100.0
_LARGEST_INT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the table. `least` and `most` bound numbers, and the values of a bias map."""

    kind: Kind
    meaning: str
    # The manual's baseline, for what no source says; None is "no value".
    default: Any
    least: float = 0
    most: float = 0

    @property
    def expectation(self) -> str:
        """What a value must be, as errors and help say it."""
        match self.kind:
            case "bool":
                return "true or false"
            case "strings":
                return f"at most {MOST_BREAKERS} strings of 1 to {LONGEST_BREAKER} characters"
            case "bias":
                span = f"{_plain(self.least)} to {_plain(self.most)}"
                return f"a map from at most {MOST_BIASES} token ids to numbers from {span}"
            case _:
                noun = "a whole number" if self.kind == "int" else "a number"
                return f"{noun} from {_plain(self.least)} to {_plain(self.most)}"

    @property
    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""
        span = {"minimum": self.least, "maximum": self.most}
        match self.kind:
            case "bool":
                return {"type": "boolean"}
            case "strings":
                text = {"type": "string", "minLength": 1, "maxLength": LONGEST_BREAKER}
                return {"type": "array", "maxItems": MOST_BREAKERS, "items": text}
            case "bias":
                return {
                    "type": "object",
                    "maxProperties": MOST_BIASES,
                    "propertyNames": {"pattern": "^[0-9]{1,10}$"},
                    "additionalProperties": {"type": "number", **span},
                }
            case "int":
                return {"type": "integer", **span}
            case "float":
                return {"type": "number", **span}


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


PARAMETERS: dict[str, Parameter] = {
    "temperature": Parameter(
        "float", "how freely to choose; 0 always takes the best token", 0.8, 0.0, 2.0
    ),
    "top_k": Parameter("int", "keep the K most likely tokens; 0 is off", 40, 0, 1_000_000),
    "top_p": Parameter(
        "float", "keep the likeliest tokens that together reach P; 1 is off", 0.9, 0.0, 1.0
    ),
    "min_p": Parameter(
        "float", "keep tokens at least P times as likely as the best; 0 is off", 0.0, 0.0, 1.0
    ),
    "typical_p": Parameter(
        "float",
        "keep the tokens closest to the expected surprise, up to P; 1 is off",
        1.0,
        0.0,
        1.0,
    ),
    # Below 0 is off, as in llama.cpp, whose clients send -1.
    "top_n_sigma": Parameter(
        "float",
        "keep tokens within N standard deviations of the best; 0 or -1 is off",
        0.0,
        -1,
        100,
    ),
    "repeat_penalty": Parameter(
        "float", "divide the logits of recent tokens by this; 1 is off", 1.0, 0.01, 10.0
    ),
    "repeat_last_n": Parameter(
        "int", "tokens the penalties look back; 0 is off, -1 all", 64, -1, _LARGEST_INT
    ),
    "frequency_penalty": Parameter(
        "float", "subtract this for each recent occurrence; 0 is off", 0.0, -2.0, 2.0
    ),
    "presence_penalty": Parameter(
        "float", "subtract this once from recent tokens; 0 is off", 0.0, -2.0, 2.0
    ),
    "dry_multiplier": Parameter(
        "float", "strength of the penalty on repeated sequences; 0 is off", 0.0, 0.0, 100.0
    ),
    "dry_base": Parameter(
        "float", "growth of that penalty with each repeated token", 1.75, 1.0, 10.0
    ),
    "dry_allowed_length": Parameter(
        "int", "repeated tokens that cost nothing yet", 2, 1, _LARGEST_INT
    ),
    "dry_penalty_last_n": Parameter(
        "int", "tokens DRY looks back; 0 is off, -1 all", -1, -1, _LARGEST_INT
    ),
    "dry_sequence_breakers": Parameter(
        "strings", "texts no repeated sequence reaches across", ("\n", ":", '"', "*")
    ),
    "xtc_probability": Parameter(
        "float", "chance to drop all but the last of the likely tokens; 0 is off", 0.0, 0.0, 1.0
    ),
    "xtc_threshold": Parameter(
        "float", "what counts as likely to XTC; above 0.5 is off", 0.1, 0.0, 1.0
    ),
    "mirostat": Parameter("int", "1 or 2: hold the surprise constant; 0 is off", 0, 0, 2),
    "mirostat_tau": Parameter("float", "the surprise mirostat holds, in bits", 5.0, 0.0, 100.0),
    "mirostat_eta": Parameter("float", "how fast mirostat corrects itself", 0.1, 0.0, 1.0),
    "dynatemp_range": Parameter(
        "float", "how far the temperature follows the entropy, up and down; 0 is off", 0.0, 0.0, 5.0
    ),
    "dynatemp_exponent": Parameter("float", "how it follows: 1 is linear", 1.0, 0.0, 10.0),
    "logit_bias": Parameter(
        "bias", "added to the logits of tokens", None, -LARGEST_BIAS, LARGEST_BIAS
    ),
    "seed": Parameter(
        "int", "makes a run repeatable; -1 draws a new one", None, -(2**63), 2**64 - 1
    ),
    "ignore_eos": Parameter("bool", "go on when the model wants to end", False),
    "min_tokens": Parameter(
        "int", "tokens to generate before the model may end", 0, 0, _LARGEST_INT
    ),
}

# Names that other servers give the same thing.
ALIASES = {"repetition_penalty": "repeat_penalty", "typical": "typical_p"}

# Range of each parameter that is a number, lowest and highest.
SAMPLING_LIMITS: dict[str, tuple[float, float]] = {
    name: (parameter.least, parameter.most)
    for name, parameter in PARAMETERS.items()
    if parameter.kind in ("float", "int")
}


def parse_sampling(value: object, where: str) -> Sampling:
    """The `sampling-parameters` map; keys with hyphens or underscores, null is "not said"."""
    if not isinstance(value, dict):
        raise InvalidArgument(f"{where}: expected a map of sampling parameters")
    values: dict[str, Any] = {}
    for key, given in value.items():
        name = parameter_name(str(key), where)
        if name in values:
            raise InvalidArgument(f"{where}.{key}: {name} is given twice")
        values[name] = None if given is None else parse_value(name, given, f"{where}.{key}")
    return Sampling(**values)


def parameter_name(key: str, where: str) -> str:
    """The field of `Sampling` that `key` means, by any of its spellings."""
    name = key.replace("-", "_")
    name = ALIASES.get(name, name)
    if name not in PARAMETERS:
        close = difflib.get_close_matches(name, PARAMETERS, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InvalidArgument(f"{where}.{key}: no such sampling parameter{hint}")
    return name


def parse_value(name: str, given: object, where: str, param: str | None = None) -> Any:
    """`given` as a value of that field of `Sampling`; `where` and `param` are for the error."""
    parameter = PARAMETERS[name]
    accepted = _accepted(parameter, given)
    if accepted is None:
        shown = repr(given)
        shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
        raise InvalidArgument(
            f"{where}: expected {parameter.expectation}, got {shown}", param=param
        )
    return accepted


def _accepted(parameter: Parameter, given: object) -> Any:
    """The value in its own type; None when it is not acceptable."""
    match parameter.kind:
        case "bool":
            return given if isinstance(given, bool) else None
        case "strings":
            return _strings(given)
        case "bias":
            return _biases(parameter, given)
        case "int":
            is_number = isinstance(given, int) and not isinstance(given, bool)
            return given if is_number and _within(parameter, given) else None
        case "float":
            return float(given) if _is_number(given) and _within(parameter, given) else None  # type: ignore[arg-type]


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _within(parameter: Parameter, given: Any) -> bool:
    return bool(parameter.least <= given <= parameter.most)


def _strings(given: object) -> tuple[str, ...] | None:
    if not isinstance(given, list | tuple) or len(given) > MOST_BREAKERS:
        return None
    if all(isinstance(text, str) and 1 <= len(text) <= LONGEST_BREAKER for text in given):
        return tuple(given)
    return None


def _biases(parameter: Parameter, given: object) -> dict[str, float] | None:
    if not isinstance(given, dict) or len(given) > MOST_BIASES:
        return None
    pairs = list(_pairs(given))
    if all(_is_number(bias) and _within(parameter, bias) for _, bias in pairs) and all(
        token.isascii() and token.isdecimal() and len(token) <= 10 for token, _ in pairs
    ):
        return {token: float(bias) for token, bias in pairs}
    return None


def _pairs(given: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """YAML reads a token id as a number, JSON as a text."""
    for token, bias in given.items():
        yield str(token), bias


def is_within(name: str, number: float) -> bool:
    """Whether a number is a possible value of that parameter."""
    return _within(PARAMETERS[name], number)
