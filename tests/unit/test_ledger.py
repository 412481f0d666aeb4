"""The ledger of memory: who fits, who makes room, and who waits."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.supervisor.ledger import (
    MOST_SEARCHED,
    Blocked,
    Evict,
    Fits,
    Holder,
    Infeasible,
    Room,
    Wait,
    admit,
    displace,
    held,
    over,
    smallest,
)

Standing = Literal["idle", "busy", "kept", "leaving"]
ROOM = Room({"host": 100, "gpu0": 50}, 4)


def holder(
    model: str, host: int, standing: Standing = "idle", used: float = 0.0, gpu: int = 0
) -> Holder:
    return Holder(model, {"host": host, "gpu0": gpu} if gpu else {"host": host}, used, standing)


@pytest.mark.parametrize(
    ("need", "holders", "verdict"),
    [
        pytest.param({"host": 100}, [], Fits(), id="exactly the budget"),
        pytest.param({"host": 101}, [], Infeasible("host"), id="a byte too many"),
        pytest.param(
            {"host": 10, "gpu0": 51}, [], Infeasible("gpu0"), id="too large for one of the devices"
        ),
        pytest.param(
            {"host": 101},
            [holder("a", 100)],
            Infeasible("host"),
            id="what is there does not matter for what never fits",
        ),
        pytest.param({"npu": 10**9}, [], Fits(), id="a device without a budget has no limit"),
        pytest.param({}, [holder("a", 100, "busy")], Fits(), id="no size is no bytes"),
        pytest.param({"host": 40}, [holder("a", 60, "busy")], Fits(), id="beside a busy one"),
        pytest.param({"host": 41}, [holder("a", 60)], Evict(("a",)), id="an idle one goes"),
        pytest.param({"host": 41}, [holder("a", 60, "busy")], Wait(("a",)), id="a busy one stays"),
        pytest.param(
            {"host": 41},
            [holder("a", 60, "kept")],
            Blocked(("a",)),
            id="a pinned one stays for good",
        ),
        pytest.param(
            {"host": 41},
            [holder("a", 60, "leaving")],
            Wait(),
            id="one that leaves has its memory until it is reaped",
        ),
        pytest.param(
            {"host": 41},
            [holder("a", 60, "leaving"), holder("b", 1)],
            Wait(),
            id="nobody goes for what is on its way",
        ),
        pytest.param(
            {"host": 60},
            [holder("a", 40, "leaving"), holder("b", 60)],
            Evict(("b",)),
            id="what leaves is not enough",
        ),
        pytest.param(
            {"host": 50},
            [holder("old", 30, used=1), holder("new", 60, used=2)],
            Evict(("new",)),
            id="one large one rather than two",
        ),
        pytest.param(
            {"host": 30},
            [holder("new", 50, used=2), holder("old", 50, used=1)],
            Evict(("old",)),
            id="of equals the longest unused",
        ),
        pytest.param(
            {"host": 70},
            [holder("a", 40, used=3), holder("b", 30, used=2), holder("c", 30, used=1)],
            Evict(("c", "a")),
            id="of pairs the one whose latest use is longest ago, if it is enough",
        ),
        pytest.param(
            {"host": 10, "gpu0": 40},
            [holder("big", 80, used=1), holder("card", 10, used=2, gpu=20)],
            Evict(("card",)),
            id="what lacks on a device comes from that device",
        ),
        pytest.param(
            {"host": 1},
            [holder(name, 1, used=at) for at, name in enumerate("abcd")],
            Evict(("a",)),
            id="places count too",
        ),
        pytest.param(
            {"host": 50},
            [holder("a", 60), holder("b", 40, "busy")],
            Evict(("a",)),
            id="a busy neighbour is in nobody's way",
        ),
        pytest.param(
            {"host": 70},
            [holder("a", 60), holder("b", 40, "busy")],
            Wait(("b",)),
            id="idle ones do not go in vain",
        ),
        pytest.param(
            {"host": 30},
            [holder("a", 60, "kept"), holder("b", 40, "busy")],
            Wait(("b",)),
            id="beside a pinned one",
        ),
    ],
)
def test_the_verdict_follows_from_the_books(
    need: dict[str, int], holders: list[Holder], verdict: Any
) -> None:
    assert admit(need, ROOM, holders) == verdict


@pytest.mark.parametrize(
    ("holders", "gone"),
    [
        ([holder("a", 50), holder("b", 50)], ()),
        ([holder("a", 50, used=1), holder("b", 60, used=2)], ("a",)),
        ([holder("a", 5, used=1), holder("b", 96, "busy")], ("a",)),
        ([holder("a", 50, "leaving"), holder("b", 60)], ()),
        ([holder("a", 5, used=1), holder("b", 120, "busy")], ("a",)),
    ],
)
def test_who_took_more_than_was_expected_is_paid_for_by_the_idle(
    holders: list[Holder], gone: tuple[str, ...]
) -> None:
    assert over(ROOM, holders) == gone


def test_busy_models_are_asked_to_make_way_only_if_that_is_enough() -> None:
    holders = [holder("a", 60, "busy"), holder("b", 40, "busy")]
    assert displace({"host": 50}, ROOM, holders, {"a", "b"}) == ("a",)
    assert displace({"host": 50}, ROOM, holders, {"b"}) == ()
    assert displace({"host": 90}, ROOM, holders, {"a", "b"}) == ("a", "b")


HOLDERS = st.lists(
    st.builds(
        Holder,
        st.uuids().map(str),
        st.fixed_dictionaries({"host": st.integers(0, 60)}, optional={"gpu0": st.integers(0, 40)}),
        st.floats(0, 100),
        st.sampled_from(["idle", "busy", "kept", "leaving"]),
    ),
    max_size=8,
)
NEEDS = st.fixed_dictionaries({"host": st.integers(0, 120)}, optional={"gpu0": st.integers(0, 60)})


def fits(need: dict[str, int], holders: list[Holder]) -> bool:
    total = held([*holders, Holder("new", need, 0.0, "busy")])
    devices = [device for device in ROOM.budgets if need.get(device)]
    return len(holders) < ROOM.places and all(
        total.get(device, 0) <= ROOM.budgets[device] for device in devices
    )


@given(NEEDS, HOLDERS)
def test_nothing_is_admitted_over_the_budget_and_nobody_goes_who_is_wanted(
    need: dict[str, int], holders: list[Holder]
) -> None:
    staying = [one for one in holders if one.standing != "leaving"]
    idle = {one.model for one in staying if one.standing == "idle"}
    match admit(need, ROOM, holders):
        case Fits():
            assert fits(need, holders)
        case Infeasible():
            assert not fits(need, [])
        case Evict(models):
            assert models
            assert set(models) <= idle
            # Enough, and with fewer it would not be.
            assert fits(need, [one for one in staying if one.model not in models])
            for fewer in combinations(idle, len(models) - 1):
                assert not fits(need, [one for one in staying if one.model not in fewer])
        case Wait(busy):
            assert not fits(need, holders)
            rest = [one for one in staying if one.model not in idle]
            assert fits(need, staying) if not busy else not fits(need, rest)
        case Blocked(models):
            assert not fits(need, [one for one in staying if one.model in models])


@given(st.lists(st.integers(1, 50), min_size=MOST_SEARCHED + 1, max_size=40), st.integers(1, 400))
def test_of_many_models_none_goes_that_could_have_stayed(sizes: list[int], size: int) -> None:
    candidates = [holder(str(at), size, used=at) for at, size in enumerate(sizes)]
    chosen = smallest({"host": size}, candidates)
    if chosen is None:
        assert sum(sizes) < size
        return
    total = sum(one.bytes["host"] for one in chosen)
    assert total >= size
    assert all(total - one.bytes["host"] < size for one in chosen)
