"""What is remembered: for its time, and the latest of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.access.delegation.remembered import Remembered


def test_a_value_is_there_until_its_end_and_not_at_it() -> None:
    kept: Remembered[str] = Remembered(2)
    kept.put(b"a", "x", 10.0)
    assert kept.get(b"a", 9.9) == "x"
    assert kept.get(b"a", 10.0) is None
    assert len(kept) == 0


def test_a_newer_value_takes_the_place_of_an_older() -> None:
    kept: Remembered[str] = Remembered(2)
    kept.put(b"a", "x", 10.0)
    kept.put(b"a", "y", 5.0)
    assert (kept.get(b"a", 4.0), kept.get(b"a", 6.0)) == ("y", None)


def test_what_is_forgotten_was_never_known() -> None:
    kept: Remembered[str] = Remembered(2)
    kept.put(b"a", "x", 10.0)
    kept.forget(b"a")
    kept.forget(b"a")
    assert kept.get(b"a", 0.0) is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans())), st.integers(1, 4))
def test_the_latest_used_stay_and_nothing_else(steps: list[tuple[str, bool]], most: int) -> None:
    kept: Remembered[int] = Remembered(most)
    used: list[str] = []
    for name, is_put in steps:
        known = name in used[-most:]
        if is_put:
            kept.put(name.encode(), 1, 1.0)
        assert (kept.get(name.encode(), 0.0) is not None) == (known or is_put)
        if known or is_put:
            used = [one for one in used if one != name] + [name]
        assert len(kept) == min(most, len(used))
