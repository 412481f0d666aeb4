"""`kronk libs`: builds of llama.cpp beside the one that Kronk came with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console

from kronk.shared import settings
from kronk.shared.errors import Internal, InvalidArgument, ServerError
from kronk.shared.libraries import install as installing
from kronk.shared.libraries import listing
from kronk.shared.libraries.host import ARCHITECTURES, PROCESSORS, SYSTEMS
from kronk.shared.libraries.install import removed
from kronk.shared.settings import Settings

from .client import Admin, NoServer, find_server, in_path
from .columns import aligned
from .job_screen import report_to, screen
from .local import AsJson, Local
from .options import ApiHost, BasePathOption
from .working import Detach, Where, carry_out

libs_app = typer.Typer(
    help="List, install, upgrade and remove builds of llama.cpp; without a command, list.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

LIBS = "/v1/kronk/libs"
# A build that was never tried is tried when it is listed.
_SECONDS = 120.0
_HEADS = ("PROCESSOR", "VERSION", "USED", "WORKS", "OS/ARCH", "DEVICES", "FROM")
_WORKS = {True: "yes", None: "not tried"}

Processor = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(PROCESSORS),
        help="What it computes on. (env: KRONK_PROCESSOR; default: the best there is here)",
        show_default=False,
    ),
]
Arch = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(ARCHITECTURES), help="(env: KRONK_ARCH; default: this machine's)"
    ),
]
System = Annotated[
    str | None,
    typer.Option(
        "--os", metavar="|".join(SYSTEMS), help="(env: KRONK_OS; default: this machine's)"
    ),
]
Version = Annotated[
    str | None,
    typer.Option(
        metavar="bNNNN|latest",
        help="The release of llama.cpp. (env: KRONK_LIB_VERSION; default: the one that the binding"
        " was made for)",
        show_default=False,
    ),
]
LibPath = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Folder of the builds. (env: KRONK_LIB_PATH; default: `libraries` in the base path)",
        show_default=False,
    ),
]
AllowUpgrade = Annotated[
    str,
    typer.Option(
        metavar="true|false",
        help="Whether a processor that has a build may get another version.",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="URL|FILE|FOLDER",
        help="A build of your own instead of a release; what is in it will be executed.",
        show_default=False,
    ),
]
Sha256 = Annotated[
    str | None,
    typer.Option(metavar="HEX", help="What the archive's digest must be.", show_default=False),
]


@dataclass(frozen=True, slots=True)
class _Machine:
    """For which machine, where that is not this one; and where its builds are."""

    arch: str | None = None
    system: str | None = None
    lib_path: str | None = None

    def settings(self, where: Where) -> Settings:
        """Of a command that works on this machine's files."""
        flags = {"arch": self.arch, "os": self.system, "lib_path": self.lib_path}
        return settings.resolve(flags | {"base_path": where.base_path}, os.environ)

    def require_local(self, where: Where) -> None:
        """A server has its own machine and folder."""
        given = {"--arch": self.arch, "--os": self.system, "--lib-path": self.lib_path}
        named = [flag for flag, value in given.items() if value is not None]
        if named and not where.local:
            raise InvalidArgument(
                f"{named[0]} is for --local: a server installs for its own machine", param="local"
            )


