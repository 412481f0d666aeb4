"""What every answer says to a browser about itself, unless its route has said it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence

Header = tuple[bytes, bytes]

_NOSNIFF = (b"x-content-type-options", b"nosniff")
# Answers are of models, prompts and tokens: nothing that a cache should keep by itself.
_NO_STORE = (b"cache-control", b"no-store")
# Half a year, and only this name: others of the domain are not ours.
_HSTS = (b"strict-transport-security", b"max-age=15552000")
_CSP = b"content-security-policy"
_PAGE = (
    (_CSP, b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def dressed(headers: Iterable[Header], *, hsts: bool) -> list[Header]:
    """The headers of an answer and those that it lacks."""
    found = list(headers)
    names = {name.lower(): value for name, value in found}
    wanted: Sequence[Header] = (_NOSNIFF, _NO_STORE)
    if names.get(b"content-type", b"").startswith(b"text/html"):
        wanted = (*wanted, *_PAGE)
    if hsts:
        wanted = (*wanted, _HSTS)
    found += [header for header in wanted if header[0] not in names]
    return found


def policy_of(page: str) -> str:
    """The Content-Security-Policy of a page of ours: the scripts and styles that stand in it, and
    no others; requests to this server alone."""
    inline: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        inline[kind].append(f"'sha256-{digest}'")
    rules = {
        "default-src": ["'none'"],
        "script-src": inline["script"] or ["'none'"],
        "style-src": inline["style"] or ["'none'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(values)}" for name, values in rules.items())
