"""What the process of a job tells of it."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.shared.jobs.child import Reporter, outcome, without_secrets
from kronk.shared.jobs.kinds import Cancelled
from kronk.shared.settings import resolve

SETTINGS = resolve({}, {})


class Told:
    """What was sent, at times that the test chooses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[tuple[str, int, int | None]] = []
        self.report = Reporter(self.send, lambda: self.now)

    def send(self, line: dict[str, Any]) -> None:
        told = line["progress"]
        self.lines.append((told["phase"], told["done"], told["total"]))


def test_progress_is_told_now_and_then_and_what_is_new_at_once() -> None:
    told = Told()
    for now, phase, done, total in (
        (0.0, "download", 0, 100),
        (0.01, "download", 10, 100),
        (0.09, "download", 20, 100),
        (0.2, "download", 30, 100),
        (0.21, "download", 100, 100),
        (0.22, "verify", 0, 100),
        (0.23, "verify", 5, 100),
        (0.24, "verify", 5, None),
    ):
        told.now = now
        told.report(phase, done, total)
    assert told.lines == [
        ("download", 0, 100),
        ("download", 30, 100),
        ("download", 100, 100),
        ("verify", 0, 100),
        ("verify", 5, None),
    ]


def test_what_was_held_back_is_told_by_a_flush_once() -> None:
    told = Told()
    told.report.flush()
    told.report("download", 0, 100)
    told.report("download", 7, 100)
    told.report.flush()
    told.report.flush()
    assert told.lines == [("download", 0, 100), ("download", 7, 100)]


def test_how_far_it_came_is_told_before_what_became_of_it() -> None:
    told = Told()

    def work(settings: object, params: object, progress: Reporter) -> dict[str, Any]:
        progress("download", 0, 100)
        progress("download", 7, 100)
        raise Cancelled

    assert outcome(lambda: work, SETTINGS, {}, told.report) == {"cancelled": True}
    assert told.lines[-1] == ("download", 7, 100)


def test_a_full_disk_has_a_code_of_its_own() -> None:
    def work(*_: object) -> dict[str, Any]:
        raise OSError(28, "No space left on device", "/models/a.part")

    found = outcome(lambda: work, SETTINGS, {}, Told().report)
    assert found["error"]["code"] == "disk_full"
    assert found["error"]["message"] == "/models/a.part: No space left on device"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing", "nothing"),
        ("with hf_secret in it", "with *** in it"),
        ("for url 'https://h/a.gguf?sig=1&b=2'", "for url 'https://h/a.gguf'"),
        ("https://h/a?x#y and http://i/b#z?", "https://h/a and http://i/b"),
        ("why? because", "why? because"),
    ],
)
def test_keys_are_taken_out_of_what_libraries_say(text: str, expected: str) -> None:
    assert without_secrets(["hf_secret"], text) == expected
