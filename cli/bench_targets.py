"""Which servers `kronk bench` measures, from its flags."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from ssl import SSLContext
from urllib.parse import urlsplit

from kronk.shared.benchmark.server import Target
from kronk.shared.benchmark.wires import endpoint
from kronk.shared.errors import InvalidArgument

from .client import Admin, find_server
from .remedies import remedy

# What stands for the Kronk that other commands talk to.
LOCAL = "kronk"


def targets(
    model: str,
    base_urls: Sequence[str],
    models: Sequence[str],
    api_keys: Sequence[str],
    api_host: str | None,
    base_path: str | None,
) -> tuple[Target, ...]:
    """In the order of the flags; without a URL the local Kronk. `InvalidArgument` names a flag."""
    places = [_named(text) for text in base_urls] or [(LOCAL, LOCAL)]
    names = [name for name, _ in places]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InvalidArgument(
            f"--base-url: two targets are called {min(twice)}; give them names, as in "
            "--base-url one=http://127.0.0.1:8080",
            param="base_url",
        )
    of_model = _by_name("--model", models, names)
    keys = _by_name("--api-key", api_keys, names)
    return tuple(
        local(name, of_model.get(name, model), find_server(api_host, base_path))
        if url == LOCAL
        else _remote(name, of_model.get(name, model), url, keys.get(name, keys.get("")))
        for name, url in places
    )


def _named(text: str) -> tuple[str, str]:
    """The name and the URL of `NAME=URL`; a URL alone is called by its host."""
    name, separator, url = text.partition("=")
    if separator and not {"/", ":"} & {*name}:
        if not name or not url:
            raise InvalidArgument(f"--base-url: expected NAME=URL, got {text!r}", param="base_url")
        return name, url
    if text == LOCAL:
        return LOCAL, LOCAL
    return urlsplit(text if "://" in text else f"http://{text}").netloc or text, text


def _by_name(flag: str, given: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """What each `NAME=VALUE` says; a value for all is under the empty name."""
    found: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if separator and name in names:
            found[name] = value
        elif flag == "--api-key":
            found[""] = text
        else:
            raise InvalidArgument(
                f"{flag}: expected NAME=MODEL with one of the names {', '.join(names)}, got "
                f"{text!r}",
                param=flag.lstrip("-"),
            )
    return found


def local(name: str, model: str, admin: Admin) -> Target:
    """The server of a client, which speaks TLS, asks for a token or has a Unix socket perhaps."""
    trust = admin.trust()
    where = endpoint(admin.url, admin.token, trust if isinstance(trust, SSLContext) else None)
    if admin.socket is not None:
        where = type(where)(where.host, where.port, unix=admin.socket, token=admin.token)
    words = remedy(HTTPStatus.UNAUTHORIZED, "", "POST", "", admin.operators)
    return Target(name, model, where, remedy=words)


def _remote(name: str, model: str, place: str, key: str | None) -> Target:
    # For its certificates, as every other command trusts them.
    trust = Admin(place).trust()
    where = endpoint(place, key, trust if isinstance(trust, SSLContext) else None)
    scheme = "https" if where.tls is not None else "http"
    url = f"{scheme}://{where.host}:{where.port}{where.root}"
    return Target(name, model, where, url, f"; give its key with --api-key {name}=KEY")
