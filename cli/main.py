"""The `kronk` command: which sub-commands there are, and what an error looks like."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import kronk
from kronk.shared import exits
from kronk.shared.errors import InvalidArgument, KronkError

# Set by the shell when it asks what may come next.
_COMPLETE = "_KRONK_COMPLETE"
_SHOW_WHERE = "KRONK_LOG_LEVEL=debug shows where"

# Name: module, its Typer app, help. Imported when used, so that `kronk --help` is quick.
COMMANDS = {
    "server": ("server", "server_app", "Start and stop the server, read its log."),
    "run": ("run", "run_app", "Chat with a model of the running server."),
    "ps": ("ps", "ps_app", "Show the loaded models and their processes."),
    "model": ("model", "model_app", "List, fetch, load and unload models."),
    "libs": ("libs", "libs_app", "List, install and remove builds of llama.cpp."),
    "catalog": ("catalog", "catalog_app", "Find and fetch models."),
    "push": ("push", "push_app", "Bring a model to another Kronk, or to the hub."),
    "security": ("security", "security_app", "Keys, tokens, policies, usage; who did what."),
    "jobs": ("jobs", "jobs_app", "List, watch and cancel downloads and other long work."),
    "config": ("config", "config_app", "Check and show the settings of models."),
    "batch": ("batch", "batch_app", "List, show and cancel batches of requests."),
    "worker": ("worker", "worker_app", "Run models of a server on another host."),
    "completion": ("completion", "completion_app", "Teach the shell to complete commands."),
    "bench": ("bench", "bench_app", "Measure how fast models are, here and next to others."),
    "doctor": ("doctor", "doctor_app", "Check this machine and say what to do."),
    "diagnose": ("diagnose", "diagnose_app", "Write a report for a bug ticket."),
}


class _Commands(TyperGroup):
    """Loads a sub-command's module when it is called; help texts come from the table."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args[0] in COMMANDS:
            return args[0], load(args[0]), args[1:]
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    module, attribute, _ = COMMANDS[name]
    loaded = importlib.import_module(f"kronk.cli.{module}")
    command = typer.main.get_command(getattr(loaded, attribute))
    return _completing().attach(command, name) if _COMPLETE in os.environ else command


def _completing() -> Any:
    # What it needs, no command does.
    return importlib.import_module("kronk.cli.completing")


app = typer.Typer(
    cls=_Commands,
    name="kronk",
    help="Kronk serves local GGUF models, each in a process of its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _announce(name: str, summary: str) -> None:
    """Registers the name, for the list in `kronk --help` and for "did you mean"."""

    @app.command(name, help=summary)
    def listed() -> None:
        raise AssertionError("resolve_command loads the real one")


for _name, (_, _, _summary) in COMMANDS.items():
    _announce(_name, _summary)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"kronk {kronk.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script: runs a command; an error is one line, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that is not UTF-8 shows a question mark, and not our end.
            stream.reconfigure(errors="replace")
    code = _call()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _pipe_closed()
    sys.exit(code)


def _call() -> int:
    if _COMPLETE in os.environ:
        _completing().prepare()
    try:
        result = app(prog_name="kronk", standalone_mode=False)
    except typer.TyperException as error:
        return _usage(error)
    except KronkError as error:
        return _fail(error.message, exits.USAGE if isinstance(error, InvalidArgument) else 1)
    except (KeyboardInterrupt, typer.Abort):
        return exits.INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    except Exception as error:
        if os.environ.get("KRONK_LOG_LEVEL") == "debug":
            traceback.print_exc()
        return _fail(f"a bug in Kronk: {type(error).__name__}: {error}; {_SHOW_WHERE}", 1)
    return result if isinstance(result, int) else exits.OK


def _usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        return exits.USAGE
    hint = f"; see `{context.command_path} --help`" if context else ""
    return _fail(error.format_message().rstrip(".") + hint, error.exit_code)


def _fail(message: str, code: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _pipe_closed() -> int:
    # `kronk ps | head -1`: nobody reads on, and the interpreter's last flush must not say so.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


if __name__ == "__main__":
    main()
