"""What of a server's settings lets others in, or out, who perhaps should not: said at its start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .setting_values import is_loopback
from .settings import Settings

OPEN = (
    "anybody who reaches this address may use and change everything: no token is asked for; "
    "--auth-enabled asks for one"
)
DEBUG_OPEN = (
    "anybody who reaches the debug server may see metrics, stacks and profiles, and slow processes "
    "down: no token is asked for; --debug-host=localhost:8090 keeps it on this machine"
)
DEBUG_PLAIN = (
    "tokens for the debug server cross the network without encryption; "
    "--debug-host=localhost:8090 keeps it on this machine"
)
PLAIN = (
    "tokens cross the network without encryption; --tls-cert and --tls-key encrypt, and so does a "
    "proxy in front"
)
LOGGED = (
    "INSECURE LOGGING: prompts and answers are written to the log (--insecure-logging); not for "
    "production"
)


def warnings(
    settings: Settings, names: Iterable[Any], debug_names: Iterable[Any] = ()
) -> list[str]:
    """One sentence for each. `names` are what the listening sockets are bound to, as `getsockname`
    says it: a host and more for TCP, and a path otherwise; `debug_names` those of the debug
    server."""
    is_far, is_debug_far = _reaches_far(names), _reaches_far(debug_names)
    found = []
    if is_far and settings.mode == "open":
        found.append(OPEN)
    if is_far and settings.mode != "open" and settings.tls_cert is None:
        found.append(PLAIN)
    if is_debug_far:
        found.append(DEBUG_OPEN if settings.mode == "open" else DEBUG_PLAIN)
    if settings.insecure_logging:
        found.append(LOGGED)
    return found


def _reaches_far(names: Iterable[Any]) -> bool:
    hosts = [str(name[0]) for name in names if isinstance(name, tuple)]
    return any(not is_loopback(host) for host in hosts)
