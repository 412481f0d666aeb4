"""Jobs of the server as commands see them: begun, followed to their end, and read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kronk.shared import exits
from kronk.shared.errors import Internal, ServerError

from . import sse
from .client import Admin, NoServer, in_path

JOBS = "/v1/kronk/jobs"
OVER = ("done", "failed", "cancelled")
EXIT = {"done": exits.OK, "failed": 1, "cancelled": exits.JOB_CANCELLED}
# A server that is started again is back by then; what goes on in it does so without us.
_PATIENCE, _PAUSE = 120.0, 1.0

Job = dict[str, Any]


def path_of(job_id: str, action: str = "") -> str:
    """The route about one job."""
    return f"{JOBS}/{in_path(job_id, 'job')}{action}"


def begin(admin: Admin, kind: str, params: dict[str, Any]) -> Job:
    """A job that does it, new or not; without a server the error names `--local`."""
    try:
        return known(admin, admin.post(JOBS, {"kind": kind, "params": params}, timeout=30.0))
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to do it without one") from error


def known(admin: Admin, job: Any) -> Job:
    """The answer, if it is a job."""
    if not isinstance(job, dict) or not {"id", "state", "phase", "done_bytes"} <= job.keys():
        raise Internal(f"{admin.url} answered {JOBS} in a form this version cannot read")
    return job


def follow(
    find: Callable[[], Admin],
    job_id: str,
    show: Callable[[Job], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Job:
    """The job at its end; `show` gets each word of it. A server that is started again is waited
    for, and found where it is then."""
    lost: float | None = None
    while True:
        try:
            admin = find()
            with admin.events(path_of(job_id, "/events")) as lines:
                for job in (known(admin, event) for event in sse.objects(lines)):
                    lost = None
                    show(job)
                    if job["state"] in OVER:
                        return job
        # What the server itself refuses is an error of the caller's, and not caught.
        except ServerError as error:
            if isinstance(error, Internal):
                raise
        lost = lost if lost is not None else clock()
        if clock() - lost > _PATIENCE:
            raise ServerError(
                f"the server is gone for {_PATIENCE:.0f} s; job {job_id} goes on when it is started"
            )
        pause(_PAUSE)
