"""What `--auth-host` needs beside it, before anything is started with it."""

from __future__ import annotations

import ssl
from pathlib import Path

from kronk.shared.errors import InvalidArgument
from kronk.shared.settings import Settings


def check(settings: Settings) -> None:
    """`InvalidArgument` where a host is named that could never be asked."""
    if settings.auth_host is None:
        return
    token_of(settings)
    if settings.auth_ca is not None:
        authorities(settings.auth_ca)


def token_of(settings: Settings) -> str:
    """The token to ask with."""
    if settings.auth_token is None:
        raise InvalidArgument(
            "--auth-host needs a token with the grant `delegation`: set KRONK_AUTH_TOKEN to what "
            "`kronk security token create --endpoints delegation` prints there",
            param="auth_token",
        )
    return settings.auth_token


def authorities(file: Path) -> ssl.SSLContext:
    """Trust in what the authorities of that file vouch for, and in nothing else."""
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:
        why = "there is no certificate in PEM form in it"
        if not isinstance(error, ssl.SSLError):
            why = f"it cannot be read: {(error.strerror or str(error)).lower()}"
        raise InvalidArgument(f"--auth-ca {file}: {why}", param="auth_ca") from error
