"""Tokens that are none: what an attacker, or somebody who was let go, may send.

A forger has read a good token and knows every public key. Some have more: what is signed here by
the server's own keys shows that a signature alone is not enough.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from kronk.shared.security.key_files import Key

ISSUER = "kronk"
HOUR = 3600


@dataclass(frozen=True)
class Forger:
    """What there is to work with: a good token of an administrator, and the key that signed it."""

    good: str
    key: Key
    now: int

    @property
    def header(self) -> dict[str, Any]:
        return dict(_read(self.good.split(".")[0]))

    @property
    def claims(self) -> dict[str, Any]:
        return dict(_read(self.good.split(".")[1]))

    @property
    def stranger(self) -> rsa.RSAPrivateKey:
        """A key that the server does not have."""
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def signed(
        self, header: Mapping[str, Any] | None = None, claims: Mapping[str, Any] | None = None
    ) -> str:
        """By the server's own key, with these changes; None takes a field away."""
        return token(
            _changed(self.header, header), _changed(self.claims, claims), by(self.key.private)
        )

    def by_stranger(self, header: Mapping[str, Any] | None = None) -> str:
        return token(_changed(self.header, header), self.claims, by(self.stranger))

    def public_pem(self, form: serialization.PublicFormat) -> bytes:
        return self.key.public.public_bytes(serialization.Encoding.PEM, form)


Forgery = Callable[[Forger], str]
Sign = Callable[[bytes], bytes]


def token(header: Mapping[str, Any], claims: Mapping[str, Any] | bytes, sign: Sign) -> str:
    content = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    head = f"{packed(json.dumps(header).encode())}.{packed(content)}"
    return f"{head}.{packed(sign(head.encode()))}"


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by(key: rsa.RSAPrivateKey, algorithm: hashes.HashAlgorithm | None = None) -> Sign:
    return lambda data: key.sign(data, padding.PKCS1v15(), algorithm or hashes.SHA256())


def by_hmac(secret: bytes) -> Sign:
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def _by_pss(key: rsa.RSAPrivateKey) -> Sign:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return lambda data: key.sign(data, scheme, hashes.SHA256())


def _by_curve(data: bytes) -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).sign(data, ec.ECDSA(hashes.SHA256()))