@libs_app.callback(invoke_without_command=True)
def libs(
    context: typer.Context,
    local: Local = False,
    processor: Processor = None,
    arch: Arch = None,
    system: System = None,
    lib_version: Version = None,
    allow_upgrade: AllowUpgrade = "true",
    lib_path: LibPath = None,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Builds of llama.cpp: without a command list them, or install the one that `--processor` or
    `--lib-version` names."""
    if context.invoked_subcommand is not None:
        return
    where = Where(local=local, as_json=as_json, api_host=api_host, base_path=base_path)
    machine = _Machine(arch, system, lib_path)
    if processor is None and lib_version is None:
        _list(where, machine)
    else:
        _install(where, machine, _params(processor, lib_version, allow_upgrade))


@libs_app.command("list")
def list_builds(
    local: Local = False,
    arch: Arch = None,
    system: System = None,
    lib_path: LibPath = None,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the builds there are, which one is used, and why."""
    where = Where(local=local, as_json=as_json, api_host=api_host, base_path=base_path)
    _list(where, _Machine(arch, system, lib_path))


@libs_app.command()
def install(
    local: Local = False,
    processor: Processor = None,
    arch: Arch = None,
    system: System = None,
    lib_version: Version = None,
    source: Source = None,
    sha256: Sha256 = None,
    allow_upgrade: AllowUpgrade = "true",
    lib_path: LibPath = None,
    detach: Detach = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Fetch a build, check it, and keep it beside the others."""
    where = Where(local, detach, as_json, api_host, base_path)
    params = _params(processor, lib_version, allow_upgrade)
    machine = _Machine(arch, system, lib_path)
    if source is None and sha256 is None:
        _install(where, machine, params)
        return
    if source is None or not local:
        raise InvalidArgument(
            "--from and --sha256 go together with --local: a server runs only what llama.cpp's"
            " releases have",
            param="from",
        )
    _here(where, machine, params | {"source": source} | ({"sha256": sha256} if sha256 else {}))


@libs_app.command()
def upgrade(
    local: Local = False,
    processor: Processor = None,
    arch: Arch = None,
    system: System = None,
    lib_version: Version = None,
    allow_upgrade: AllowUpgrade = "true",
    lib_path: LibPath = None,
    detach: Detach = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Install the build that the binding was made for, or another version; older ones of that
    processor go once it works."""
    where = Where(local, detach, as_json, api_host, base_path)
    params = _params(processor, lib_version, allow_upgrade) | {"replace": True}
    _install(where, _Machine(arch, system, lib_path), params)


@libs_app.command()
def remove(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="As `kronk libs` shows it.")],
    processor: Annotated[str, typer.Option(metavar="|".join(PROCESSORS), help="Whose build.")],
    local: Local = False,
    arch: Arch = None,
    system: System = None,
    lib_path: LibPath = None,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Delete a build; models that are loaded with it go on."""
    where = Where(local=local, as_json=as_json, api_host=api_host, base_path=base_path)
    machine = _Machine(arch, system, lib_path)
    machine.require_local(where)
    if local:
        done = removed(machine.settings(where), processor, version)
    else:
        path = f"{LIBS}/{in_path(processor, 'processor')}/{in_path(version, 'build')}"
        done = _ask(where, lambda admin: admin.delete(path, timeout=_SECONDS))
    print(json.dumps(done) if as_json else f"removed {done['path']}")


def _list(where: Where, machine: _Machine) -> None:
    machine.require_local(where)
    if where.local:
        found = listing.describe(machine.settings(where))
    else:
        found = _ask(where, lambda admin: admin.get(LIBS, timeout=_SECONDS))
    print(json.dumps(found) if where.as_json else page(found))


def _ask(where: Where, ask: Callable[[Admin], Any]) -> dict[str, Any]:
    admin = find_server(where.api_host, where.base_path)
    try:
        found = ask(admin)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to do it here") from error
    if not isinstance(found, dict):
        raise Internal(f"{admin.url} answered {LIBS} in a form this version cannot read")
    return found


def _params(processor: str | None, version: str | None, allow_upgrade: str) -> dict[str, Any]:
    if allow_upgrade.lower() not in ("true", "false"):
        raise InvalidArgument(
            f"--allow-upgrade: expected true or false, got {allow_upgrade!r}", param="allow_upgrade"
        )
    given = {"processor": processor, "version": version}
    named: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return named | {"allow_upgrade": allow_upgrade.lower() == "true"}


def _install(where: Where, machine: _Machine, params: dict[str, Any]) -> None:
    machine.require_local(where)
    if where.local:
        _here(where, machine, params)
    else:
        carry_out(where, "libs", params, words)


def _here(where: Where, machine: _Machine, params: dict[str, Any]) -> None:
    if where.detach:
        raise InvalidArgument(
            "--detach leaves the work to the server, and --local does without it", param="detach"
        )
    with screen(Console(stderr=True, highlight=False)) as show:
        done = installing.run(machine.settings(where), params, report_to(show))
    print(json.dumps({"state": "done", "result": done}) if where.as_json else words(done))


def words(done: dict[str, Any]) -> str:
    """What an installation has come to."""
    name = f"{done['version']} {done['processor']}"
    if not done["proven"]:
        return f"installed {name}, for another machine than this one: {done['path']}"
    if done["processor"] != "cpu" and not done["devices"]:
        return (
            f"installed {name}, which decodes here but finds no GPU; models get another build until"
            f" it does: {done['path']}"
        )
    devices = ", ".join(done["devices"]) or "the processor"
    return f"installed {name}, which works here on {devices}: {done['path']}"


def page(found: dict[str, Any]) -> str:
    """The list for people."""
    lines = [f"used: {found['used']}" + (f" ({found['reason']})" if found["reason"] else "")]
    lines.append(f"made for: llama.cpp {found['matching_version']} ({found['binding']})")
    usable = [row for row in found["processors"] if row["usable"]]
    seen = ", ".join(f"{row['name']} ({row['found']})" for row in usable)
    lines.append(f"here: {found['os']} {found['arch']}; {seen}")
    if not found["data"]:
        lines.append("none is installed beside the bundled one; `kronk libs install` fetches one")
        return "\n".join(lines)
    return "\n".join([*lines, "", *aligned(_HEADS, [_row(row) for row in found["data"]])])


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["processor"],
        row["version"],
        "yes" if row["used"] else "-",
        _WORKS.get(row["works"]) or f"no: {row['reason']}",
        f"{row['os']}/{row['arch']}",
        ", ".join(row["devices"]) or "-",
        row["source"] or "-",
    )
