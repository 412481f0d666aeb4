"""Encoded files are kept within a number of bytes, the latest used longest."""

from __future__ import annotations

import numpy as np
import pytest

from kronk.worker.media.clip import Clip, MediaFile, Positions
from kronk.worker.media.known import Known


def always() -> bool:
    return True


def encoded(rows: int) -> MediaFile:
    """Four bytes a row."""
    file = MediaFile([Clip([-1], rows, lambda _: np.zeros((rows, 1), np.float32))])
    file.encode(file.clips[0], always)
    return file


def test_what_was_not_used_for_longest_goes_first() -> None:
    known = Known(100)
    for name in (b"a", b"b"):
        known.put(name, encoded(10))
    assert known.get(b"a") is not None
    known.put(b"c", encoded(10))
    assert [name for name in (b"a", b"b", b"c") if known.get(name)] == [b"a", b"c"]


def test_what_is_larger_than_all_of_it_pushes_nothing_out() -> None:
    known = Known(100)
    known.put(b"a", encoded(10))
    known.put(b"b", encoded(26))
    assert known.get(b"a") is not None
    assert known.get(b"b") is None
    assert len(known) == 1


def test_a_file_that_somebody_holds_is_found_before_it_is_encoded() -> None:
    known = Known(100)
    file = MediaFile([Clip([-1], 1, lambda _: np.zeros((1, 1), np.float32))])
    assert known.hold(b"a", file) is file
    late = MediaFile([])
    assert known.hold(b"a", late) is file
    assert known.get(b"a") is file
    del file
    assert known.get(b"a") is None


def test_a_file_is_kept_when_all_its_clips_are_encoded() -> None:
    kept: list[MediaFile] = []
    clips = [Clip([-1], 2, lambda _: np.ones((2, 3), np.float32)) for _ in range(2)]
    file = MediaFile([clips[0], (5,), clips[1]], kept.append)
    file.encode(clips[0], always)
    assert (file.is_encoded, file.size, kept) == (False, 24, [])
    file.encode(clips[1], always)
    assert (file.is_encoded, file.size, kept) == (True, 48, [file])
    with pytest.raises(AssertionError):
        file.encode(clips[1], always)


def test_positions_move_with_their_clip_where_they_do() -> None:
    base = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [7, 7, 7]], np.int32)
    step = np.array([[1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 0]], np.int32)
    at = Positions(base, step).at(10, 1, 2)
    assert at.tolist() == [10, 10, 10, 11, 11, 10, 7, 7]