def _changed(fields: dict[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    found = fields | dict(changes or {})
    return {name: value for name, value in found.items() if value is not None}


def _read(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _unsigned(algorithm: str) -> Forgery:
    return lambda forger: token(
        _changed(forger.header, {"alg": algorithm}), forger.claims, _nothing
    )


def _nothing(data: bytes) -> bytes:
    return b""


def _hmac_by_public_key(form: serialization.PublicFormat) -> Forgery:
    return lambda forger: token(
        forger.header | {"alg": "HS256"}, forger.claims, by_hmac(forger.public_pem(form))
    )


def _parts(change: Callable[[list[str]], list[str]]) -> Forgery:
    return lambda forger: ".".join(change(forger.good.split(".")))


def _claims(**changes: Any) -> Forgery:
    return lambda forger: forger.signed(claims=changes)


def _times(**seconds: float) -> Forgery:
    return lambda forger: forger.signed(
        claims={name: forger.now + later for name, later in seconds.items()}
    )


def _header(**changes: Any) -> Forgery:
    return lambda forger: forger.signed(header=changes)


def _own_key(name: str) -> Forgery:
    """A header that brings the key along, or says where to get it."""

    def forge(forger: Forger) -> str:
        key = forger.stranger
        numbers = key.public_key().public_numbers()
        jwk = {
            "kty": "RSA",
            "n": packed(numbers.n.to_bytes(256, "big")),
            "e": packed(numbers.e.to_bytes(3, "big")),
        }
        value: Any = jwk if name == "jwk" else "http://127.0.0.1:9/keys.json"
        return token(forger.header | {name: value}, forger.claims, by(key))

    return forge


def _flipped(part: str) -> str:
    middle = len(part) // 2
    return part[:middle] + ("A" if part[middle] != "A" else "B") + part[middle + 1 :]


FORGERIES: dict[str, Forgery] = {
    # The algorithm.
    "alg none": _unsigned("none"),
    "alg None": _unsigned("None"),
    "alg nOnE": _unsigned("nOnE"),
    "alg empty": _unsigned(""),
    "alg none with a signature": lambda forger: token(
        forger.header | {"alg": "none"}, forger.claims, by(forger.key.private)
    ),
    "no alg": lambda forger: forger.signed(header={"alg": None}),
    "HS256 with the public key": _hmac_by_public_key(
        serialization.PublicFormat.SubjectPublicKeyInfo
    ),
    "HS256 with the public key, older form": _hmac_by_public_key(serialization.PublicFormat.PKCS1),
    "HS256 with nothing": lambda forger: token(
        forger.header | {"alg": "HS256"}, forger.claims, by_hmac(b"")
    ),
    "RS512 with the right key": lambda forger: token(
        forger.header | {"alg": "RS512"}, forger.claims, by(forger.key.private, hashes.SHA512())
    ),
    "PS256 with the right key": lambda forger: token(
        forger.header | {"alg": "PS256"}, forger.claims, _by_pss(forger.key.private)
    ),
    "ES256": lambda forger: token(forger.header | {"alg": "ES256"}, forger.claims, _by_curve),
    "algs": _header(alg=["RS256"]),
    # The key.
    "another key": lambda forger: forger.by_stranger(),
    "unknown kid": lambda forger: forger.by_stranger({"kid": str(uuid.uuid4())}),
    "the right key under an unknown kid": _header(kid=str(uuid.uuid4())),
    "no kid": _header(kid=None),
    "kid in capitals": lambda forger: forger.signed(header={"kid": forger.key.kid.upper()}),
    "kid with a path": lambda forger: forger.signed(header={"kid": f"../keys/{forger.key.kid}"}),
    "kid with an ending": lambda forger: forger.signed(header={"kid": f"{forger.key.kid}.pem"}),
    "kid of a file that is known": lambda forger: token(
        forger.header | {"alg": "HS256", "kid": "../../../../../../dev/null"},
        forger.claims,
        by_hmac(b""),
    ),
    "kid with a NUL": lambda forger: forger.signed(header={"kid": f"{forger.key.kid}\0"}),
    "kid is a list": lambda forger: forger.signed(header={"kid": [forger.key.kid]}),
    "kid is an object": _header(kid={"$ne": ""}),
    "kid of the master key": _header(kid="master"),
    "key in the header": _own_key("jwk"),
    "address of keys in the header": _own_key("jku"),
    "address of a certificate in the header": _own_key("x5u"),
    "an extension that must be understood": _header(crit=["exp"]),
    "unencoded content": _header(b64=False, crit=["b64"]),
    # The times.
    "expired": _times(exp=-HOUR),
    "expired for longer than clocks differ": _times(exp=-31),
    "not yet valid": _times(nbf=HOUR),
    "issued in the future": _times(iat=HOUR),
    "without end": _claims(exp=None),
    "end is a text": _claims(exp="4000000000"),
    "end is true": _claims(exp=True),
    "end is far beyond": _claims(exp=1e300),
    "without beginning": _claims(nbf=None),
    "without issue": _claims(iat=None),
    # Who.
    "other issuer": _claims(iss="somebody"),
    "issuer in capitals": _claims(iss="KRONK"),
    "issuers": _claims(iss=["kronk", "somebody"]),
    "without issuer": _claims(iss=None),
    "without subject": _claims(sub=None),
    "subject is no UUID": _claims(sub="admin"),
    "subject is a list": _claims(sub=[str(uuid.uuid4())]),
    "admin is a word": _claims(admin="true"),
    "admin is one": _claims(admin=1),
    "grants are a list": _claims(endpoints=["chat-completions"]),
    "claims are a list": lambda forger: token(forger.header, b"[]", by(forger.key.private)),
    "claims are no JSON": lambda forger: token(forger.header, b"{", by(forger.key.private)),
    "claims are deep": lambda forger: token(forger.header, b"[" * 3000, by(forger.key.private)),
    # The form.
    "tampered claims": _parts(lambda parts: [parts[0], _flipped(parts[1]), parts[2]]),
    "tampered header": _parts(lambda parts: [_flipped(parts[0]), *parts[1:]]),
    "tampered signature": _parts(lambda parts: [*parts[:2], _flipped(parts[2])]),
    "no signature": _parts(lambda parts: [*parts[:2], ""]),
    "two parts": _parts(lambda parts: parts[:2]),
    "four parts": _parts(lambda parts: [*parts, parts[2]]),
    "five parts": _parts(lambda parts: [*parts, "", ""]),
    "padding": _parts(lambda parts: [*parts[:2], parts[2] + "=="]),
    "blanks within": _parts(lambda parts: [parts[0], parts[1] + " ", parts[2]]),
    "another alphabet": _parts(lambda parts: [*parts[:2], "+/" + parts[2][2:]]),
    "too long": lambda forger: forger.signed(claims={"name": "x" * 9000}),
    "words": lambda forger: "letmein",
    "nothing but dots": lambda forger: "..",
    "a NUL": lambda forger: f"{forger.good}\0",
    "letters that are none": lambda forger: f"{forger.good}\xff",
}
