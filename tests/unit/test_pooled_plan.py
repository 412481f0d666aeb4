"""Which texts are decoded together: turns, whole texts, and the cutting of long ones."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.worker.pooled.plan import Limits, Span, Waiting, make_plan

WHOLE = Limits(tokens=10, texts=4, cut=False)
CUT = Limits(tokens=10, texts=4, cut=True)


def spans(plan: tuple[Span, ...]) -> list[tuple[int, int, int, int]]:
    return [(span.request, span.text, span.start, span.count) for span in plan]


@pytest.mark.parametrize(
    ("waiting", "limits", "expected"),
    [
        pytest.param([], WHOLE, [], id="nothing waits"),
        pytest.param([Waiting(1, [3], 0)], WHOLE, [(1, 0, 0, 3)], id="one text"),
        pytest.param(
            [Waiting(1, [2, 2, 2, 2, 2], 1)],
            WHOLE,
            [(1, 1, 0, 2), (1, 2, 0, 2), (1, 3, 0, 2), (1, 4, 0, 2)],
            id="as many texts of one request as there are places",
        ),
        pytest.param(
            [Waiting(1, [2] * 9, 0), Waiting(2, [2], 0), Waiting(3, [2], 0)],
            WHOLE,
            [(1, 0, 0, 2), (2, 0, 0, 2), (3, 0, 0, 2), (1, 1, 0, 2)],
            id="requests take turns",
        ),
        pytest.param(
            [Waiting(1, [6, 6], 0), Waiting(2, [5, 1], 0), Waiting(3, [4], 0)],
            WHOLE,
            [(1, 0, 0, 6), (3, 0, 0, 4)],
            id="what does not fit waits and others take its room",
        ),
        pytest.param(
            [Waiting(1, [30, 1], 0), Waiting(2, [1], 0)],
            WHOLE,
            [(1, 0, 0, 30)],
            id="a text longer than a decode is alone",
        ),
        pytest.param(
            [Waiting(2, [1], 0), Waiting(1, [30], 0)],
            WHOLE,
            [(2, 0, 0, 1)],
            id="a text longer than a decode waits until it is first",
        ),
        pytest.param([Waiting(1, [30], 0)], CUT, [(1, 0, 0, 10)], id="a long text is cut"),
        pytest.param(
            [Waiting(1, [30, 1], 0), Waiting(2, [2, 2], 0)],
            CUT,
            [(1, 0, 0, 6), (2, 0, 0, 2), (2, 1, 0, 2)],
            id="a cut text takes half and what is left",
        ),
        pytest.param(
            [Waiting(2, [2] * 9, 0), Waiting(1, [30, 1], 0, done=5)],
            CUT,
            [(1, 0, 5, 6), (2, 0, 0, 2), (2, 1, 0, 2)],
            id="the unfinished text goes on and nothing overtakes it",
        ),
        pytest.param(
            [Waiting(1, [7, 3], 0, done=5)],
            CUT,
            [(1, 0, 5, 2), (1, 1, 0, 3)],
            id="after the end of an unfinished text the next follows",
        ),
        pytest.param(
            [Waiting(1, [30], 0, done=8), Waiting(2, [20], 0)],
            CUT,
            [(1, 0, 8, 10)],
            id="one text at a time is unfinished",
        ),
    ],
)
def test_a_plan(
    waiting: list[Waiting], limits: Limits, expected: list[tuple[int, int, int, int]]
) -> None:
    assert spans(make_plan(waiting, limits)) == expected


lengths = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@given(
    requests=st.lists(lengths, min_size=1, max_size=6),
    tokens=st.integers(1, 20),
    texts=st.integers(1, 5),
    cut=st.booleans(),
)
def test_every_token_is_decoded_once_in_order_and_within_the_limits(
    requests: list[list[int]], tokens: int, texts: int, cut: bool
) -> None:
    limits = Limits(tokens, texts, cut)
    first, done = [0] * len(requests), [0] * len(requests)
    order = list(range(len(requests)))
    for _ in range(sum(sum(lengths) for lengths in requests)):
        left = [r for r in order if first[r] < len(requests[r])]
        waiting = [Waiting(r, requests[r], first[r], done[r]) for r in left]
        plan = make_plan(waiting, limits)
        if not waiting:
            break
        assert plan, "something waits and nothing is decoded"
        assert len(plan) <= texts
        assert sum(span.count for span in plan) <= tokens or (len(plan) == 1 and not cut)
        for span in plan:
            r = span.request
            assert (span.text, span.start) == (first[r], done[r])
            assert 0 < span.count <= requests[r][span.text] - span.start
            done[r] += span.count
            assert span.last == (done[r] == requests[r][span.text])
            assert cut or span.last
            if span.last:
                first[r], done[r] = first[r] + 1, 0
        assert sum(count > 0 for count in done) <= 1
        order.append(order.pop(0))
    assert first == [len(lengths) for lengths in requests]


@given(many=st.integers(50, 500), length=st.integers(1, 9), cut=st.booleans())
def test_a_request_of_many_texts_leaves_room_for_one_of_a_single_text(
    many: int, length: int, cut: bool
) -> None:
    crowd = Waiting(1, [length] * many, 0)
    single = Waiting(2, [length], 0)
    limits = Limits(tokens=18, texts=4, cut=cut)
    assert Counter(span.request for span in make_plan([crowd, single], limits))[2] == 1


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        pytest.param({}, [1, 9, 2, 9], id="subjects take turns, and the requests of each"),
        pytest.param({"B": 4.0}, [1, 2, 3, 9], id="who has had more comes later"),
        pytest.param({"A": 20.0}, [9, 9, 9, 9], id="until the others have had as much"),
    ],
)
def test_a_subject_of_many_requests_gets_no_more_than_one_of_one(
    used: dict[str, float], expected: list[int]
) -> None:
    crowd = [Waiting(number, [2] * 5, 0, subject="A") for number in (1, 2, 3)]
    single = Waiting(9, [2] * 5, 0, subject="B")
    plan = make_plan([*crowd, single], WHOLE, used)
    assert [span.request for span in plan] == expected


@given(
    texts=st.lists(lengths, min_size=2, max_size=6),
    tokens=st.integers(1, 20),
    cut=st.booleans(),
)
def test_with_subjects_too_every_request_comes_to_its_end(
    texts: list[list[int]], tokens: int, cut: bool
) -> None:
    limits = Limits(tokens, 4, cut)
    first, done = [0] * len(texts), [0] * len(texts)
    order, used = list(range(len(texts))), {"A": 0.0, "B": 0.0}
    for _ in range(sum(map(sum, texts))):
        waiting = [
            Waiting(r, texts[r], first[r], done[r], "A" if r else "B")
            for r in order
            if first[r] < len(texts[r])
        ]
        if not waiting:
            break
        plan = make_plan(waiting, limits, used)
        assert plan, "something waits and nothing is decoded"
        for span in plan:
            done[span.request] += span.count
            used["A" if span.request else "B"] += span.count
            if span.last:
                first[span.request], done[span.request] = span.text + 1, 0
        order.append(order.pop(0))
    assert first == [len(one) for one in texts]
