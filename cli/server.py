"""`kronk server start`, `stop`, `reload` and `logs`."""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated

import typer

from kronk.shared import exits, exposure, model_config, settings, tls
from kronk.shared.errors import InvalidArgument, ModelFailed, NotFound, ServerError
from kronk.shared.paths import BasePath
from kronk.shared.security import auth_host
from kronk.shared.units import parse_duration

from . import debugging, first_password, halt, launch, logs, service
from .client import find_base_path, running_server, server_facts
from .options import BasePathOption, WithSwitches, with_settings

# The server itself answers within 30 s.
_RELOAD_WITHIN = 40.0

server_app = typer.Typer(
    help="Start and stop the server, read its log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@server_app.command(cls=WithSwitches)
@with_settings
def start(
    flags: dict[str, str | None],
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Run in the background; return when ready.")
    ] = False,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="A server that already runs here is no error.")
    ] = False,
) -> None:
    """Start the server in this terminal, or with -d in the background."""
    resolved = settings.resolve(flags, os.environ)
    model_config.load_file(resolved.config_file)
    _warn_of_unknown_variables()
    _check_certificate(resolved)
    auth_host.check(resolved)
    base = resolved.base
    lock = halt.read_lock(base)
    if lock.held:
        _already_running(base, lock, reuse)
        return
    _warn_of_exposure(resolved)
    if resolved.mode != "open":
        first_password.make_and_tell(base)
        first_password.tell_of_token(resolved)
    if not detach:
        launch.in_foreground(resolved)
    try:
        admin = launch.detached(resolved)
    except launch.StartFailed as error:
        print(f"error: {error.message}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from error
    print(f"Kronk Model Server started\nAPI: {admin.url}\nLogs: kronk server logs -f")
    if debug := server_facts(base).get("debug"):
        print(f"Debug: http://{debug}")


def _already_running(base: BasePath, lock: halt.Lock, reuse: bool) -> None:
    address = server_facts(base).get("api", "an address it has not written down yet")
    said = f"already runs on {base.root}: process {lock.pid}, {address}"
    if reuse:
        print(f"Kronk {said}")
        return
    print(f"error: a server {said}; `kronk server stop` ends it", file=sys.stderr)
    raise typer.Exit(exits.ALREADY_RUNNING)


def _check_certificate(resolved: settings.Settings) -> None:
    if resolved.tls_cert is not None and resolved.tls_key is not None:
        shown = tls.identity(resolved.tls_cert, resolved.tls_key)
        tls.check_validity(shown, time.time())


def _warn_of_exposure(resolved: settings.Settings) -> None:
    # Sockets that a service manager passes are its administrator's; the log says what they are.
    listens = [] if os.environ.get("LISTEN_FDS") else [(resolved.api_host.host,)]
    debug = [] if resolved.debug_host is None else [(resolved.debug_host.host,)]
    for words in exposure.warnings(resolved, listens, debug):
        print(f"warning: {words}", file=sys.stderr)


def _warn_of_unknown_variables() -> None:
    for name, meant in settings.unknown_variables(os.environ):
        hint = f"; did you mean {meant}?" if meant else ""
        print(f"warning: {name} is not a setting of Kronk{hint}", file=sys.stderr)


@server_app.command()
def stop(
    base_path: BasePathOption = None,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Kill the server when it takes longer.")
    ] = "75s",
) -> None:
    """Stop the server; running answers may end first. A second Ctrl-C kills it."""
    try:
        seconds = parse_duration(timeout)
    except ValueError as error:
        raise InvalidArgument(f"--timeout: {error}, got {timeout!r}", param="timeout") from error
    print(halt.stop(find_base_path(base_path), seconds))


@server_app.command()
def reload(base_path: BasePathOption = None) -> None:
    """Read the model-config file again; what is wrong with it is said, and nothing changes.

    Models in use go on as before until their requests have ended. Settings given by flags or
    environment variables change with a restart only.
    """
    base = find_base_path(base_path)
    if not halt.read_lock(base).held:
        raise NotFound(f"Kronk is not running on {base.root}")
    admin = running_server(server_facts(base), base)
    if admin is None:
        raise ServerError("the server is just starting and has no address yet; try again")
    try:
        done = admin.post("/v1/kronk/reload", {}, timeout=_RELOAD_WITHIN)
    except ModelFailed as error:
        # A file that a model is to be loaded with is missing: the configuration is what is wrong.
        raise InvalidArgument(error.message) from error
    for line in reloaded(done["changed"], done["later"]):
        print(line)


@server_app.command(cls=WithSwitches)
@with_settings
def install_service(
    flags: dict[str, str | None],
    user: Annotated[
        bool, typer.Option("--user", help="A service of your own instead of the system's.")
    ] = False,
    socket: Annotated[
        bool, typer.Option("--socket", help="Let systemd listen, and pass the socket on.")
    ] = False,
    run_as: Annotated[
        str, typer.Option(metavar="USER", help="Whom the system's service runs as.")
    ] = "kronk",
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What the service is called.")
    ] = "kronk",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the files; write nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that somebody has changed.")
    ] = False,
) -> None:
    """Write a systemd unit for this installation, and say what it does and what to do next.

    Takes the flags of `kronk server start`; they become the service's.
    """
    wish = service.Wish(name, is_users=user, with_socket=socket, run_as=run_as)
    plan = service.plan(wish, flags, os.environ)
    if dry_run:
        for path, text in plan.files.items():
            print(f"# {path}\n{text}")
    else:
        service.check_rights(wish)
        for line in service.install(plan.files, force=force):
            print(line)
        print()
    for line in (*plan.explained, "", "Next:", *(f"  {command}" for command in plan.next)):
        print(line)
    if not service.is_running():
        print("\nThis machine does not run systemd; what is above is for one that does.")


server_app.command()(debugging.stacks)
server_app.command()(debugging.profile)


def reloaded(changed: list[str], later: list[str]) -> list[str]:
    """What a reload came to, in words."""
    if not changed and not later:
        return ["Nothing has changed for models that are loaded or in the model-config file."]
    lines = [f"Changed: {name}" for name in changed if name not in later]
    waiting = "in use, goes on as before until its requests have ended"
    return lines + [f"Changed: {name} ({waiting})" for name in later]


server_app.command()(logs.logs)
