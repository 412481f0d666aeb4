"""What `kronk jobs` and commands that wait for a job show, and how they find a server again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import typer
from rich.console import Console

from kronk.cli import working
from kronk.cli.client import NoServer
from kronk.cli.following import follow
from kronk.cli.job_screen import Seen, line, lines, report_to, seen_of
from kronk.cli.jobs import page, row
from kronk.cli.working import Where, conclude
from kronk.gateway.jobs.records import Fault, Job, State, job_object
from kronk.shared import exits
from kronk.shared.errors import NotFound, Overloaded, ServerError

JOB = Job(
    "job-1",
    "pull",
    {"wanted": "Qwen"},
    "pull Qwen",
    "pull:Qwen",
    1000.0,
    state=State.RUNNING,
    started=1001.0,
    attempts=1,
    phase="download",
    done_bytes=50 * 2**20,
    total_bytes=100 * 2**20,
    rate=5 * 2**20,
    eta=10.0,
)


def seen(**changes: Any) -> dict[str, Any]:
    return job_object(replace(JOB, **changes))


DONE = seen(state=State.DONE, ended=1060.0, rate=None, eta=None, result={"path": "/m/a.gguf"})
RESTING = {
    "state": State.QUEUED,
    "error": Fault("fetch_failed", "no line"),
    "not_before": 1064.5,
}


def test_a_job_is_one_line_of_the_list() -> None:
    expected = ("job-1", "pull", "Qwen", "running", "download 50% of 100 MiB", "5.0 MiB/s", "10s")
    assert row(seen(), 1090.0) == (*expected, "1m30s")
    assert row(seen(phase=None, rate=None, eta=None), 1000.0)[4:] == ("-", "-", "-", "0s")


def test_a_page_has_what_became_of_a_job() -> None:
    words = [" ".join(text.split()) for text in page(DONE, 1090.0)]
    assert words[0] == "job-1"
    assert "path /m/a.gguf" in words
    assert "error no line (fetch_failed)" in [
        " ".join(text.split()) for text in page(seen(**RESTING), 1060.0)
    ]


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (seen(), "download 50% of 100 MiB, 5.0 MiB/s, 10s left"),
        (seen(rate=None, eta=None, total_bytes=None), "download 50 MiB"),
        (seen(phase=None), None),
        (seen(state=State.QUEUED), "waiting for other jobs"),
        (seen(**RESTING), "no line; tried again in 5 s"),
        (seen(**RESTING | {"not_before": 1000.0}), "no line; tried again"),
        (DONE, "download 50% of 100 MiB"),
        (seen(state=State.FAILED), None),
        (seen(state=State.CANCELLED), None),
    ],
)
def test_what_is_shown_of_a_job(job: dict[str, Any], expected: str | None) -> None:
    found = seen_of(job, 1060.0)
    assert (None if found is None else line(found)) == expected


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [
        (0, 1000, "download 0% of 1000 B"),
        (999, 1000, "download 99% of 1000 B"),
        (1000, 1000, "download 100% of 1000 B"),
        (1000, None, "download 1000 B"),
        (0, 0, "download 0 B"),
    ],
)
def test_a_line_of_progress(done: int, total: int | None, expected: str) -> None:
    assert line(Seen("download", done, total)) == expected


def test_without_a_terminal_a_line_is_printed_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = [0.0]
    show = lines(Console(highlight=False), lambda: clock[0])
    report = report_to(show, lambda: clock[0])
    for clock[0], phase, done in (
        (0.0, "download", 0),
        (1.0, "download", 10),
        (4.0, "download", 40),
        (5.0, "download", 100),
        (5.1, "verify", 0),
        (5.2, "verify", 100),
    ):
        report(phase, done, 100)
    show(Seen("waiting for other jobs", is_waiting=True))
    show(Seen("waiting for other jobs", is_waiting=True))
    assert [text.partition(",")[0] for text in capsys.readouterr().out.splitlines()] == [
        "download 0% of 100 B",
        "download 40% of 100 B",
        "download 100% of 100 B",
        "verify 0% of 100 B",
        "verify 100% of 100 B",
        "waiting for other jobs",
    ]


class Scripted:
    """A server: for each time that it is asked, lines of a stream, or what the attempt raises."""

    url = "http://there"

    def __init__(self, *turns: list[dict[str, Any]] | Exception) -> None:
        self.turns = list(turns)
        self.now = 0.0
        self.pauses: list[float] = []

    def find(self) -> Any:
        return self

    @contextmanager
    def events(self, path: str) -> Iterator[Iterator[str]]:
        assert path == "/v1/kronk/jobs/job-1/events"
        turn = self.turns.pop(0) if self.turns else NoServer(self.url)
        if isinstance(turn, Exception):
            raise turn
        yield (
            text for job in turn for text in (": keep-alive", "", f"data: {json.dumps(job)}", "")
        )

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)

    def follow(self) -> tuple[dict[str, Any], list[str]]:
        shown: list[str] = []
        job = follow(
            self.find,
            "job-1",
            lambda job: shown.append(job["state"]),
            clock=lambda: self.now,
            pause=self.pause,
        )
        return job, shown


def test_a_job_is_followed_to_its_end() -> None:
    server = Scripted([seen(), seen(), DONE])
    assert server.follow() == (DONE, ["running", "running", "done"])
    assert server.pauses == []


def test_a_server_that_is_started_again_is_found_again() -> None:
    server = Scripted(
        [seen()], ServerError("broke"), NoServer("x"), Overloaded("draining"), [seen(), DONE]
    )
    assert server.follow() == (DONE, ["running", "running", "done"])
    assert len(server.pauses) == 4


def test_a_server_that_stays_away_is_given_up_and_the_job_goes_on_without_us() -> None:
    with pytest.raises(ServerError, match="job-1 goes on when it is started"):
        Scripted([seen()]).follow()


def test_a_job_that_is_not_there_is_no_broken_line() -> None:
    server = Scripted([seen()], NotFound("job_id: there is no job"))
    with pytest.raises(NotFound):
        server.follow()


@pytest.mark.parametrize(
    ("job", "code", "out"),
    [
        (DONE, None, "/m/a.gguf\n"),
        (seen(state=State.CANCELLED), exits.JOB_CANCELLED, ""),
    ],
)
def test_the_end_of_a_job_is_the_end_of_its_command(
    job: dict[str, Any], code: int | None, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if code is None:
        conclude(job, Where(), lambda result: str(result["path"]))
    else:
        with pytest.raises(typer.Exit) as caught:
            conclude(job, Where(), str)
        assert caught.value.exit_code == code
    assert capsys.readouterr().out == out


def test_a_job_that_failed_is_an_error_and_for_scripts_its_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = seen(state=State.FAILED, error=Fault("not_found", "no such file"))
    with pytest.raises(ServerError, match="no such file"):
        conclude(failed, Where(), str)
    with pytest.raises(typer.Exit) as caught:
        conclude(failed, Where(as_json=True), str)
    assert caught.value.exit_code == 1
    assert json.loads(capsys.readouterr().out) == failed


def test_ctrl_c_says_how_to_watch_and_how_to_end_what_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(working, "follow", interrupted)
    with pytest.raises(typer.Exit) as caught:
        working.watched(Scripted().find, "job-1")
    assert caught.value.exit_code == exits.INTERRUPTED
    said = capsys.readouterr().err
    assert "kronk jobs watch job-1" in said
    assert "kronk jobs cancel job-1" in said
