"""Tokens: JWTs by RS256, and nothing else.

Who sends a bad one is told "invalid token"; why it is bad is `Unauthenticated.reason`, for logs.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pydantic_core

from kronk.shared.errors import InvalidArgument, ServerError, Unauthenticated

from .grants import Grants
from .identity import Identity
from .key_files import KID, UUID, Key

if TYPE_CHECKING:
    import jwt


# Seconds that the clocks of two machines may differ by.
LEEWAY = 30.0
# Bytes. Proxies take headers of 8 KiB.
LONGEST = 8192
# Reasons that others compare with.
OTHER_ISSUER = "another issuer"
NOT_YET_VALID = "not yet valid"

_ALGORITHM = "RS256"
_TYPE = "JWT"
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SHORTEST_DURATION = 1.0
# Seconds that a token may live.
LONGEST_DURATION = 10 * 366 * 86400.0
_LONGEST_NAME = 128
# Far beyond every date, far below what a float cannot hold.
_LAST_TIME = 2**40
_MOST_KNOWN = 4096


@functools.cache
def _jws() -> jwt.PyJWS:
    # Imported when the first token is looked at: it takes a tenth of a second.
    import jwt

    return jwt.PyJWS(algorithms=[_ALGORITHM])


class Keys(Protocol):
    """What is asked of a keyring here."""

    @property
    def stamp(self) -> int:
        """Another number whenever a key has come, gone or changed."""
        ...

    @property
    def newest_signer(self) -> Key:
        """What signs new tokens; `Conflict` where there is none."""
        ...

    def get(self, kid: str) -> Key | None:
        """The key of that id."""
        ...


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, verified. Times are seconds since the epoch."""

    subject: str
    issuer: str
    # The id of the key that signed it.
    key: str
    issued: float
    not_before: float
    expires: float
    jti: str
    admin: bool
    name: str | None
    grants: Grants

    def identity(self) -> Identity:
        """Who sends this token."""
        return Identity(self.subject, self.name, self.admin, self.grants, self.key, self.expires)


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token. The text is a secret: it is given out once, and kept nowhere."""

    token: str = field(repr=False)
    claims: Claims


@dataclass(frozen=True, slots=True)
class Inspection:
    """What stands in a token. Where there is a `reason`, the token is not good, and what stands in
    it may be anybody's word."""

    kid: str | None
    claims: Mapping[str, Any] | None
    reason: str | None


def issue(
    keyring: Keys,
    issuer: str,
    *,
    duration: float,
    grants: Grants,
    admin: bool = False,
    name: str | None = None,
    subject: str | None = None,
    now: float,
) -> Issued:
    """A token signed by the newest signing key, good from `now` on for `duration` seconds."""
    return issue_with(
        keyring.newest_signer,
        issuer,
        duration=duration,
        grants=grants,
        admin=admin,
        name=name,
        subject=subject,
        now=now,
    )


def issue_with(
    key: Key,
    issuer: str,
    *,
    duration: float,
    grants: Grants,
    admin: bool = False,
    name: str | None = None,
    subject: str | None = None,
    now: float,
) -> Issued:
    """The same, signed by that key. `InvalidArgument` for what no token can say."""
    check_wish(duration, name, subject)
    issued = int(now)
    payload = {
        "iss": issuer,
        "sub": subject if subject is not None else str(uuid.uuid4()),
        "iat": issued,
        "nbf": issued,
        "exp": issued + round(duration),
        "jti": str(uuid.uuid4()),
        "admin": admin,
        **grants.to_claims(),
        **({} if name is None else {"name": name}),
    }
    import jwt

    token = jwt.encode(payload, key.private, _ALGORITHM, headers={"kid": key.kid, "typ": _TYPE})
    if len(token) > LONGEST:
        raise InvalidArgument(
            f"the token would be longer than {LONGEST} bytes; name fewer models, or use *",
            param="models",
        )
    try:
        claims = _proven(token, key, issuer)
    except Unauthenticated as error:
        raise ServerError(
            f"the key {key.kid} is damaged: what it signs is not good ({error.reason}); delete it "
            "and make another one"
        ) from error
    return Issued(token, claims)


def check_wish(duration: float, name: str | None, subject: str | None) -> None:
    """`InvalidArgument` for what no token can say."""
    if not _SHORTEST_DURATION <= duration <= LONGEST_DURATION:
        raise InvalidArgument("duration: expected 1s to ten years (87840h)", param="duration")
    if name is not None and not _is_name(name):
        raise InvalidArgument(
            f"name: expected 1 to {_LONGEST_NAME} printable characters", param="name"
        )
    if subject is not None and not _is_uuid(subject):
        raise InvalidArgument("subject: expected a UUID in small letters", param="subject")


def verify(token: str, keyring: Keys, issuer: str, now: float) -> Claims:
    """What a token says, where it is good at that time; else `Unauthenticated`."""
    return _timely(prove(token, keyring, issuer), now)


def inspect(token: str, keyring: Keys, issuer: str, now: float) -> Inspection:
    """What stands in any text that may be a token, and what is wrong with it."""
    try:
        verify(token, keyring, issuer, now)
        reason = None
    except Unauthenticated as error:
        reason = error.reason
    kid = _said(token, 0).get("kid")
    return Inspection(kid if isinstance(kid, str) else None, _said(token, 1) or None, reason)


