"""Addresses of the network that no request may have the server talk to, however they are written.

Two measures. What anybody may name in a request (`kronk.gateway.media`) must be of the public
Internet. What an administrator has fetched may be on the own network, but not where machines keep
what only their own software may know: link-local addresses, behind which clouds tell credentials,
and the few others that they use for that.
"""

from __future__ import annotations

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public to `ipaddress` of some versions of Python, and not on the Internet.
_PROTOCOL_ASSIGNMENTS = ipaddress.ip_network("192.0.0.0/24")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")
# What DNS64 makes of an IPv4 address, which is its last four bytes; and networks' own, which put
# it elsewhere.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
# Where clouds tell machines about themselves, besides 169.254.0.0/16.
_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
    )
)


def unwrapped(text: str) -> Address:
    """The address itself: an IPv4 one can be written as an IPv6 one in several ways."""
    found: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found in _NAT64 or (int(found) >> 32 == 0 and int(found) > 1):
            return ipaddress.IPv4Address(found.packed[-4:])
        if found.sixtofour is not None:
            return found.sixtofour
    return found


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public Internet, however it is wrapped."""
    if ipaddress.ip_address(text.partition("%")[0]) in _SIX_TO_FOUR:
        # Its relays are nobody's and everybody's.
        return False
    found = unwrapped(text)
    if isinstance(found, ipaddress.IPv6Address):
        odd = found.is_site_local or found in _LOCAL_NAT64
    else:
        odd = found in _PROTOCOL_ASSIGNMENTS
    plain = found.is_multicast or found.is_reserved or found in _METADATA
    return found.is_global and not (odd or plain)


def is_forbidden(text: str) -> bool:
    """Whether not even an administrator has files there."""
    found = unwrapped(text)
    return found.is_link_local or found.is_multicast or found.is_unspecified or found in _METADATA


def refusal(host: str, port: int | None) -> str | None:
    """Why nothing is fetched from a host; None if something may be. A name that cannot be resolved
    here is a proxy's to resolve, or fails by itself."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    for entry in found:
        if is_forbidden(str(entry[4][0])):
            return f"{host} is at {entry[4][0]}, a link-local or reserved address"
    return None
