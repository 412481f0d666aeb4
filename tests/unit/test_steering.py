"""When a grammar begins, who writes in the model's place, and how thinking ends in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronk.shared.errors import ModelCrashed
from kronk.shared.wire.values import Sampling
from kronk.worker.engine.job import Job, Thinking
from kronk.worker.engine.sampler import Mask, Sampler
from kronk.worker.engine.sampling import Logits, resolve
from kronk.worker.engine.steering import Steering

GREEDY = resolve(Sampling(temperature=0.0))
OPEN, SPACE, CLOSE, BREAK, END, WORD = 1, 2, 3, 4, 5, 10
CLOSING = (SPACE, CLOSE, BREAK)
VOCAB = 20


def row(token: int) -> Logits:
    """The model wants this one."""
    logits = np.zeros(VOCAB, np.float32)
    logits[WORD] = 1.0
    logits[token] = 9.0
    return logits


class Choosy:
    """A sampler: the best token that its mask allows."""

    def __init__(self) -> None:
        self.mask: Mask | None = None
        self.accepted: list[int] = []

    def sample(self, logits: Logits) -> int:
        if self.mask is not None:
            self.mask.apply(logits)
        return int(logits.argmax())

    def accept(self, token: int) -> None:
        self.accepted.append(token)
        if self.mask is not None:
            self.mask.accept(token)


@dataclass
class Form:
    """A grammar: so many tokens from WORD on. Its matcher and its closer are one."""

    length: int
    budget: int = 0
    written: list[int] = field(default_factory=list)
    begun: list[Form] = field(default_factory=list)

    @property
    def shortest(self) -> int:
        return self.length

    def begin(self, budget: int) -> tuple[Form, Form]:
        own = Form(self.length, budget)
        self.begun.append(own)
        return own, own

    @property
    def is_complete(self) -> bool:
        return len(self.written) == self.length

    def apply(self, logits: Logits) -> None:
        logits[:WORD] = -np.inf

    def takes(self, token: int) -> bool:
        return token >= WORD and not self.is_complete

    def accept(self, token: int) -> None:
        assert token >= WORD, "the grammar has no such token"
        assert not self.is_complete
        self.written.append(token)

    def after(self, token: int) -> list[int] | None:
        """The last token is for an ending of one token."""
        return [WORD + 1] if self.refuses(token) else None

    def refuses(self, token: int) -> bool:
        return token >= WORD and len(self.written) + 1 >= min(self.length, self.budget)

    def may_be_closing(self, tokens: Sequence[int]) -> bool:
        return tuple(tokens) == (WORD + 1,)


class Thoughts:
    """A parser that thinks from OPEN, which may come first only, to CLOSE."""

    def __init__(self, *, is_open: bool) -> None:
        self.is_thinking = is_open
        self._is_first = True

    def read(self, token: int) -> None:
        opens = self._is_first and token == OPEN
        self.is_thinking = opens or (self.is_thinking and token != CLOSE)
        self._is_first = False


class Run:
    """A steered choice; `write` gives it rows and returns what it took."""

    def __init__(
        self,
        *,
        grammar: Form | None = None,
        opening: int | None = None,
        is_open: bool | None = None,
        budget: int | None = None,
        max_tokens: int = 100,
    ) -> None:
        """`is_open` None: there is no thinking in this request."""
        self.grammar = grammar
        thinking = None if is_open is None else Thinking(opening, CLOSING, budget)
        job = Job(
            1,
            "test",
            (7,),
            GREEDY,
            max_tokens,
            (),
            10,
            0.0,
            grammar=cast(Any, grammar),
            thinking=thinking,
        )
        self.sampler = Choosy()
        self.thoughts = None if is_open is None else Thoughts(is_open=is_open)
        self.steering = Steering(
            job, cast(Sampler, self.sampler), cast(Any, self.thoughts), frozenset({END})
        )

    def write(self, wanted: Sequence[int]) -> list[int]:
        taken = []
        for token in wanted:
            taken.append(self.steering.choose(row(token)))
            if taken[-1] == END:
                break
            if self.thoughts is not None:
                self.thoughts.read(taken[-1])
            self.steering.took(taken[-1])
            if self.steering.is_complete:
                break
        return taken


def test_a_grammar_alone_holds_from_the_first_token() -> None:
    run = Run(grammar=Form(3))
    assert run.write([END, OPEN, WORD + 5]) == [WORD, WORD, WORD + 1]
    (form,) = run.grammar.begun
    assert form.budget == 100
    assert run.steering.is_complete
    assert run.sampler.accepted == form.written


def test_without_a_grammar_the_model_says_what_it_wants() -> None:
    run = Run(is_open=True)
    assert run.write([6, CLOSE, 8, END]) == [6, CLOSE, 8, END]
    assert not run.steering.is_complete


def test_the_grammar_begins_when_the_model_has_closed_its_thinking() -> None:
    run = Run(grammar=Form(2), is_open=True)
    assert run.write([6, 7, CLOSE, END, END]) == [6, 7, CLOSE, WORD, WORD + 1]
    (form,) = run.grammar.begun
    assert form.budget == 100 - 3


def test_a_model_may_open_its_thinking_by_a_token_of_its_own() -> None:
    run = Run(grammar=Form(2), opening=OPEN, is_open=False)
    assert run.write([OPEN, 6, CLOSE, 6, 6]) == [OPEN, 6, CLOSE, WORD, WORD + 1]
    first, second = run.grammar.begun
    assert (first.budget, first.written) == (100, [])
    assert (second.budget, second.written) == (97, [WORD, WORD + 1])


def test_a_model_that_does_not_think_is_in_the_grammar_at_once() -> None:
    run = Run(grammar=Form(2), opening=OPEN, is_open=False)
    assert run.write([WORD + 3, OPEN]) == [WORD + 3, WORD + 1]
    (form,) = run.grammar.begun
    assert form.written == [WORD + 3, WORD + 1]


def test_only_the_first_token_may_open_thinking_and_nothing_else_is_let_through() -> None:
    run = Run(grammar=Form(3), opening=OPEN, is_open=False)
    assert run.write([6, OPEN, OPEN]) == [WORD, WORD, WORD + 1]


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("budget", [0, 1, 4])
def test_thinking_is_closed_when_its_budget_is_used_up(is_open: bool, budget: int) -> None:
    run = Run(opening=OPEN, is_open=is_open, budget=budget)
    opening = [] if is_open else [OPEN]
    wanted = [*opening, *[6] * 30]
    taken = run.write(wanted)
    # The opening tag is not thinking: with a budget of nothing it is closed at once.
    thoughts = [6] * max(0, budget - len(opening)) if budget else []
    assert taken[: len(opening) + len(thoughts) + 3] == [*opening, *thoughts, *CLOSING]
    assert taken[len(opening) + len(thoughts) + 3 :] == [6] * (
        len(wanted) - len(opening) - len(thoughts) - 3
    )


def test_what_is_written_behind_the_closing_tag_is_no_part_of_the_answer() -> None:
    run = Run(grammar=Form(2), is_open=True, budget=2)
    assert run.write([6] * 7) == [6, 6, *CLOSING, WORD, WORD + 1]
    (form,) = run.grammar.begun
    assert form.written == [WORD, WORD + 1]
    assert form.budget == 100 - 5


def test_a_model_that_would_end_while_it_thinks_has_to_answer_first() -> None:
    run = Run(grammar=Form(2), is_open=True)
    assert run.write([6, END, 6, 6, 6, 6]) == [6, *CLOSING, WORD, WORD + 1]
    free = Run(is_open=True)
    assert free.write([6, END]) == [6, END]


@pytest.mark.parametrize("budget", [None, 0, 3, 50])
@pytest.mark.parametrize(("opening", "is_open"), [(OPEN, False), (None, True)])
@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(1, 5),
    spare=st.integers(0, 20),
    wanted=st.lists(st.sampled_from([OPEN, CLOSE, BREAK, END, 6, WORD]), min_size=40, max_size=40),
)
def test_however_little_room_there_is_the_answer_is_whole(
    budget: int | None,
    opening: int | None,
    is_open: bool,
    length: int,
    spare: int,
    wanted: list[int],
) -> None:
    max_tokens = length + len(CLOSING) + 1 + spare
    run = Run(
        grammar=Form(length),
        opening=opening,
        is_open=is_open,
        budget=budget,
        max_tokens=max_tokens,
    )
    taken = run.write(wanted[:max_tokens])
    assert run.steering.is_complete, taken
    assert run.grammar.begun[-1].written == taken[-length:]
    assert run.sampler.accepted == taken


def resumed(run: Run, taken: Sequence[int], at: int, wanted: Sequence[int]) -> list[int]:
    """What a new choice takes of which another process had the first `at` tokens."""
    said = tuple(taken[:at])
    for place, token in enumerate(said):
        if not run.steering.follow(said, place):
            return [*said[:place], *run.write(wanted[place:])]
        if run.thoughts is not None:
            run.thoughts.read(token)
        run.steering.took(token)
    return list(said) if run.steering.is_complete else [*said, *run.write(wanted[at:])]


def is_inside_closing(taken: Sequence[int]) -> bool:
    return any(tuple(taken[-size:]) == CLOSING[:size] for size in range(1, len(CLOSING)))


@pytest.mark.parametrize("budget", [None, 0, 3, 50])
@pytest.mark.parametrize(
    ("opening", "is_open"), [(OPEN, False), (None, True), (None, None)], ids=str
)
@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(0, 5),
    spare=st.integers(0, 20),
    wanted=st.lists(
        st.sampled_from([OPEN, CLOSE, SPACE, BREAK, END, 6, WORD, WORD + 1]),
        min_size=40,
        max_size=40,
    ),
    cut=st.integers(0, 40),
)
def test_an_answer_that_is_followed_goes_on_as_it_would_have(
    budget: int | None,
    opening: int | None,
    is_open: bool | None,
    length: int,
    spare: int,
    wanted: list[int],
    cut: int,
) -> None:
    max_tokens = length + len(CLOSING) + 1 + spare

    def begin() -> Run:
        return Run(
            grammar=Form(length) if length else None,
            opening=opening,
            is_open=is_open,
            budget=budget,
            max_tokens=max_tokens,
        )

    first = begin()
    taken = first.write(wanted[:max_tokens])
    at = min(cut, len(taken))
    if END in taken[:at]:
        at = taken.index(END)
    while is_inside_closing(taken[:at]):
        # Nobody hears of a part of it: it goes out with the text behind it.
        at -= 1
    again = begin()
    assert resumed(again, taken, at, wanted[:max_tokens]) == taken
    assert again.steering.is_cut == first.steering.is_cut
    assert again.steering.is_complete == first.steering.is_complete
    if length and first.grammar.begun and again.grammar.begun:
        assert again.grammar.begun[-1].budget == first.grammar.begun[-1].budget


@pytest.mark.parametrize("at", range(9))
def test_a_closing_by_budget_may_be_cut_anywhere(at: int) -> None:
    wanted = [6] * 9
    first = Run(grammar=Form(2), is_open=True, budget=2)
    taken = first.write(wanted)
    again = Run(grammar=Form(2), is_open=True, budget=2)
    assert resumed(again, taken, min(at, len(taken)), wanted) == taken


def test_what_was_written_behind_a_model_that_would_end_is_no_part_of_the_answer() -> None:
    wanted = [6, END, 6, 6, WORD + 4, 6]
    first = Run(grammar=Form(3), is_open=True)
    taken = first.write(wanted)
    assert taken[:4] == [6, *CLOSING]
    for at in (4, 5, 6):
        again = Run(grammar=Form(3), is_open=True)
        assert resumed(again, taken, at, wanted) == taken
        assert again.grammar.begun[-1].written == first.grammar.begun[-1].written


@pytest.mark.parametrize(
    ("said", "grammar", "is_open", "budget"),
    [
        # The grammar has no such token, or no more tokens.
        ((6,), 2, None, None),
        ((WORD, 6), 3, None, None),
        # Where the thinking had to be closed.
        ((6, 6, 6), 2, True, 2),
    ],
)
def test_tokens_that_cannot_have_been_chosen_are_refused(
    said: tuple[int, ...], grammar: int, is_open: bool | None, budget: int | None
) -> None:
    run = Run(grammar=Form(grammar), is_open=is_open, budget=budget)
    with pytest.raises(ModelCrashed, match="cannot go on"):
        resumed(run, said, len(said), [6] * 9)


def test_what_was_chosen_stays_where_rounding_would_choose_another() -> None:
    first = Run(grammar=Form(3))
    # The last is the grammar's own closing: chosen again, it may be wanted or not.
    taken = first.write([WORD + 2, WORD + 3, WORD + 5])
    assert taken[-1] == WORD + 1
    for wish in (WORD + 1, WORD + 7, END):
        again = Run(grammar=Form(3))
        assert resumed(again, taken, 3, [6, 6, wish]) == taken
