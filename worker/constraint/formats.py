"""Values of JSON schema's `format` and what they mean to a grammar."""

from __future__ import annotations

from typing import Any

# llguidance's own, as the standard has them.
NATIVE = frozenset({"duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"})

_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
# llguidance's has 30 February and, as the standard, leap seconds; few readers know either.
_DATE = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP_YEAR}-02-29)"
)
_TIME = (
    "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,9})?"
    "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def _text(pattern: str) -> dict[str, Any]:
    return {"pattern": f"^{pattern}$"}


def _whole(bits: int, signed: bool) -> dict[str, Any]:
    lowest = -(2 ** (bits - 1)) if signed else 0
    return {"minimum": lowest, "maximum": 2 ** (bits - signed) - 1}


# None where the format only says how a value is stored or shown.
MEANING: dict[str, dict[str, Any] | None] = {
    "date": _text(_DATE),
    "time": _text(_TIME),
    "date-time": _text(f"{_DATE}T{_TIME}"),
    **{f"int{bits}": _whole(bits, signed=True) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": _whole(bits, signed=False) for bits in (8, 16, 32, 64)},
    "double": None,
    "float": None,
    "password": None,
}
KNOWN = sorted(NATIVE | MEANING.keys())
