"""What jobs there are. Each kind is a function of the settings and of its parameters.

It runs in a process of its own, which may be killed at any point: what it leaves behind is found by
the next one. SIGTERM raises `Cancelled` in it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from kronk.shared.errors import InvalidArgument
from kronk.shared.settings import Settings

# Phase (`download`, `verify`, ...), bytes done, bytes in all where known.
Progress = Callable[[str, int, int | None], None]
# JSON in, JSON out. What a user should not get as a traceback is a `KronkError`.
Work = Callable[[Settings, Mapping[str, Any], Progress], dict[str, Any]]
# Raises what is wrong with the parameters, as far as that is known without the network.
Check = Callable[[Settings, Mapping[str, Any]], None]
# Jobs of different lanes do not wait for one another.
Lane = Literal["download", "disk"]

# How many jobs of a lane run at a time: more downloads would only share the line, and two jobs that
# read the disk from end to end are slower than one after the other.
LANES: Mapping[Lane, int] = {"download": 2, "disk": 1}

_LONGEST_TEXT = 4096
_NAMES: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer"}
_WORDS: Mapping[type, str] = {str: "a text", bool: "true or false", int: "a whole number"}


class Cancelled(BaseException):
    """Somebody asked the job to end. Not an `Exception`: nobody may take it for a failure."""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a kind of job."""

    name: str
    type: type[str | bool | int] = str
    required: bool = False
    # Kept apart from the job's record, for as long as it is needed, and never told.
    secret: bool = False

    def check(self, value: object) -> None:
        """`InvalidArgument` for what is not of the type."""
        where = f"params.{self.name}"
        # True is a whole number to Python only.
        if type(value) is not self.type:
            raise InvalidArgument(
                f"{where}: expected {_WORDS[self.type]}, got {value!r:.100}", param=where
            )
        if isinstance(value, str) and not (0 < len(value) <= _LONGEST_TEXT and "\0" not in value):
            raise InvalidArgument(
                f"{where}: expected 1 to {_LONGEST_TEXT} characters without a NUL", param=where
            )


@dataclass(frozen=True, slots=True)
class Kind:
    """One row."""

    name: str
    # `module:function`, imported where it runs.
    work: str
    # Of the parameters: two jobs of one kind with the same values in these are one job.
    key: tuple[str, ...]
    # What it does, for lists: `pull {wanted}`.
    title: str
    # All parameters; those of the key that are not here are texts that must be given.
    params: tuple[Param, ...] = ()
    lane: Lane = "download"
    # `module:function`, a `Check` that the server calls before it takes the job.
    check: str | None = None
    # Whether its process gets the settings that are secret.
    needs_secrets: bool = False

    def function(self) -> Work:
        """The work itself."""
        work: Work = imported(self.work)
        return work

    def all_params(self) -> dict[str, Param]:
        """By name."""
        listed = {param.name: param for param in self.params}
        return {
            name: Param(name, required=True) for name in self.key if name not in listed
        } | listed

    def validate(self, params: Mapping[str, Any]) -> None:
        """`InvalidArgument` names the first parameter that is unknown, missing or wrong."""
        known = self.all_params()
        for name, value in params.items():
            where = f"params.{name:.100}"
            if name not in known:
                raise InvalidArgument(
                    f"{where}: a job of kind {self.name} has no such parameter; it has "
                    f"{', '.join(known) or 'none'}",
                    param=where,
                )
            known[name].check(value)
        for name, param in known.items():
            if param.required and name not in params:
                where = f"params.{name}"
                raise InvalidArgument(f"missing {where} field", param=where)

    def parted(self, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What may be told of the parameters, and what may not."""
        known = self.all_params()
        hidden = {name: value for name, value in params.items() if known[name].secret}
        return {name: params[name] for name in params if name not in hidden}, hidden

    def check_early(self, settings: Settings, params: Mapping[str, Any]) -> None:
        """What is wrong with valid parameters and can be told at once. Reads files."""
        if self.check is not None:
            check: Check = imported(self.check)
            check(settings, params)

    def target(self, params: Mapping[str, Any]) -> str:
        """What the job is about: one at a time for each."""
        return ":".join((self.name, *(str(params.get(key)) for key in self.key)))

    def titled(self, params: Mapping[str, Any]) -> str:
        """What it does, for people."""
        return self.title.format_map(_OrDash(shown(self.parted(params)[0])))

    def schema(self) -> dict[str, Any]:
        """Of the parameters, as JSON Schema."""
        known = self.all_params()
        return {
            "type": "object",
            "required": [name for name, param in known.items() if param.required],
            "properties": {name: {"type": _NAMES[param.type]} for name, param in known.items()},
            "additionalProperties": False,
        }


class _OrDash(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "-"


def shown(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without what may be a key: addresses' queries, and users before hosts."""
    return {name: _without_keys(value) for name, value in params.items()}


def _without_keys(value: object) -> object:
    if not isinstance(value, str) or "://" not in value:
        return value
    try:
        parts = urlsplit(value)
        netloc = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=netloc, query="", fragment="").geturl()
    except ValueError:
        return value.partition("?")[0]


