"""How often a password may be guessed. Pure; `logins` keeps the ledger and tells the time.

Each address has a few tries, then has to wait longer after each; so do all addresses together, as
an attacker has many. An address from which somebody has logged in is not held up by the others:
whoever keeps guessing must not be able to lock the operator out. Times are of the wall clock, as
they outlive the process; where it was set back, nobody waits for what has not been yet.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# Tries without a wait: of one address, and of all together.
FREE, FREE_TOGETHER = 5, 50
_FIRST_WAIT, _LONGEST_WAIT = 60.0, 900.0
# Without a failure for so long, it begins anew.
_FORGOTTEN_AFTER = 86_400.0
# Clocks of one machine's processes do not differ by so much.
_STEP = 60.0
_MOST_ADDRESSES, _MOST_KNOWN = 1000, 100


@dataclass(frozen=True, slots=True)
class Tries:
    """Failures in a row, and when the last one was, in seconds since the epoch."""

    failures: int = 0
    last: float = 0.0

    def wait(self, now: float, free: int) -> float:
        """Seconds until the next try; 0 is now."""
        tries = self.remembered(now)
        if tries.failures < free or tries.last - now > _STEP:
            return 0.0
        # Not 2**failures, which is endless.
        doublings = min(tries.failures - free, 10)
        wait = min(_FIRST_WAIT * float(2**doublings), _LONGEST_WAIT)
        return max(wait - max(now - tries.last, 0.0), 0.0)

    def remembered(self, now: float) -> Tries:
        """What still counts of them."""
        return Tries() if now - self.last > _FORGOTTEN_AFTER else self

    def failed(self, now: float) -> Tries:
        """With one more."""
        return Tries(self.remembered(now).failures + 1, now)

    def forgiven(self) -> Tries:
        """With one less."""
        return Tries(max(self.failures - 1, 0), self.last)


@dataclass(frozen=True, slots=True)
class Ledger:
    """All tries of one password."""

    # The password's id: another password, another ledger.
    password: str
    together: Tries = field(default_factory=Tries)
    addresses: Mapping[str, Tries] = field(default_factory=dict)
    # Where somebody logged in, and when last.
    known: Mapping[str, float] = field(default_factory=dict)

    def attempt(self, address: str, now: float) -> tuple[Ledger, float]:
        """A try counts as a failure until it is known better, so that many at once are not more
        than one after the other. The seconds to wait instead; then nothing has changed."""
        own = self.addresses.get(address, Tries())
        wait = own.wait(now, FREE)
        if address not in self.known:
            wait = max(wait, self.together.wait(now, FREE_TOGETHER))
        if wait > 0.0:
            return self, wait
        addresses = {**self.addresses, address: own.failed(now)}
        latest = sorted(addresses, key=lambda name: addresses[name].last)[-_MOST_ADDRESSES:]
        kept = {name: addresses[name] for name in latest}
        return replace(self, addresses=kept, together=self.together.failed(now)), 0.0

    def succeeded(self, address: str, now: float) -> Ledger:
        """The latest try of that address was right."""
        addresses = {name: tries for name, tries in self.addresses.items() if name != address}
        known = {**self.known, address: now}
        latest = sorted(known, key=lambda name: known[name])[-_MOST_KNOWN:]
        kept = {name: known[name] for name in latest}
        # Not forgotten altogether: each login would give an attacker new tries.
        return replace(self, addresses=addresses, known=kept, together=self.together.forgiven())


def place_of(host: str | None) -> str:
    """What counts as one address: a network of IPv6, of which each client has a whole one."""
    if host is None:
        return "local"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def to_record(ledger: Ledger) -> dict[str, Any]:
    """For the database."""
    return {
        "password": ledger.password,
        "together": _row(ledger.together),
        "addresses": {name: _row(tries) for name, tries in ledger.addresses.items()},
        "known": dict(ledger.known),
    }


def from_record(record: Mapping[str, Any] | None, password: str) -> Ledger:
    """What the database has of that password; nothing where it is of another, or damaged."""
    if record is None or record.get("password") != password:
        return Ledger(password)
    try:
        return Ledger(
            password,
            _tries(record["together"]),
            {str(name): _tries(row) for name, row in record["addresses"].items()},
            {str(name): _number(at) for name, at in record["known"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Ledger(password)


def _row(tries: Tries) -> list[float]:
    return [tries.failures, tries.last]


def _tries(row: Any) -> Tries:
    failures, last = row
    return Tries(max(int(failures), 0), _number(last))


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a time")
    return number
