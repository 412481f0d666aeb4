"""`kronk jobs`: downloads and other long work of a running server."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from kronk.shared.errors import Internal
from kronk.shared.units import format_bytes, format_duration

from .client import Admin, find_server
from .columns import aligned
from .following import JOBS, OVER, Job, known, path_of
from .job_screen import share
from .local import AsJson
from .options import ApiHost, BasePathOption
from .working import Where, conclude, watched

jobs_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

All = Annotated[
    bool, typer.Option("--all", "-a", help="Also those that ended more than a day ago.")
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="As `kronk jobs` shows it.")]

_HEADS = ("ID", "KIND", "WHAT", "STATE", "PROGRESS", "RATE", "ETA", "AGE")
_NONE = "-"
_RECENT = 86_400.0


@jobs_app.callback(invoke_without_command=True)
def jobs(
    context: typer.Context,
    show_all: All = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """List, watch and cancel downloads and other long work; without a command, list."""
    if context.invoked_subcommand is None:
        list_jobs(show_all, as_json, api_host, base_path)


@jobs_app.command("list")
def list_jobs(
    show_all: All = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the jobs, the newest first."""
    admin, now = find_server(api_host, base_path), time.time()
    answer = admin.get(JOBS)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise Internal(f"{admin.url} answered {JOBS} in a form this version cannot read")
    found = [job for job in answer["data"] if show_all or _is_recent(known(admin, job), now)]
    if as_json:
        print(json.dumps(found))
    elif not found:
        print("there are no jobs" if show_all else "there are no jobs; --all shows older ones")
    else:
        print("\n".join(aligned(_HEADS, [row(job, now) for job in found])))


@jobs_app.command()
def show(
    job_id: JobId,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show one job: how far it is, or what has become of it."""
    job = _get(find_server(api_host, base_path), job_id)
    print(json.dumps(job) if as_json else "\n".join(page(job, time.time())))


@jobs_app.command()
def watch(
    job_id: JobId,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Watch a job to its end; Ctrl-C ends the watching alone."""
    _follow(job_id, Where(as_json=as_json, api_host=api_host, base_path=base_path), quiet=False)


@jobs_app.command()
def wait(
    job_id: JobId,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Wait for the end of a job, in silence; the exit code says what became of it."""
    _follow(job_id, Where(as_json=as_json, api_host=api_host, base_path=base_path), quiet=True)


@jobs_app.command()
def cancel(
    job_id: JobId,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """End a job; what it has fetched is kept, and the next one for the same goes on from it."""
    admin = find_server(api_host, base_path)
    job = known(admin, admin.post(path_of(job_id, "/cancel"), {}, timeout=10.0))
    print(json.dumps(job) if as_json else f"{job['id']} is {job['state']}")


def _follow(job_id: str, where: Where, *, quiet: bool) -> None:
    # One that is not there, or has no server, is said at once and not waited for.
    _get(find_server(where.api_host, where.base_path), job_id)
    job = watched(lambda: find_server(where.api_host, where.base_path), job_id, quiet=quiet)
    conclude(job, where, lambda result: "\n".join(_pairs(result)))


def _get(admin: Admin, job_id: str) -> Job:
    return known(admin, admin.get(path_of(job_id)))


def _is_recent(job: Job, now: float) -> bool:
    return job["state"] not in OVER or now - (job["ended"] or 0.0) <= _RECENT


def row(job: Job, now: float) -> Sequence[str]:
    """A line of the list."""
    return (
        job["id"],
        job["kind"],
        job["title"].removeprefix(f"{job['kind']} "),
        job["state"],
        _progress(job),
        _NONE if job["rate"] is None else f"{format_bytes(job['rate'])}/s",
        _NONE if job["eta"] is None else format_duration(math.ceil(job["eta"])),
        format_duration(math.floor(max(now - job["created"], 0.0))),
    )


def _progress(job: Job) -> str:
    if job["phase"] is None:
        return _NONE
    return f"{job['phase']} {share(job['done_bytes'], job['total_bytes'])}"


def page(job: Job, now: float) -> Iterator[str]:
    """All of a job, for people."""
    _, _, what, state, progress, rate, eta, age = row(job, now)
    rows = [
        ("kind", job["kind"]),
        ("what", what),
        ("state", state),
        ("progress", progress),
        ("rate", rate),
        ("eta", eta),
        ("age", age),
        ("attempts", str(job["attempts"])),
    ]
    for step in ("created", "started", "ended", "retry_at"):
        if (at := job[step]) is not None:
            words = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
            rows.append((step.replace("_", " "), words))
    if job["error"] is not None:
        rows.append(("error", f"{job['error']['message']} ({job['error']['code']})"))
    rows += [(name, str(value)) for name, value in (job["result"] or {}).items()]
    _, *found = aligned(("", ""), [(f"  {name}", value) for name, value in rows])
    yield job["id"]
    yield from found


def _pairs(result: dict[str, Any]) -> Iterator[str]:
    for name, value in result.items():
        yield f"{name}: {value}"
