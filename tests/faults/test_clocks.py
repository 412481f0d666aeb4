"""No deadline hangs on the wall clock, which steps: only what is shown to people reads it.

The clock of a machine that others use cannot be set in a test. What is shown instead is that no
code of ours that decides anything can see it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.matrix import Row, record

ROOT = Path(__file__).parents[2]
PARTS = ("cli", "gateway", "sdk", "shared", "supervisor", "worker")
WALL = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
# Who may read the wall clock, and what for. None of these measures how long something took or
# decides when something is over, but for what outlives the process, where there is no other clock.
ALLOWED: dict[str, str] = {
    "cli/batch.py": "shown to people",
    "cli/bench_page.py": "shown to people",
    "cli/history.py": "shown to people",
    "cli/jobs.py": "shown to people",
    "cli/logs.py": "which lines are not older than was asked for",
    "cli/model.py": "shown to people",
    "cli/server.py": "whether a certificate is valid",
    "cli/security_desk.py": "when tokens begin and end, over restarts",
    "cli/security_usage.py": "which day, month and year is now",
    "cli/statistics.py": "shown to people",
    "cli/working.py": "shown to people",
    "gateway/access/build.py": "whether the operator's own token has expired",
    "gateway/access/delegation/build.py": "whether our own token expires soon",
    "gateway/access/delegation/central.py": "the same: which window a call is in",
    "gateway/access/delegation/limits.py": "when a calendar window of limits is over",
    "gateway/access/delegation/identities.py": "the end of a token, which is a time of day",
    "gateway/access/delegation/remote_calls.py": "calendar windows, in which limits count",
    "gateway/access/policy/policy.py": "tokens that expire on a date",
    "gateway/access/known.py": "tokens that expire on a date",
    "gateway/access/limits.py": "the day, month or year that a call counts in",
    "gateway/access/logins.py": "when a password may be tried again, over restarts",
    "gateway/access/refusals.py": "is given the moment",
    "gateway/access/sessions.py": "logins that expire after hours, over restarts",
    "gateway/batches/names.py": "names that sort by age",
    "gateway/batches/runner.py": "files that expire after days, over restarts",
    "gateway/batches/store.py": "records that expire after days, over restarts",
    "gateway/batches/upload.py": "the same",
    "gateway/batches/work.py": "a batch's window of 24 hours, over restarts",
    "gateway/benchmarks/runs.py": "when a benchmark was begun and ended, for people",
    "gateway/debug/board.py": "shown to people",
    "gateway/edge/certificate.py": "whether a certificate is valid",
    "gateway/jobs/runner.py": "when a failed job is tried again, over restarts",
    "gateway/library/conversation_store.py": "shown to people: when a conversation was changed",
    "gateway/library/exporting.py": "is given the moment",
    "gateway/library/notes.py": "shown to people: when a note was changed",
    "gateway/library/prompt_store.py": "shown to people: when a prompt was changed",
    "gateway/live/collector.py": "shown to people",
    "gateway/live/hub.py": "the end of a token, which is a time of day",
    "gateway/jobs/store.py": "records that expire after days, over restarts",
    "gateway/operations.py": "`created` of answers",
    "gateway/responses/store.py": "records that expire after days, over restarts",
    "gateway/routes/files.py": "the same",
    "gateway/routes/logs.py": "which lines are not older than was asked for",
    "gateway/routes/ollama.py": "`created_at` of answers",
    "gateway/routes/usage.py": "which day, month and year is now",
    "gateway/run.py": "shown to people: when a request came, in traces",
    "gateway/routes/ollama_models.py": "`expires_at` of models, as Ollama shows it",
    "gateway/routes/security.py": "when tokens begin and end, over restarts",
    "gateway/telemetry/metrics/metrics.py": "how long the server is up, for people",
    "gateway/telemetry/statistics.py": "when a model was used, over restarts",
    "gateway/tracing/tracing.py": "when spans began, for people and for other hosts",
    "shared/benchmark/run.py": "when a benchmark was, in its name and in a list of them",
    "shared/libraries/install.py": "when a build was installed",
    "shared/libraries/proof.py": "when a build was tried",
    "shared/log.py": "log lines",
    "shared/models/facts.py": "the name of what is put aside",
    "shared/models/hashing.py": "when a file was verified",
    "shared/models/patience.py": "another server's Retry-After may be a date",
    "shared/repositories/folder.py": "when a repository was fetched",
    "shared/telemetry/statistics_table.py": "since when statistics are kept, over restarts",
    "shared/security/upkeep.py": "counts that are kept for a year, over restarts",
    "shared/security/windows.py": "is given the moment",
    "supervisor/boot.py": "the name of what is put aside",
    "supervisor/chronicle.py": "the history, which is read by people",
    "supervisor/server.py": "when the server started, for people",
    "worker/cache/disk.py": "how old a file is, by its own time stamp",
    "worker/inspection.py": "shown to people: when a request came, in traces",
    "worker/pooled/prepare.py": "shown to people: when a request came, in traces",
    "worker/prepare.py": "shown to people: when a request came, in traces",
}


def reads() -> Iterator[tuple[str, int]]:
    """Files and lines that read the wall clock."""
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    if (node.value.id, node.attr) in WALL:
                        yield str(path.relative_to(ROOT)), node.lineno
                elif isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
                    # Imported by itself it would not be seen above.
                    assert not {"time", "time_ns"} & {alias.name for alias in node.names}, path


def test_only_these_files_read_the_wall_clock() -> None:
    found = {path for path, _ in reads()}
    assert found == set(ALLOWED), sorted(reads())
    record(Row("clock steps", "all code", f"{len(found)} files read it, none for a deadline", {}))


@pytest.mark.parametrize("part", PARTS)
def test_a_sleep_of_ours_is_never_until_a_time_of_day(part: str) -> None:
    words = ("CLOCK_REALTIME", "call_at(time.time", "timer_settime")
    for path in (ROOT / part).rglob("*.py"):
        text = path.read_text("utf-8")
        assert not [word for word in words if word in text], path
