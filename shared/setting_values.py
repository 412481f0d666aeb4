"""How the values of settings are read.

Each gives the value of a text, or raises `ValueError`, which says what was expected.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from .repositories import url as repository_url
from .repositories.url import RepositoryUrl
from .units import Address, Probability, parse_address


def switch(text: str) -> bool:
    """True or false, in the words that people write."""
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("expected true or false")


def count(least: int, most: int) -> Callable[[str], int]:
    """A whole number within these bounds."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return int(text)

    return parse


def path(text: str) -> Path:
    """An absolute path; `~` is the home of the user."""
    if not text:
        raise ValueError("expected a path")
    return Path(text).expanduser().absolute()


def optional_path(text: str) -> Path | None:
    """The same, or nothing."""
    return path(text) if text else None


def optional_repository(text: str) -> RepositoryUrl | None:
    """Where a repository is, or nothing."""
    return repository_url.parse(text) if text else None


# Pages of the web, and of programs that are browsers: `app://obsidian.md`, `chrome-extension://id`.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s,@?#]*")


def origins(text: str) -> tuple[str, ...]:
    """Origins of web pages, separated by commas; `*` is any."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for origin in found:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(f"expected origins such as http://localhost:3000, got {origin!r}")
    return found


def token(text: str) -> str | None:
    """A secret on one line, or nothing."""
    if text and not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("expected a token without spaces")
    return text or None


def issuer(text: str) -> str:
    """A name on one line."""
    if not text.strip() or not text.isprintable() or len(text) > 200:
        raise ValueError("expected a name")
    return text


def service_name(text: str) -> str:
    """A name of a service, as tools for telemetry show it."""
    return issuer(text)


def address_or_off(text: str) -> Address | None:
    """Where to listen or to send to; None where that is not wanted."""
    return None if text.lower() == "off" else parse_address(text)


def probability(text: str) -> Probability:
    """Of how many of all, 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise ValueError("expected a number from 0 to 1")
    return Probability(value)


def optional(parse: Callable[[str], str]) -> Callable[[str], str | None]:
    """What `parse` reads, or nothing."""
    return lambda text: parse(text) if text else None


def version(text: str) -> str:
    """A release's name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", text):
        raise ValueError("expected a version such as b11312")
    return text


def url(text: str) -> str:
    """An address of the web."""
    if not text.startswith(("https://", "http://")) or not text.isprintable() or " " in text:
        raise ValueError("expected a URL")
    return text


_HOST = re.compile(
    r"\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?"
)


def hosts(text: str) -> tuple[str, ...]:
    """Hosts, separated by commas: with a port, all below a name, or any."""
    found = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for host in found:
        if not _HOST.fullmatch(host) or (host.startswith("*") and ":" in host):
            raise ValueError(
                "expected hosts such as example.com, example.com:8080, *.example.com or *, "
                f"got {host!r}"
            )
    return found


def one_of(*choices: str) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return parse


def names(text: str) -> tuple[str, ...]:
    """Names of hosts as a browser sends them, without ports, separated by commas."""
    found = hosts(text)
    for host in found:
        if host.rpartition(":")[2].isdecimal() and not host.endswith("]"):
            raise ValueError(f"expected hosts without ports, got {host!r}")
    return found


def networks(text: str) -> tuple[str, ...]:
    """Addresses and networks, separated by commas; each in its usual form."""
    found = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tuple(str(ipaddress.ip_network(part)) for part in found)
    except ValueError as error:
        raise ValueError(f"expected addresses or networks such as 10.0.0.0/8: {error}") from error


def auth_host(text: str) -> str:
    """Where another Kronk answers: a URL without a path, or `host:port`, which means https."""
    address = text if "://" in text else f"https://{text}"
    found = urlsplit(url(address))
    if not found.hostname or found.path not in ("", "/") or found.query or found.username:
        raise ValueError("expected a host such as https://auth.example.com:8080")
    if found.scheme == "http" and not is_loopback(found.hostname):
        raise ValueError("expected https, as tokens are sent there")
    return address.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine is behind that name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