class Verifier:
    """`verify`, with the latest good tokens known by their digests: a signature takes 50 µs, its
    digest 2. Known ones are forgotten when a key changes. For any thread."""

    def __init__(self, keyring: Keys, issuer: str, most: int = _MOST_KNOWN) -> None:
        self._keyring = keyring
        self._issuer = issuer
        self._most = most
        self._lock = threading.Lock()
        self._stamp = 0
        # The one used last is last.
        self._known: dict[bytes, Claims] = {}

    def verify(self, token: str, now: float) -> Claims:
        """What a token says, where it is good at that time; else `Unauthenticated`."""
        if len(token) > LONGEST:
            raise _bad("too long")
        stamp = self._keyring.stamp
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        claims = self._recall(digest, stamp)
        if claims is None:
            claims = prove(token, self._keyring, self._issuer)
            self._keep(digest, claims, stamp)
        return _timely(claims, now)

    def _recall(self, digest: bytes, stamp: int) -> Claims | None:
        with self._lock:
            if stamp != self._stamp:
                self._known.clear()
                self._stamp = stamp
            claims = self._known.pop(digest, None)
            if claims is not None:
                self._known[digest] = claims
            return claims

    def _keep(self, digest: bytes, claims: Claims, stamp: int) -> None:
        with self._lock:
            if stamp != self._stamp:
                # Proven by keys that may be gone.
                return
            while len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[digest] = claims


def prove(token: str, keyring: Keys, issuer: str) -> Claims:
    """What a token says, whether its time is now or not; else `Unauthenticated`."""
    if len(token) > LONGEST:
        raise _bad("too long")
    if not _FORM.fullmatch(token):
        raise _bad("not a token")
    key = keyring.get(_kid_of(token))
    if key is None:
        raise _bad("unknown key")
    return _proven(token, key, issuer)


def _kid_of(token: str) -> str:
    """The id of the key, which may not exist; whatever else a header may ask for is refused."""
    header = _said(token, 0)
    if header.keys() != {"alg", "kid", "typ"}:
        raise _bad("header: expected alg, kid and typ")
    if header["alg"] != _ALGORITHM or header["typ"] != _TYPE:
        raise _bad(f"header: expected {_ALGORITHM} and {_TYPE}")
    kid = header["kid"]
    if not isinstance(kid, str) or not KID.fullmatch(kid):
        raise _bad("header: no key has such an id")
    return kid


def _proven(token: str, key: Key, issuer: str) -> Claims:
    import jwt

    try:
        payload = _jws().decode(token, key.public, algorithms=[_ALGORITHM])
        said = pydantic_core.from_json(payload)
    except (jwt.PyJWTError, ValueError) as error:
        raise _bad(f"bad signature or form: {error}") from error
    if not isinstance(said, dict):
        raise _bad("claims: expected an object")
    if said.get("iss") != issuer:
        raise _bad(OTHER_ISSUER)
    return _claims(said, issuer, key.kid)


def _claims(said: Mapping[str, Any], issuer: str, kid: str) -> Claims:
    # What has these forms is what we wrote.
    subject, jti, admin, name = (said.get(claim) for claim in ("sub", "jti", "admin", "name"))
    if not isinstance(subject, str) or not _is_uuid(subject):
        raise _bad("sub: expected a UUID")
    if not isinstance(jti, str) or not _is_uuid(jti):
        raise _bad("jti: expected a UUID")
    if not isinstance(admin, bool):
        raise _bad("admin: expected true or false")
    if name is not None and not (isinstance(name, str) and _is_name(name)):
        raise _bad("name: expected a short text")
    if "endpoints" not in said:
        raise _bad("endpoints: missing")
    try:
        grants = Grants.from_claims(said)
    except ValueError as error:
        raise _bad(str(error)) from error
    return Claims(
        subject=subject,
        issuer=issuer,
        key=kid,
        issued=_time(said, "iat"),
        not_before=_time(said, "nbf"),
        expires=_time(said, "exp"),
        jti=jti,
        admin=admin,
        name=name,
        grants=grants,
    )


def _time(said: Mapping[str, Any], claim: str) -> float:
    match said.get(claim):
        case bool():
            pass
        case int() | float() as value if 0 <= value <= _LAST_TIME:
            return float(value)
    raise _bad(f"{claim}: expected a time")


def _timely(claims: Claims, now: float) -> Claims:
    if now >= claims.expires + LEEWAY:
        raise _bad("expired")
    if now < max(claims.not_before, claims.issued) - LEEWAY:
        raise _bad(NOT_YET_VALID)
    return claims


def _said(token: str, part: int) -> dict[str, Any]:
    """Header or claims as they stand there, believed by nobody; empty where they are none."""
    if len(token) > LONGEST or not _FORM.fullmatch(token):
        return {}
    try:
        # Its parser refuses deep nesting as it does any mistake; json's raises something else.
        found = pydantic_core.from_json(_decoded(token.split(".")[part]))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_uuid(text: str) -> bool:
    return UUID.fullmatch(text) is not None


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable()


def _bad(reason: str) -> Unauthenticated:
    return Unauthenticated(reason=reason)
