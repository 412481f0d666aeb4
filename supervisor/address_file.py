"""The file in the base path that tells commands on this machine where the server is."""

from __future__ import annotations

import json
import os

from kronk import __version__
from kronk.shared.files import write_atomically
from kronk.shared.settings import Settings
from kronk.shared.units import Address, UnixAddress

from .births import Listening
from .boot import api_address, cannot_write


def write(settings: Settings, listening: Listening, started: float) -> dict[str, str]:
    """Write it, with when the server started (seconds since 1970). Returns the addresses by what
    answers there: `api`, `debug`.

    `CannotStart` where it cannot be written.
    """
    addresses = {"api": _url(settings, api_address(listening.sockets))}
    if listening.debug:
        addresses["debug"] = str(api_address(listening.debug))
    facts = {
        "pid": os.getpid(),
        **addresses,
        "started": int(started),
        "version": __version__,
    }
    if settings.tls_cert is not None:
        # Whom commands on this machine trust.
        facts["certificate"] = str(settings.tls_cert)
    if settings.auth_host is not None:
        # Commands that work on the files here have to know that nobody asks those.
        facts["auth_host"] = settings.auth_host
    path = settings.base.server_file
    try:
        write_atomically(path, json.dumps(facts).encode())
    except OSError as error:
        raise cannot_write(path, error) from error
    return addresses


def _url(settings: Settings, api: Address | UnixAddress) -> str:
    """Without a scheme it is HTTP."""
    is_tls = settings.tls_cert is not None and isinstance(api, Address)
    return f"https://{api}" if is_tls else str(api)
