"""`workers.yaml`: the other hosts whose workers this server uses (the `static` provisioner).

    provisioner: static
    control: tcp://0.0.0.0:8391
    data: tcp://0.0.0.0:8392
    lost_after: 30s
    workers:
      gpu1: {key: "...", models: 1}

`kronk worker add` writes it. The server's secret key is beside it, in `keys/`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
import zmq

from .errors import InvalidArgument
from .files import write_atomically
from .paths import BasePath
from .units import format_duration, parse_duration
from .wire import curve

log = logging.getLogger(__name__)

CONTROL = "tcp://0.0.0.0:8391"
DATA = "tcp://0.0.0.0:8392"
LOST_AFTER = 30.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_ADDRESS = re.compile(r"tcp://(\[[0-9a-f:]+\]|[^:/\s]+):([0-9]{1,5})")
_KEYS = ("provisioner", "control", "data", "lost_after", "workers")


@dataclass(frozen=True, slots=True)
class WorkerHost:
    """One row."""

    name: str
    # Its public key, 40 characters of Z85.
    key: str
    # Models it may have loaded at a time.
    models: int = 1


@dataclass(frozen=True, slots=True)
class WorkerHosts:
    """The file. Addresses are where supervisor and gateway listen; seconds without a sign of life
    after which a host's workers are lost."""

    control: str = CONTROL
    data: str = DATA
    lost_after: float = LOST_AFTER
    hosts: Mapping[str, WorkerHost] = field(default_factory=dict)

    def name_of(self, key: str) -> str | None:
        """The host with this public key."""
        return next((host.name for host in self.hosts.values() if host.key == key), None)


class KnownHosts:
    """The file as it is now: read again when it has changed, kept as it was when it is spoilt.

    May be used on any thread."""

    def __init__(self, base: BasePath) -> None:
        self._base = base
        self._stamp: tuple[int, int] | None = None
        self._hosts = WorkerHosts()
        self._refresh()

    def now(self) -> WorkerHosts:
        """The file."""
        self._refresh()
        return self._hosts

    def _refresh(self) -> None:
        try:
            facts = self._base.workers_file.stat()
            stamp = (facts.st_mtime_ns, facts.st_size)
        except OSError:
            stamp = None
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._hosts = load(self._base)
        except InvalidArgument as error:
            log.error("cannot read the worker hosts; those known before stay: %s", error.message)


def check_name(name: str) -> None:
    """`InvalidArgument` for what is no host's name."""
    if not _NAME.fullmatch(name) or name == "local":
        raise InvalidArgument(
            f"{name!r} is no name for a worker host: expected small letters, digits and hyphens, "
            "31 at most, and not `local`",
            param="name",
        )


def load(base: BasePath) -> WorkerHosts:
    """The file of this base path; no hosts where there is none."""
    try:
        document = yaml.safe_load(base.workers_file.read_text("utf-8"))
    except FileNotFoundError:
        return WorkerHosts()
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise _wrong(base, " ".join(str(error).split())) from error
    if document is None:
        return WorkerHosts()
    if not isinstance(document, dict):
        raise _wrong(base, "expected keys with values")
    for key in document:
        if key not in _KEYS:
            raise _wrong(base, f"unknown key {key}; known are {', '.join(_KEYS)}")
    if document.get("provisioner", "static") != "static":
        raise _wrong(base, f"provisioner: expected static, got {document['provisioner']!r}")
    return WorkerHosts(
        _address(base, document, "control", CONTROL),
        _address(base, document, "data", DATA),
        _seconds(base, document),
        _hosts(base, document.get("workers") or {}),
    )


def save(base: BasePath, hosts: WorkerHosts) -> None:
    """Write the file."""
    document = {
        "provisioner": "static",
        "control": hosts.control,
        "data": hosts.data,
        "lost_after": format_duration(hosts.lost_after),
        "workers": {
            host.name: {"key": host.key, "models": host.models} for host in hosts.hosts.values()
        },
    }
    write_atomically(base.workers_file, yaml.safe_dump(document, sort_keys=False).encode())


def server_secret(base: BasePath, *, make: bool = False) -> str | None:
    """The server's secret key; made where there is none and `make` says so. `InvalidArgument` for
    a file that has none: with another key no worker host would know this server."""
    path = base.keys / "workers.key"
    try:
        return _secret(path.read_text("ascii").strip(), path)
    except FileNotFoundError:
        if not make:
            return None
    except (OSError, UnicodeDecodeError) as error:
        raise _no_key(path) from error
    base.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = curve.new_secret()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
    return secret


def _secret(text: str, path: Path) -> str:
    try:
        curve.public_of(text)
    except (ValueError, zmq.ZMQError) as error:
        raise _no_key(path) from error
    return text


def _no_key(path: Path) -> InvalidArgument:
    return InvalidArgument(
        f"{path} cannot be read as a secret key; restore it, or delete it and add the worker hosts "
        "again (`kronk worker add`)",
        param="workers_file",
    )


def port_of(address: str) -> int:
    """The port of a `tcp://host:port`."""
    return int(address.rpartition(":")[2])


def check_address(text: str, what: str) -> str:
    """The address, if it is one."""
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise InvalidArgument(f"{what}: expected tcp://host:port, got {text!r}", param=what)
    return text


def _address(base: BasePath, document: dict[str, Any], key: str, default: str) -> str:
    try:
        return check_address(str(document.get(key, default)), key)
    except InvalidArgument as error:
        raise _wrong(base, error.message) from error


def _seconds(base: BasePath, document: dict[str, Any]) -> float:
    text = document.get("lost_after")
    if text is None:
        return LOST_AFTER
    try:
        seconds = parse_duration(str(text))
    except ValueError as error:
        raise _wrong(base, f"lost_after: {error}, got {text!r}") from error
    if not 1.0 <= seconds <= curve.DEAD_AFTER_MS / 1000:
        raise _wrong(base, f"lost_after: expected 1s to 60s, got {text!r}")
    return seconds


def _hosts(base: BasePath, rows: object) -> dict[str, WorkerHost]:
    if not isinstance(rows, dict):
        raise _wrong(base, "workers: expected names with `key` and `models`")
    hosts = {}
    for name, row in rows.items():
        try:
            check_name(str(name))
        except InvalidArgument as error:
            raise _wrong(base, f"workers: {error.message}") from error
        if not isinstance(row, dict) or not set(row) <= {"key", "models"}:
            raise _wrong(base, f"workers.{name}: expected `key` and `models`")
        key, models = row.get("key"), row.get("models", 1)
        if not isinstance(key, str) or len(key) != 40:
            raise _wrong(base, f"workers.{name}.key: expected 40 characters")
        if type(models) is not int or not 1 <= models <= 256:
            raise _wrong(base, f"workers.{name}.models: expected 1 to 256, got {models!r}")
        hosts[str(name)] = WorkerHost(str(name), key, models)
    return hosts


def _wrong(base: BasePath, what: str) -> InvalidArgument:
    return InvalidArgument(f"{base.workers_file}: {what}", param="workers_file")
