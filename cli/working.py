"""Long work that a command asks for: a job of the server's, or done here with `--local`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console

from kronk.shared import exits
from kronk.shared.errors import InvalidArgument, ServerError
from kronk.shared.jobs.kinds import kind_of
from kronk.shared.security import audit

from .client import Admin, find_server
from .following import EXIT, Job, begin, follow
from .job_screen import report_to, screen, seen_of
from .local import local_settings

Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Do not wait: print the job's id and return.")
]


@dataclass(frozen=True, slots=True)
class Where:
    """Where the work is to be done, and what the command shows of it."""

    local: bool = False
    detach: bool = False
    as_json: bool = False
    api_host: str | None = None
    base_path: str | None = None


def carry_out(
    where: Where, kind: str, params: dict[str, Any], words: Callable[[dict[str, Any]], str]
) -> dict[str, Any] | None:
    """Have a job of that kind done, show how far it is, and print what `words` makes of its result.

    Ends the command with the code for what became of it, unless it is done; then the result is
    returned, too. None: it is not waited for.
    """
    if where.local:
        result = _here(where, kind, params)
        print(json.dumps({"state": "done", "result": result}) if where.as_json else words(result))
        return result
    job = begin(find_server(where.api_host, where.base_path), kind, params)
    if where.detach:
        print(json.dumps(job) if where.as_json else job["id"])
        return None
    if job.get("joined"):
        _say(f"joined job {job['id']}, which does that already")
    job = watched(lambda: find_server(where.api_host, where.base_path), job["id"])
    conclude(job, where, words)
    return job["result"] or {}


def watched(find: Callable[[], Admin], job_id: str, *, quiet: bool = False) -> Job:
    """The job at its end; Ctrl-C ends the watching alone."""
    console = Console(stderr=True, highlight=False, quiet=quiet)
    try:
        with screen(console) as show:

            def show_job(job: Job) -> None:
                seen = seen_of(job, time.time())
                if seen is not None:
                    show(seen)

            return follow(find, job_id, show_job)
    except KeyboardInterrupt:
        _say(
            f"the job goes on in the server: `kronk jobs watch {job_id}` shows it, "
            f"`kronk jobs cancel {job_id}` ends it"
        )
        raise typer.Exit(exits.INTERRUPTED) from None


def conclude(job: Job, where: Where, words: Callable[[dict[str, Any]], str]) -> None:
    """Say what became of a job, and end the command with the code for it."""
    if where.as_json:
        print(json.dumps(job))
    elif job["state"] == "done":
        print(words(job["result"] or {}))
    elif job["state"] == "failed":
        raise ServerError(str(job["error"]["message"]))
    else:
        _say(f"job {job['id']} was cancelled; what it has fetched is kept")
    if job["state"] != "done":
        raise typer.Exit(EXIT[job["state"]])


def _here(where: Where, name: str, params: dict[str, Any]) -> dict[str, Any]:
    if where.detach:
        raise InvalidArgument(
            "--detach leaves the work to the server, and --local does without it", param="detach"
        )
    chosen, kind = local_settings(where.base_path), kind_of(name)
    kind.validate(params)
    kind.check_early(chosen, params)
    with (
        audit.by_operator(chosen.base, name, kind.titled(params)),
        screen(Console(stderr=True, highlight=False)) as show,
    ):
        return kind.function()(chosen, params, report_to(show))


def _say(words: str) -> None:
    print(words, file=sys.stderr)
