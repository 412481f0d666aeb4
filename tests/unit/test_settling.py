"""What becomes of the index's rows when files were renamed, moved or deleted by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.models.facts import Facts
from kronk.shared.models.settling import Present, Settled, settle


def row(size: int, modified: int, sha256: str = "0" * 64) -> Facts:
    return Facts(sha256, size, modified, "hf:o/r/a.gguf", "2026-01-01T00:00:00+00:00")


def done(rows: dict[str, Facts], present: Present) -> Settled:
    return settle(rows, present)


def test_rows_of_files_that_are_there_stay() -> None:
    rows = {"a.gguf": row(10, 1), "b.gguf": row(20, 2)}
    settled = done(rows, {"a.gguf": (10, 1), "b.gguf": (20, 2), "c.gguf": (30, 3)})
    assert (settled.rows, settled.moved, settled.forgotten) == (rows, {}, ())


def test_a_renamed_file_keeps_its_row() -> None:
    settled = done({"o/f/a.gguf": row(10, 1)}, {"p/g/other.gguf": (10, 1)})
    assert settled.rows == {"p/g/other.gguf": row(10, 1)}
    assert settled.moved == {"o/f/a.gguf": "p/g/other.gguf"}
    assert settled.forgotten == ()


def test_a_row_without_a_file_is_forgotten() -> None:
    settled = done({"a.gguf": row(10, 1)}, {"b.gguf": (10, 2)})
    assert (settled.rows, settled.forgotten) == ({}, ("a.gguf",))


def test_a_changed_file_keeps_its_row_and_is_told() -> None:
    settled = done({"a.gguf": row(10, 1)}, {"a.gguf": (10, 2)})
    assert (settled.rows, settled.changed) == ({"a.gguf": row(10, 1)}, ("a.gguf",))


def test_a_copy_beside_its_original_is_known_by_nobody() -> None:
    settled = done({"a.gguf": row(10, 1)}, {"a.gguf": (10, 1), "copy/a.gguf": (10, 1)})
    assert settled.rows == {"a.gguf": row(10, 1)}


@pytest.mark.parametrize(
    ("lost", "new", "moved"),
    [
        # Shards of one size, written in one second, are told apart by their names.
        (
            ["o/a-1.gguf", "o/a-2.gguf"],
            ["p/a-2.gguf", "p/a-1.gguf"],
            {"o/a-1.gguf": "p/a-1.gguf", "o/a-2.gguf": "p/a-2.gguf"},
        ),
        (["o/a.gguf", "o/b.gguf"], ["c.gguf", "d.gguf"], {}),
        (["o/a.gguf"], ["p/a.gguf", "q/a.gguf"], {}),
        (["o/a.gguf", "p/a.gguf"], ["q/a.gguf"], {}),
        (["o/a.gguf", "o/b.gguf"], ["p/a.gguf"], {"o/a.gguf": "p/a.gguf"}),
    ],
)
def test_of_several_alike_only_the_name_can_tell(
    lost: list[str], new: list[str], moved: dict[str, str]
) -> None:
    rows = {name: row(10, 1, f"{number:064x}") for number, name in enumerate(lost)}
    settled = done(rows, dict.fromkeys(new, (10, 1)))
    assert settled.moved == moved
    assert settled.rows == {after: rows[before] for before, after in moved.items()}


names = st.sampled_from([f"{folder}/{name}.gguf" for folder in "op" for name in "abc"])
marks = st.tuples(st.integers(1, 2), st.integers(1, 2))


@given(st.dictionaries(names, marks), st.dictionaries(names, marks))
def test_no_row_is_invented_doubled_or_given_to_a_file_that_has_one(
    before: dict[str, tuple[int, int]], present: dict[str, tuple[int, int]]
) -> None:
    rows = {name: row(*mark, f"{at:064x}") for at, (name, mark) in enumerate(before.items())}
    settled = settle(rows, present)
    kept = [one.sha256 for one in settled.rows.values()]
    assert len(set(kept)) == len(kept)
    assert settled.rows.keys() <= present.keys()
    assert {*kept} <= {one.sha256 for one in rows.values()}
    for name in rows.keys() & present.keys():
        assert settled.rows[name] == rows[name]
    assert len(kept) + len(settled.forgotten) == len(rows)
    # Settled once is settled.
    assert settle(settled.rows, present).rows == settled.rows