def imported(name: str) -> Any:
    """What `module:function` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "pull",
            "kronk.shared.models.pull_job:run",
            ("wanted",),
            "pull {wanted}",
            check="kronk.shared.models.pull_job:check",
            needs_secrets=True,
        ),
        Kind(
            "pull-from",
            "kronk.shared.moving.pull_job:run",
            ("model", "host"),
            "pull {model} from {host}",
            (
                Param("model", required=True),
                Param("host", required=True),
                Param("token", secret=True),
            ),
            check="kronk.shared.moving.pull_job:check",
        ),
        Kind(
            "push",
            "kronk.shared.moving.push_job:run",
            ("model", "target"),
            "push {model} to {target}",
            (
                Param("model", required=True),
                Param("target", required=True),
                Param("token", secret=True),
                Param("public", bool),
            ),
            check="kronk.shared.moving.push_job:check",
            needs_secrets=True,
        ),
        Kind(
            "import",
            "kronk.shared.models.importing:run",
            ("file",),
            "import {file}",
            params=(Param("file", required=True), Param("as"), Param("how")),
            lane="disk",
            check="kronk.shared.models.importing:check",
        ),
        Kind(
            "index",
            "kronk.shared.models.indexing:run",
            ("verify",),
            "index the models folder",
            params=(Param("verify", bool),),
            lane="disk",
        ),
        Kind(
            "verify",
            "kronk.shared.models.verifying:run",
            ("model", "accept"),
            "verify {model}",
            params=(Param("model"), Param("accept", bool)),
            lane="disk",
            check="kronk.shared.models.verifying:check",
        ),
        # Not from a file or an address: whoever may begin jobs may not thereby run code.
        Kind(
            "libs",
            "kronk.shared.libraries.install:run",
            ("processor", "version", "arch", "os"),
            "install llama.cpp {version} {processor}",
            params=(
                Param("processor"),
                Param("version"),
                Param("arch"),
                Param("os"),
                Param("replace", bool),
                Param("allow_upgrade", bool),
            ),
            check="kronk.shared.libraries.install:check",
        ),
        Kind(
            "catalog-update",
            "kronk.shared.models.catalog_update:run",
            (),
            "catalog update",
            check="kronk.shared.models.catalog_update:check_early",
        ),
        Kind(
            "templates-update",
            "kronk.shared.templates.update:run",
            (),
            "templates update",
            check="kronk.shared.templates.update:check_early",
        ),
    )
}


def kind_of(name: str) -> Kind:
    """The row of that name."""
    if name not in KINDS:
        raise InvalidArgument(
            f"kind: expected one of {', '.join(KINDS)}, got {name!r:.100}", param="kind"
        )
    return KINDS[name]
