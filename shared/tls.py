"""Certificates: those that a server shows, and whom a client trusts.

What a server is given is looked at whole before it is used, and what is wrong with it is said in
the words of the setting it came from.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .errors import InvalidArgument

# From then on the log says daily that a certificate runs out.
WARN_DAYS = 14.0
_DAY = 86400.0
# For TLS 1.2; those of 1.3 are all good. Forward secrecy and authenticated encryption only.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key, ready to be shown."""

    cert: Path
    context: ssl.SSLContext
    # Between which times it is valid, in seconds of the epoch.
    begins: float
    expires: float

    def days_left(self, now: float) -> float:
        """Until it runs out; negative afterwards."""
        return (self.expires - now) / _DAY

    @property
    def expires_text(self) -> str:
        """When, for people."""
        return _date(self.expires)


def identity(cert: Path, key: Path) -> Identity:
    """What the two files hold, valid now or not; `InvalidArgument` names the setting whose file is
    of no use."""
    begins, expires = _validity(cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _read(key, "tls_key")
    try:
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except _Encrypted as error:
        raise _unfit("tls_key", key, "it has a passphrase, which nobody could type") from error
    except (ssl.SSLError, OSError) as error:
        raise _mismatch(cert, key, error) from error
    return Identity(cert, context, begins, expires)


def check_validity(shown: Identity, now: float) -> None:
    """`InvalidArgument` for a certificate that no client would accept at that time."""
    if now > shown.expires:
        raise _unfit("tls_cert", shown.cert, f"it ran out on {shown.expires_text}")
    if now < shown.begins:
        raise _unfit("tls_cert", shown.cert, f"it is not valid before {_date(shown.begins)}")


def trusting(cert: Path) -> ssl.SSLContext:
    """For a client on the server's own machine: trusts the certificate of that file and no other,
    by whatever name the server is reached."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # The certificate itself is what is trusted, not an authority that could make others.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    text = _read(cert, "tls_cert").decode("ascii", "replace")
    first = text[text.find(begin) : text.find(end) + len(end)]
    try:
        context.load_verify_locations(cadata=first)
    except (ssl.SSLError, ValueError) as error:
        raise _unfit("tls_cert", cert, "there is no certificate in it") from error
    return context


def trusting_authorities(path: Path) -> ssl.SSLContext:
    """For a client: trusts what the authorities of that file have signed, and no others."""
    try:
        return ssl.create_default_context(cafile=str(path))
    except (ssl.SSLError, OSError) as error:
        raise InvalidArgument(
            f"{path} has no certificates of authorities: {_words(error)}", param="ca_file"
        ) from error


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _validity(cert: Path) -> tuple[float, float]:
    # Takes a while to import, and few servers speak TLS themselves.
    from cryptography import x509

    try:
        first, *_ = x509.load_pem_x509_certificates(_read(cert, "tls_cert"))
    except ValueError as error:
        raise _unfit("tls_cert", cert, "there is no certificate in PEM form in it") from error
    return first.not_valid_before_utc.timestamp(), first.not_valid_after_utc.timestamp()


def _mismatch(cert: Path, key: Path, error: OSError) -> InvalidArgument:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return _unfit("tls_key", key, f"it is not the key of the certificate in {cert}")
    if isinstance(error, ssl.SSLError) and error.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"):
        return _unfit("tls_cert", cert, f"it is too weak: {_words(error)}")
    return _unfit("tls_key", key, "there is no private key in PEM form in it")


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unfit(setting, path, f"it cannot be read: {_words(error)}") from error


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not valid").lower().replace("_", " ")
    return (error.strerror or str(error)).lower()


def _unfit(setting: str, path: Path, why: str) -> InvalidArgument:
    flag = "--" + setting.replace("_", "-")
    return InvalidArgument(f"{flag} {path}: {why}", param=setting)


class _Encrypted(Exception):
    """OpenSSL wants a passphrase."""


def _no_passphrase() -> str:
    # Without this OpenSSL would ask the terminal.
    raise _Encrypted
