"""What was measured counts from then on, and its file may be damaged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.sizing.learned import (
    LEAST_CORRECTION,
    MOST_CORRECTION,
    MOST_LOADS,
    Learned,
    Load,
)

ONE, OTHER = Load("file", "one"), Load("file", "other")
STRANGER = Load("stranger", "third")


def test_a_measured_load_takes_what_it_took() -> None:
    book = Learned()
    assert book.expect(ONE, {"host": 100}) == {"host": 100}
    book.measured(ONE, {"host": 130, "gpu0": 5}, {"host": 100})
    assert book.expect(ONE, {"host": 100}) == {"host": 130, "gpu0": 5}
    # A later one is better known.
    book.measured(ONE, {"host": 90}, {"host": 100})
    assert book.expect(ONE, {"host": 100}) == {"host": 90}


@pytest.mark.parametrize(
    ("taken", "factor"),
    [(120, 1.2), (90, 0.9), (1000, MOST_CORRECTION), (1, LEAST_CORRECTION), (0, 1.0)],
)
def test_another_configuration_of_the_model_is_corrected_within_bounds(
    taken: int, factor: float
) -> None:
    book = Learned()
    book.measured(ONE, {"host": taken}, {"host": 100})
    assert book.expect(OTHER, {"host": 200, "gpu0": 10}) == {
        "host": int(200 * factor),
        "gpu0": int(10 * factor),
    }
    assert book.expect(STRANGER, {"host": 200}) == {"host": 200}


def test_growth_counts_and_shrinking_does_not() -> None:
    book = Learned()
    book.measured(ONE, {"host": 100, "gpu0": 7}, {"host": 100})
    book.grew(ONE, "host", 90)
    assert book.expect(ONE, {}) == {"host": 100, "gpu0": 7}
    book.grew(ONE, "host", 150)
    assert book.expect(ONE, {}) == {"host": 150, "gpu0": 7}
    book.grew(STRANGER, "host", 150)
    assert book.expect(STRANGER, {"host": 1}) == {"host": 1}


def test_the_book_outlives_its_server_and_is_bounded() -> None:
    book = Learned()
    for number in range(MOST_LOADS + 10):
        book.measured(Load(f"f{number}", f"w{number}"), {"host": number + 1}, {"host": 1000})
    again = Learned()
    assert again.read(book.to_json())
    assert again.to_json() == book.to_json()
    assert len(json.loads(again.to_json())["loads"]) == MOST_LOADS
    assert again.expect(Load("f0", "w0"), {"host": 5}) == {"host": 5}
    assert again.expect(Load("f20", "w20"), {"host": 5}) == {"host": 21}
    assert again.saved == again.version


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version": 1}',
        b'{"version": 1, "loads": []}',
        b'{"version": 1, "loads": {"a": 1}}',
        b'{"version": 1, "loads": {"a": {"files": 1, "taken": {}, "predicted": {}}}}',
        b'{"version": 1, "loads": {"a": {"files": "f", "taken": {"host": -1}, "predicted": {}}}}',
        b'{"version": 1, "loads": {"a": {"files": "f", "taken": {"host": true}, "predicted": {}}}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_damage_is_noticed_and_costs_only_what_it_hit(text: bytes) -> None:
    book = Learned()
    assert not book.read(text)
    assert book.expect(Load("f", "a"), {"host": 3}) == {"host": 3}


def test_what_is_sound_beside_damage_is_kept() -> None:
    book = Learned()
    book.measured(ONE, {"host": 130}, {"host": 100})
    document = json.loads(book.to_json())
    document["loads"]["bad"] = {"files": "x"}
    again = Learned()
    assert not again.read(json.dumps(document).encode())
    assert again.expect(ONE, {}) == {"host": 130}


def test_a_later_version_of_the_file_is_left_alone() -> None:
    book = Learned()
    assert book.read(b'{"version": 2, "loads": {"a": {"new": "form"}}}')


@given(st.binary(max_size=200))
def test_no_file_ends_the_supervisor(text: bytes) -> None:
    Learned().read(text)
