"""`kronk server stacks` and `profile`: what the processes of a server are at."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from kronk.shared import stacks as asking
from kronk.shared.errors import InvalidArgument, NotFound, ServerError
from kronk.shared.paths import BasePath
from kronk.shared.settings_table import SETTINGS

from .client import Admin, NoServer, find_base_path, running_server, server_facts
from .local import AsJson
from .lock import read_lock
from .options import BasePathOption

_SETTING = next(one for one in SETTINGS if one.name == "debug_host")
_OFF = "off"
# The server's own limits stand above these.
_STACKS_WITHIN = 30.0
_GRACE_SECONDS = 30.0
_SUFFIXES = {
    "flamegraph": ".svg",
    "speedscope": ".speedscope.json",
    "raw": ".txt",
    "text": ".txt",
    "pprof": ".pb.gz",
}

DebugHost = Annotated[
    str | None,
    typer.Option(
        "--debug-host",
        metavar="HOST:PORT",
        help="Address of the debug server. (env: KRONK_DEBUG_HOST; default: the running server's)",
        show_default=False,
    ),
]


def stacks(
    process: Annotated[
        str,
        typer.Argument(help="gateway, supervisor, spare, a model, or a process id; or all."),
    ] = "all",
    debug_host: DebugHost = None,
    base_path: BasePathOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what the threads of a server's processes are doing, of one that hangs too.

    Where the debug server does not answer, the processes of this machine are asked directly.
    """
    base = find_base_path(base_path)
    query = urlencode({"process": process, "format": "json" if as_json else "text"})
    try:
        found = _debug_server(debug_host, base)
        answer = found.fetch(f"/debug/stacks?{query}", _STACKS_WITHIN)
    except (NoServer, NotFound, ServerError) as error:
        if debug_host is not None or not read_lock(base).held or _is_answer(error):
            raise
        print(f"asking the processes themselves: {error.message}", file=sys.stderr)
        _ask_directly(base, process, as_json)
        return
    print(answer.decode(errors="replace").rstrip("\n"))


def profile(
    process: Annotated[
        str, typer.Argument(help="gateway, supervisor, spare, a model, or a process id.")
    ] = "gateway",
    seconds: Annotated[int, typer.Option(min=1, max=300, help="For how long.")] = 30,
    form: Annotated[
        str, typer.Option("--format", help="flamegraph, speedscope, pprof, text or raw.")
    ] = "flamegraph",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; `-` is the terminal."),
    ] = None,
    idle: Annotated[bool, typer.Option("--idle", help="Threads that wait, too.")] = False,
    native: Annotated[
        bool, typer.Option("--native", help="Frames of C and C++ too; it slows the process down.")
    ] = False,
    debug_host: DebugHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Record where a process of the server spends its processor time, and write it to a file."""
    if form not in _SUFFIXES:
        raise InvalidArgument(
            f"--format: expected one of {', '.join(_SUFFIXES)}, got {form!r}", param="format"
        )
    path = output or Path(f"kronk-{process.replace('/', '-')}{_SUFFIXES[form]}")
    # Nobody waits half a minute for what cannot be written then.
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InvalidArgument(f"--output: {path} is no file in a folder there is", param="output")
    found = _debug_server(debug_host, find_base_path(base_path))
    query = {"process": process, "seconds": seconds, "format": form}
    query |= {"idle": int(idle), "native": int(native)}
    data = found.fetch(f"/debug/pprof/profile?{urlencode(query)}", seconds + _GRACE_SECONDS)
    if output == Path("-"):
        sys.stdout.buffer.write(data)
        return
    path.write_bytes(data)
    print(f"Wrote {path}, {seconds} s of {process}")


def _is_answer(error: Exception) -> bool:
    """Whether the debug server answered, and that is what it said."""
    return isinstance(error, NotFound) and error.param == "process"


def _debug_server(debug_host: str | None, base: BasePath) -> Admin:
    """The flag, the variable, or what the server of this base path wrote down."""
    facts = server_facts(base)
    given = debug_host or os.environ.get(_SETTING.env)
    address = given if given and given.lower() != _OFF else facts.get("debug")
    if address is None:
        raise NotFound(
            f"the server of {base.root} has no debug server; --debug-host at its start gives it one"
            if read_lock(base).held
            else f"Kronk is not running on {base.root}"
        )
    return _client(str(address), facts, base)


def _client(address: str, facts: Mapping[str, Any], base: BasePath) -> Admin:
    try:
        _SETTING.parse(address)
    except ValueError as error:
        raise InvalidArgument(
            f"--debug-host: {error}, got {address!r}", param="debug_host"
        ) from error
    ours = running_server({**facts, "api": address}, base)
    assert ours is not None, "it was given an address"
    # The operator's token is for the server of this base path, and for nobody else.
    is_ours = address == facts.get("debug")
    kept = ours.token if is_ours or os.environ.get("KRONK_TOKEN") else None
    return replace(ours, token=kept, certificate=None)


def _ask_directly(base: BasePath, process: str, as_json: bool) -> None:
    """As the user whose processes they are; models have no names here."""
    known = {pid: asking.role_of(pid) for pid in asking.offering(base.run)}
    wanted = [pid for pid, role in known.items() if process in ("all", role) or process == str(pid)]
    if not wanted:
        names = ", ".join(f"{role} ({pid})" for pid, role in known.items()) or "none"
        raise NotFound(f"there is no process {process!r}; there are {names}", param="process")
    found = {pid: asking.take(base.run, pid) for pid in wanted}
    if as_json:
        rows = [{"pid": pid, "role": known[pid], **asdict(taken)} for pid, taken in found.items()]
        print(json.dumps({"processes": rows}))
        return
    for pid, taken in found.items():
        told = f"no stacks: {taken.silence}" if taken.silence else taken.text.rstrip()
        print(f"{known[pid]}, process {pid}\n\n{told}\n")
