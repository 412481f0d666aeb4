"""Whose turn it is: places are shared out among subjects by how many they hold and have had."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.fair_share import MOST_TIMES, FairShare, has_place


def waiting(share: FairShare, *subjects: str) -> list[tuple[int, str]]:
    for subject in subjects:
        share.arrive(subject, 0.0)
    return list(enumerate(subjects))


@pytest.mark.parametrize(
    ("subjects", "held", "used", "order"),
    [
        pytest.param("AAA", {}, {}, [0, 1, 2], id="one subject's are in order of arrival"),
        pytest.param("AAAB", {}, {}, [0, 3, 1, 2], id="subjects take turns"),
        pytest.param("AABBC", {}, {}, [0, 2, 4, 1, 3], id="in rounds"),
        pytest.param("ABC", {"A": 2, "B": 1}, {}, [2, 1, 0], id="who holds less comes first"),
        pytest.param("AAB", {"B": 1}, {}, [0, 1, 2], id="as many as others hold are nobody's turn"),
        pytest.param("ABB", {}, {"A": 5.0, "B": 1.0}, [1, 0, 2], id="then who has had less"),
        pytest.param("AB", {"B": 1}, {"A": 9.0}, [0, 1], id="what is held counts before that"),
    ],
)
def test_the_order(
    subjects: str, held: dict[str, int], used: dict[str, float], order: list[int]
) -> None:
    share = FairShare()
    line = waiting(share, *subjects)
    for subject, count in held.items():
        for _ in range(count):
            share.take(subject, 0.0)
    for subject, cost in used.items():
        share.charge(subject, cost)
    assert share.order(line, 0.0) == order


def test_who_holds_a_place_is_charged_for_it_as_long_as_it_is_held() -> None:
    share = FairShare()
    line = waiting(share, "A", "B")
    share.take("A", 0.0)
    share.free("A", 3.0)
    share.take("B", 3.0)
    share.free("B", 5.0)
    assert share.order(line, 5.0) == [1, 0]


def test_of_two_that_had_the_same_the_one_that_waits_longer_for_its_turn_is_next() -> None:
    share = FairShare()
    line = waiting(share, "A", "B")
    for subject in "AB":
        share.take(subject, 0.0)
        share.free(subject, 0.0)
    assert share.order(line, 0.0) == [0, 1]
    share.take("A", 0.0)
    share.free("A", 0.0)
    assert share.order(line, 0.0) == [1, 0]


def test_nobody_saves_turns_up_while_away() -> None:
    share = FairShare()
    waiting(share, "A")
    share.charge("A", 100.0)
    share.charge("A", 1.0)
    share.arrive("B", 0.0)
    share.charge("B", 2.0)
    assert share.first("AB", 0.0) == "A"


def test_nobody_pays_for_what_was_had_while_nobody_else_was_there() -> None:
    share = FairShare()
    share.take("A", 0.0)
    share.free("A", 1000.0)
    share.arrive("B", 1000.0)
    share.arrive("A", 1000.0)
    share.charge("B", 0.5)
    assert share.first("AB", 1000.0) == "A"


def test_a_pause_between_two_requests_wipes_nothing_out_while_others_wait() -> None:
    share = FairShare()
    share.arrive("B", 0.0)
    share.arrive("A", 0.0)
    share.charge("A", 5.0)
    share.depart("A")
    share.arrive("A", 1.0)
    assert share.first("AB", 1.0) == "B"


def test_accounts_of_those_who_are_gone_are_forgotten() -> None:
    share = FairShare()
    share.arrive("stays", 0.0)
    for number in range(1000):
        subject = f"subject {number}"
        share.arrive(subject, float(number))
        share.depart(subject)
        share.take(subject, float(number))
        share.free(subject, number + 1.0)
        share.charge("stays", 1.0)
    assert len(share.used) < 10
    assert share.counts == {"stays": 1}


@pytest.mark.parametrize(
    ("counts", "places", "answer"),
    [
        pytest.param({}, 8, False, id="the places are somebody's whose leases are not counted"),
        pytest.param({"me": 8}, 8, False, id="all are mine"),
        pytest.param({"A": 8}, 8, True, id="none is mine"),
        pytest.param({"A": 8, "me": 3}, 8, True, id="fewer than my share are mine"),
        pytest.param({"A": 8, "me": 4}, 8, False, id="my share is mine"),
        pytest.param({"A": 4, "B": 4, "me": 1}, 8, True, id="a third"),
        pytest.param({"A": 4, "B": 4, "me": 2}, 8, False, id="a third and no more"),
        pytest.param(dict.fromkeys("ABCDEFGHIJ", 1), 8, True, id="one, if there are too many"),
        pytest.param({"A": 1000}, 8, True, id="what was before counts as all places"),
        pytest.param({str(n): 1 for n in range(8 * MOST_TIMES)}, 8, False, id="there is a bound"),
        pytest.param({"A": 1}, 0, False, id="there are no places"),
    ],
)
def test_whether_a_full_queue_has_a_place(
    counts: dict[str, int], places: int, answer: bool
) -> None:
    assert has_place("me", counts, places) is answer


@given(
    asks=st.lists(st.sampled_from("ABCDE"), max_size=200),
    places=st.integers(0, 12),
)
def test_a_queue_has_a_bound_and_a_share_for_each(asks: list[str], places: int) -> None:
    counts = Counter[str]()
    for subject in asks:
        if counts.total() < places or has_place(subject, counts, places):
            counts[subject] += 1
    assert counts.total() <= MOST_TIMES * places
    if places:
        # However much the others asked for, as many as could be everybody's are let in.
        for subject, asked in Counter(asks).items():
            assert counts[subject] >= min(asked, max(1, places // 5))


# Time. Each ask has a subject, when it comes, and how long it holds its place.


@dataclass
class Machine:
    """Serves asks in some places by a `FairShare`, and notes each grant."""

    places: int
    share: FairShare = field(default_factory=FairShare)
    now: float = 0.0
    line: list[tuple[int, str]] = field(default_factory=list)
    running: list[tuple[float, str]] = field(default_factory=list)
    # When, who, which, and who waited besides.
    grants: list[tuple[float, str, int, frozenset[str]]] = field(default_factory=list)
    had: Counter[str] = field(default_factory=Counter)

    def arrive(self, number: int, subject: str) -> None:
        self.share.arrive(subject, self.now)
        self.line.append((number, subject))

    def grant(self, lengths: list[float]) -> None:
        while self.line and len(self.running) < self.places:
            number = self.share.order(self.line, self.now)[0]
            subject = dict(self.line)[number]
            self.line.remove((number, subject))
            others = frozenset(name for _, name in self.line)
            self.grants.append((self.now, subject, number, others))
            self.share.depart(subject)
            self.share.take(subject, self.now)
            self.running.append((self.now + lengths[number], subject))

    def end_next(self) -> None:
        end = min(self.running)
        self.running.remove(end)
        for _, subject in [*self.running, end]:
            self.had[subject] += end[0] - self.now
        self.now = end[0]
        self.share.free(end[1], self.now)


asks = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(0, 30), st.integers(1, 9)),
    min_size=1,
    max_size=40,
)


def play(asked: list[tuple[str, int, int]], places: int, *, alike: bool = False) -> Machine:
    """Until all are served."""
    machine = Machine(places)
    lengths = [1.0 if alike else float(length) for _, _, length in asked]
    coming = sorted((at, number) for number, (_, at, _) in enumerate(asked))
    while coming or machine.line or machine.running:
        while coming and (coming[0][0] <= machine.now or not machine.running):
            at, number = coming.pop(0)
            machine.now = max(machine.now, float(at))
            machine.arrive(number, asked[number][0])
        machine.grant(lengths)
        machine.end_next()
    return machine


@given(asked=asks, places=st.integers(1, 4))
def test_all_are_served_and_those_of_one_subject_in_their_order(
    asked: list[tuple[str, int, int]], places: int
) -> None:
    machine = play(asked, places)
    assert sorted(number for _, _, number, _ in machine.grants) == list(range(len(asked)))
    for subject in "ABC":
        mine = [number for _, who, number, _ in machine.grants if who == subject]
        assert mine == sorted(mine, key=lambda number: (asked[number][1], number))
    assert not machine.share.counts


@given(asked=asks, places=st.integers(1, 4))
def test_between_two_turns_of_who_waits_nobody_has_more_turns_than_there_are_places(
    asked: list[tuple[str, int, int]], places: int
) -> None:
    grants = play(asked, places, alike=True).grants
    for subject in "ABC":
        since = Counter[str]()
        for _, who, _, others in grants:
            since[who] += 1
            if who == subject or subject not in others:
                since.clear()
            assert all(count <= places for count in since.values()), grants


@given(
    lengths=st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 20), min_size=2),
    places=st.integers(1, 5),
    ends=st.integers(1, 300),
)
def test_who_always_wants_more_gets_the_same_time_however_long_its_answers_are(
    lengths: dict[str, int], places: int, ends: int
) -> None:
    machine, number = Machine(places), 0
    durations: list[float] = []
    for _ in range(ends):
        for subject, length in lengths.items():
            while [who for _, who in machine.line].count(subject) < places:
                machine.arrive(number, subject)
                durations.append(float(length))
                number += 1
        machine.grant(durations)
        machine.end_next()
    had = [machine.had[subject] for subject in lengths]
    assert max(had) - min(had) <= places * max(lengths.values())


def test_a_subject_that_comes_when_all_is_taken_by_another_is_next() -> None:
    machine = Machine(4)
    durations = [1.0 + number / 10 for number in range(50)]
    for number in range(40):
        machine.arrive(number, "crowd")
    machine.grant(durations)
    machine.arrive(40, "single")
    machine.end_next()
    machine.grant(durations)
    assert machine.grants[-1][1:3] == ("single", 40)
