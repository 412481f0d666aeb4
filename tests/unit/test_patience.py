"""When a failed try is repeated, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kronk.shared.models.fetching import FetchFailed
from kronk.shared.models.patience import Again, Patience, asked_wait

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

WAITS = {
    "120": 120.0,
    " 7 ": 7.0,
    "0": 0.0,
    "Fri, 02 Jan 2026 03:05:05 GMT": 60.0,
    "Fri, 02 Jan 2026 03:05:05 -0000": 60.0,
    "Fri, 02 Jan 2026 03:04:00 GMT": 0.0,
    "": None,
    "soon": None,
    "-3": None,
    "1.5": None,
}


@pytest.mark.parametrize(("text", "seconds"), WAITS.items())
def test_a_server_asks_in_seconds_or_with_a_date(text: str, seconds: float | None) -> None:
    assert asked_wait(text, NOW) == seconds


def test_a_server_that_does_not_ask_is_not_waited_for() -> None:
    assert asked_wait(None) is None


def pauses(chance: float, failures: int) -> list[float]:
    noted: list[float] = []
    tries = Patience(noted.append, lambda: chance, most=(failures, 0)).tries("m")
    for _ in range(failures):
        tries.failed(Again("no"))
    return noted


def test_pauses_double_up_to_a_minute_and_differ_between_clients() -> None:
    assert pauses(1.0, 8) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pauses(0.0, 3) == [0.5, 1, 2]


def test_new_bytes_begin_the_count_anew_and_bytes_had_before_do_not() -> None:
    noted: list[float] = []
    tries = Patience(noted.append, lambda: 1.0, most=(1, 1)).tries("m", reached=10)
    tries.failed(Again("no"), reached=10)
    tries.failed(Again("no"), reached=11)
    with pytest.raises(FetchFailed, match="m: broken; gave up after 2 tries"):
        tries.failed(Again("broken"), reached=11)
    assert noted == [1, 1]
