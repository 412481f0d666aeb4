"""The ASGI layer of the edge: refuses what must not come in, and says who it is that asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronk.gateway import errors
from kronk.gateway.body import READ_TIMEOUT
from kronk.gateway.middleware import STARTS
from kronk.gateway.record import record_of
from kronk.shared.errors import InvalidArgument, KronkError, PermissionDenied
from kronk.shared.settings import Settings

from .forwarded import NEAR, Claims, Proxies
from .headers import dressed
from .hosts import Hosts, is_loopback, name_of
from .origins import is_foreign

# What load balancers ask, which know addresses and no names.
_PROBES = frozenset({"/v1/liveness", "/v1/readiness"})
_MAPPED = "::ffff:"
_READ = frozenset({b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode"})
_FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
_LOOPBACK_HOSTS = "--allowed-hosts (KRONK_WEB_ALLOWED_HOSTS)"
_ORIGINS = "--cors-allowed-origins (KRONK_WEB_CORS_ALLOWED_ORIGINS)"


@dataclass(frozen=True, slots=True)
class Rules:
    """What of the settings is about the edge."""

    hosts: Hosts
    proxies: Proxies
    origins: tuple[str, ...]
    read_timeout: float
    # Whether HTTPS is ours to insist on.
    has_tls: bool

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """The rules in force."""
        return cls(
            Hosts(settings.allowed_hosts, settings.api_host.host),
            Proxies(settings.trusted_proxies),
            settings.cors_allowed_origins,
            settings.read_timeout,
            settings.tls_cert is not None,
        )


class Edge:
    """Inside of the access log, so that refusals are in it; outside of everything else."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        scope[READ_TIMEOUT] = self._rules.read_timeout
        refusal = self._admit(scope)
        hsts = self._rules.has_tls and _insists(scope)

        async def dressing(message: Message) -> None:
            if message["type"] in STARTS:
                message["headers"] = dressed(message.get("headers", ()), hsts=hsts)
            await send(message)

        if refusal is None:
            await self.app(scope, receive, dressing)
            return
        record_of(scope).error = refusal.code
        await errors.response(refusal, scope)(scope, receive, dressing)

    def _admit(self, scope: Scope) -> KronkError | None:
        """Why it is refused. Afterwards the scope says what is true of the client."""
        rules = self._rules
        peer = scope.get("client")
        if peer is not None and peer[0].startswith(_MAPPED):
            # Of a socket that takes both kinds: the client's address is the IPv4 one.
            peer = scope["client"] = (peer[0].removeprefix(_MAPPED), peer[1])
        if rules.proxies.trusts(peer[0] if peer else NEAR):
            _believe(scope, rules.proxies)
        given = {name: value for name, value in scope["headers"] if name in _READ}
        host = _text(given.get(b"host"))
        if host is not None:
            refusal = self._judge_host(host, scope)
            if refusal is not None:
                return refusal
        origin = _text(given.get(b"origin"))
        site, mode = (_text(given.get(name)) for name in (b"sec-fetch-site", b"sec-fetch-mode"))
        # Its answer is open to whoever asks for it, and navigation is never what asks.
        method = scope["method"] if scope["type"] == "http" else "WEBSOCKET"
        if is_foreign(method, origin, site, mode, host, rules.origins):
            return PermissionDenied(
                f"a page of {origin or 'another site'} may not send this request; "
                f"{_ORIGINS} names the origins that may",
                param="Origin",
            )
        return None

    def _judge_host(self, host: str, scope: Scope) -> KronkError | None:
        server = scope.get("server")
        # The server's address of a Unix socket has no port.
        local = server[0] if server and server[1] is not None else None
        is_probe = scope["path"] in _PROBES
        match self._rules.hosts.verdict(host, local, is_probe=is_probe):
            case "malformed":
                return InvalidArgument("Host: expected a name or an address", param="Host")
            case "foreign":
                return PermissionDenied(
                    f"this server is not known by the name {name_of(host)}; {_LOOPBACK_HOSTS} "
                    "lists the names that clients may use",
                    param="Host",
                )
        return None


def _believe(scope: Scope, proxies: Proxies) -> None:
    claims = Claims(*(_values(scope, name) for name in _FORWARDED))
    peer = scope.get("client")
    seen = proxies.seen(peer[0] if peer else NEAR, scope["scheme"], claims)
    scope["scheme"] = seen.scheme
    if peer is None or seen.client != peer[0]:
        scope["client"] = (seen.client, 0)
    if seen.host is not None:
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [(b"host", seen.host.encode("latin-1")), *others]


def _values(scope: Scope, wanted: bytes) -> Sequence[str]:
    return [
        part
        for name, value in scope["headers"]
        if name == wanted
        for part in value.decode("latin-1").split(",")
    ]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1").strip()


def _insists(scope: Scope) -> bool:
    """Whether to have browsers use HTTPS from now on: not for `localhost`, where other programs of
    the same machine have other ports of the same name."""
    if scope["scheme"] != "https":
        return False
    host = next((_text(value) for name, value in scope["headers"] if name == b"host"), None)
    name = name_of(host) if host else None
    return name is not None and not is_loopback(name)
