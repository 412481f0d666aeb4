"""`kronk worker`: run models of a server on another host; on the server, say which hosts may."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from typing import Annotated, NoReturn

import typer

from kronk.shared import settings, worker_hosts
from kronk.shared.errors import Conflict, InvalidArgument, NotFound
from kronk.shared.paths import BasePath
from kronk.shared.wire import curve
from kronk.shared.worker_hosts import WorkerHost, check_address, check_name

from .client import find_base_path
from .columns import aligned
from .halt import read_lock
from .local import AsJson
from .options import BasePathOption

worker_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_OUTPOST = [sys.executable, "-P", "-m", "kronk.supervisor.outpost"]
Name = Annotated[str, typer.Argument(metavar="NAME", help="What the host is called.")]


@worker_app.callback(invoke_without_command=True)
def worker(
    context: typer.Context,
    connect: Annotated[
        str | None,
        typer.Option(
            metavar="tcp://HOST:PORT",
            envvar="KRONK_WORKER_CONNECT",
            help="The server to run workers for: `control` in its workers.yaml.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="KRONK_WORKER_TOKEN",
            help="What `kronk worker add` printed there; better in the variable than on the line.",
        ),
    ] = None,
    base_path: BasePathOption = None,
) -> None:
    """Run workers for a server on another host, until Ctrl-C.

    Model files are looked for below this host's base path, where the server has them below its own.
    """
    if context.invoked_subcommand is not None:
        return
    if connect is None or token is None:
        raise InvalidArgument(
            "expected --connect tcp://HOST:PORT and --token TOKEN; "
            "`kronk worker add NAME` on the server's host makes a token",
            param="connect" if connect is None else "token",
        )
    check_address(connect, "--connect")
    curve.parse_token(token)
    _become_outpost(connect, token, base_path)


def _become_outpost(connect: str, token: str, base_path: str | None) -> NoReturn:
    resolved = settings.resolve({"base_path": base_path}, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    own = {"KRONK_WORKER_CONNECT": connect, "KRONK_WORKER_TOKEN": token}
    variables = {**os.environ, **settings.to_environment(resolved), **own}
    os.execve(sys.executable, _OUTPOST, variables)


@worker_app.command()
def add(
    name: Name,
    models: Annotated[
        int, typer.Option(min=1, max=256, help="Models it may have loaded at a time.")
    ] = 1,
    base_path: BasePathOption = None,
) -> None:
    """Let a host run workers for this server; prints the token that the host needs."""
    check_name(name)
    base = find_base_path(base_path)
    base.prepare()
    hosts = worker_hosts.load(base)
    if name in hosts.hosts:
        raise Conflict(f"there is a worker host {name}; `kronk worker remove {name}` forgets it")
    is_first = worker_hosts.server_secret(base) is None or not base.workers_file.exists()
    secret = worker_hosts.server_secret(base, make=True)
    assert secret is not None
    token = curve.new_token(name, secret)
    row = WorkerHost(name, token.public, models)
    worker_hosts.save(base, replace(hosts, hosts={**hosts.hosts, name: row}))
    port = worker_hosts.port_of(hosts.control)
    print(f"token of {name}, shown only now:\n\n{token.text()}\n")
    print(f"on {name}:\n\n  export KRONK_WORKER_TOKEN=...   # the token")
    print(f"  kronk worker --connect tcp://THIS-HOST:{port}\n")
    print(f"Models go there with `worker: {name}` in the model configuration.")
    if is_first and read_lock(base).held:
        print("The server starts to listen for worker hosts when it is started again.")


@worker_app.command("list")
def list_hosts(as_json: AsJson = False, base_path: BasePathOption = None) -> None:
    """Show the hosts that may run workers for this server."""
    hosts = worker_hosts.load(find_base_path(base_path))
    if as_json:
        print(json.dumps([asdict(host) for host in hosts.hosts.values()]))
        return
    if not hosts.hosts:
        print("no worker hosts; `kronk worker add NAME` makes one known")
        return
    rows = [(host.name, str(host.models), host.key) for host in hosts.hosts.values()]
    print("\n".join(aligned(("NAME", "MODELS", "KEY"), rows)))


@worker_app.command()
def remove(name: Name, base_path: BasePathOption = None) -> None:
    """Forget a host: its token is worth nothing from then on."""
    base: BasePath = find_base_path(base_path)
    hosts = worker_hosts.load(base)
    if name not in hosts.hosts:
        known = ", ".join(hosts.hosts) or "none"
        raise NotFound(f"no worker host is called {name}; known: {known}", param="name")
    left = {key: host for key, host in hosts.hosts.items() if key != name}
    worker_hosts.save(base, replace(hosts, hosts=left))
    print(f"{name} is forgotten; new connections of it are refused")
