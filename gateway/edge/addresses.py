"""IP addresses as they stand in sockets and headers."""

from __future__ import annotations

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What proxies write into X-Forwarded-For: an address, in brackets or not, with a port or not.
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d{1,5})?|([0-9.]+):\d{1,5}")


def group(text: str) -> str:
    """Those whom an address counts among: of IPv6, a client has a whole /64 to itself."""
    found = address(text)
    if not isinstance(found, ipaddress.IPv6Address):
        return str(found or text)
    return str(ipaddress.ip_network((found, 64), strict=False))


def address(text: str) -> Address | None:
    """The address that stands there, with or without a port; None where there is none. An IPv4
    address in the clothes of an IPv6 one is an IPv4 address."""
    found = _WITH_PORT.fullmatch(text)
    bare = text if found is None else found[1] or found[2]
    try:
        parsed = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
