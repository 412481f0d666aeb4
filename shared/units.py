"""Durations, sizes and addresses as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `1h30m`, `1.5m` or `0`; a bare number other than 0 is ambiguous."""
    if text == "0":
        return 0.0
    if not text or _PART.sub("", text):
        raise ValueError("expected a duration such as 30s, 5m, 1h30m or 0")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: float) -> str:
    """The two largest units of a time span: `4m59s`, `2h5m`, `0s`."""
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str) -> int:
    """Bytes of `512MB`, `2GiB`, `1.5g` or `4096`; with an i, or without a B, a K is 1024."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("expected a size such as 512MB or 2GiB")
    prefix = (found[2] or "").lower()
    decimal = text.strip().lower().endswith("b") and not prefix.endswith("i")
    return int(float(found[1]) * (1000 if decimal else 1024) ** _POWERS[prefix.rstrip("i")])


class Share(float):
    """A part of a whole, above 0 and up to 1; written `90%`."""

    def __str__(self) -> str:
        return f"{self * 100:g}%"


class Probability(float):
    """Of how many of all, 0 to 1; written `0.25`."""

    def __str__(self) -> str:
        return repr(float(self))


def parse_budget(text: str) -> Share | int:
    """`90%` of what there is, or bytes as `parse_size` reads them; neither is nothing."""
    if not text.endswith("%"):
        return _budget_size(text)
    try:
        share = Share(float(text[:-1]) / 100)
    except ValueError:
        share = Share(0.0)
    if not 0.0 < share <= 1.0:
        raise ValueError(
            "expected a share such as 90%, above 0% and up to 100%, or a size such as 24GB"
        )
    return share


def _budget_size(text: str) -> int:
    try:
        size = parse_size(text)
    except ValueError:
        size = 0
    # A share whose sign was forgotten would be so few bytes that no model is ever loaded.
    if size <= 100:
        raise ValueError("expected a share such as 90% or a size such as 24GB")
    return size


def format_bytes(count: float) -> str:
    """`714 MiB`, `4.2 GiB`: three significant digits at most."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address to listen on or connect to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where a client on this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host)
        return f"http://{host}:{self.port}" if host else f"http://{self}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket, by the path of its file or, beginning with NUL, its abstract name."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


def parse_address(text: str) -> Address:
    """`host:port`, `:port` (all interfaces) or `[v6]:port`."""
    host, separator, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    if not separator or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError("expected host:port, for example 127.0.0.1:8080")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address goes in brackets, for example [::1]:8080")
    return Address(host or "0.0.0.0", int(port))
