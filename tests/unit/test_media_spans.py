"""Images among the tokens: ids that say what they are, and prefixes that never end within one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.worker.cache.match import Candidate, Source, choose_source
from kronk.worker.cache.spans import is_within, span_ids, whole

A, B = span_ids(b"a", 4), span_ids(b"b", 3)


def tokens(*parts: int | list[int]) -> np.ndarray:
    flat = [value for part in parts for value in (part if isinstance(part, list) else [part])]
    return np.array(flat, np.int32)


def test_ids_are_the_contents_and_no_tokens() -> None:
    assert span_ids(b"a", 4) == A
    assert len(set(A + B)) == 7
    assert all(-(2**31) <= value < 0 for value in A + B)
    # Another length is another image, from the first id on.
    assert span_ids(b"a", 3)[0] != A[0]


@pytest.mark.parametrize(
    ("sequence", "lengths"),
    [
        # For each length, the longest prefix that is whole.
        (tokens(1, 2), [0, 1, 2]),
        (tokens(A), [0, 0, 0, 0, 4]),
        (tokens(1, A, 2), [0, 1, 1, 1, 1, 5, 6]),
        (tokens(A, B), [0, 0, 0, 0, 4, 4, 4, 7]),
        (tokens(A, 5, A), [0, 0, 0, 0, 4, 5, 5, 5, 5, 9]),
    ],
)
def test_a_prefix_does_not_end_within_an_image(sequence: np.ndarray, lengths: list[int]) -> None:
    assert [whole(sequence, length) for length in range(sequence.size + 1)] == lengths


parts = st.lists(
    st.one_of(
        st.integers(0, 300).map(lambda token: [token]),
        st.builds(span_ids, st.binary(min_size=1, max_size=4), st.integers(1, 12)),
    ),
    max_size=12,
)


@given(parts)
def test_prefixes_are_whole_exactly_at_the_bounds_of_parts(found: list[list[int]]) -> None:
    sequence = tokens(*found)
    bounds = set(np.cumsum([0, *map(len, found)]).tolist())
    for length in range(sequence.size + 1):
        assert is_within(sequence, length) == (length not in bounds)
        assert whole(sequence, length) == max(bound for bound in bounds if bound <= length)


@pytest.mark.parametrize(
    ("prompt", "known", "length"),
    [
        # The same image: as text.
        (tokens(1, A, 2, 3), tokens(1, A, 2, 9), 6),
        # Another one: what comes before it.
        (tokens(1, 7, A, 2), tokens(1, 7, B, 2), 2),
        # One token has to be left, and an image is not cut for it.
        (tokens(1, 7, A), tokens(1, 7, A), 2),
        (tokens(1, 7, A, 2), tokens(1, 7, A, 2), 6),
        (tokens(A, B), tokens(A, B, 5), 4),
        (tokens(A), tokens(A), 0),
    ],
)
def test_a_match_never_ends_within_an_image(
    prompt: np.ndarray, known: np.ndarray, length: int
) -> None:
    match = choose_source(prompt, [Candidate(Source.RETAINED, 0, known)], 0)
    assert match.length == length
