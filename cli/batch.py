"""`kronk batch`: the batches of a running server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from kronk.shared.errors import Internal
from kronk.shared.units import format_duration

from .client import Admin, find_server, in_path
from .columns import aligned
from .options import ApiHost, BasePathOption

batch_app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

AsJson = Annotated[bool, typer.Option("--json", help="JSON as the API has it, for scripts.")]
BatchId = Annotated[str, typer.Argument(metavar="ID", help="As `kronk batch list` shows it.")]

_HEADS = ("BATCH", "STATUS", "ENDPOINT", "MODEL", "DONE", "FAILED", "TOTAL", "AGE")
# In the order they may come in.
_STEPS = (
    "created",
    "in_progress",
    "finalizing",
    "cancelling",
    "completed",
    "failed",
    "expired",
    "cancelled",
)
_NONE = "-"


@batch_app.command("list")
def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 20,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the batches, the newest first."""
    admin = find_server(api_host, base_path)
    batches = _known(admin, admin.get(f"/v1/batches?limit={limit}"), "data")["data"]
    if as_json:
        print(json.dumps(batches))
    elif not batches:
        print("there are no batches")
    else:
        print("\n".join(aligned(_HEADS, [row(batch, time.time()) for batch in batches])))


@batch_app.command()
def show(
    batch_id: BatchId,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show one batch: how far it is, its files, and what is wrong with its input."""
    admin = find_server(api_host, base_path)
    batch = _known(admin, admin.get(f"/v1/batches/{in_path(batch_id, 'batch')}"), "status")
    print(json.dumps(batch) if as_json else "\n".join(page(batch)))


@batch_app.command()
def cancel(batch_id: BatchId, api_host: ApiHost = None, base_path: BasePathOption = None) -> None:
    """Stop a batch; what was answered by then is kept."""
    admin = find_server(api_host, base_path)
    path = f"/v1/batches/{in_path(batch_id, 'batch')}/cancel"
    batch = _known(admin, admin.post(path, {}, timeout=10.0), "status")
    print(f"{batch['id']} is {batch['status']}")


def _known(admin: Admin, answer: Any, key: str) -> dict[str, Any]:
    if not isinstance(answer, dict) or key not in answer:
        raise Internal(f"{admin.url} answered /v1/batches in a form this version cannot read")
    return answer


def row(batch: dict[str, Any], now: float) -> Sequence[str]:
    """A line of the list."""
    counts = batch["request_counts"]
    return (
        batch["id"],
        batch["status"],
        batch["endpoint"],
        batch["model"] or _NONE,
        str(counts["completed"]),
        str(counts["failed"]),
        str(counts["total"]),
        format_duration(max(now - batch["created_at"], 0.0)),
    )


def page(batch: dict[str, Any]) -> Iterator[str]:
    """All of a batch, for people."""
    counts = batch["request_counts"]
    rows = [
        ("status", batch["status"]),
        ("endpoint", batch["endpoint"]),
        ("model", batch["model"] or _NONE),
        (
            "requests",
            f"{counts['completed']} answered, {counts['failed']} failed, {counts['total']} in all",
        ),
        *((name, batch[f"{name}_file_id"] or _NONE) for name in ("input", "output", "error")),
        *((name, str(value)) for name, value in (batch["metadata"] or {}).items()),
    ]
    for step in _STEPS:
        if (at := batch[f"{step}_at"]) is not None:
            rows.append((step, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))))
    _, *lines = aligned(("", ""), [(f"  {name}", value) for name, value in rows])
    yield batch["id"]
    yield from lines
    for error in (batch["errors"] or {"data": ()})["data"]:
        where = "" if error["line"] is None else f"line {error['line']}: "
        yield f"  {where}{error['message']} ({error['code']})"
