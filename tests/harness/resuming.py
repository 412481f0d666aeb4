"""Cuts an answer off anywhere and has it resumed, as a gateway does whose worker has died."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from kronk.gateway.transcript import Transcript
from kronk.shared.wire.to_gateway import Done, Failed
from kronk.shared.wire.to_worker import Resumed
from kronk.shared.wire.values import Answer, Prompt, Sampling

from .engine import GREEDY, Answered, EngineRun, Said, answered, put_together


@dataclass(frozen=True)
class Ask:
    """One request."""

    prompt: str | Prompt
    max_tokens: int | None = 60
    sampling: Sampling = GREEDY
    answer: Answer = field(default_factory=Answer)
    stop: tuple[str, ...] = ()

    def begin(self, run: EngineRun, resumed: tuple[Resumed, ...] = (), window: int = 10_000) -> int:
        """Submit it."""
        return run.begin(
            self.prompt,
            self.max_tokens,
            sampling=self.sampling,
            answer=self.answer,
            stop=self.stop,
            window=window,
            resumed=resumed,
        )


def transcript(events: list[Any]) -> Transcript:
    """What a gateway has written down of them."""
    written = Transcript()
    written.recent += [event for event in events if not isinstance(event, Done)]
    return written


def resume(run: EngineRun, ask: Ask, events: list[Any], at: int) -> Answered:
    """The answer whose first `at` events came before the crash, and the rest after it."""
    known = transcript(events[:at])
    replay = known.again()
    number = ask.begin(run, known.resumed())
    choices: dict[int, Said] = {}
    for event in events[:at]:
        put_together(choices, event)
    while not isinstance(event := run.next(number), Done):
        assert not isinstance(event, Failed), event
        rest = replay.rest(event)
        if rest is not None:
            put_together(choices, rest)
    replay.end()
    return answered(choices, event)


def whole(events: list[Any]) -> Answered:
    """The answer without a crash."""
    choices: dict[int, Said] = {}
    for event in events[:-1]:
        put_together(choices, event)
    return answered(choices, events[-1])


def assert_same(one: Answered, other: Answered) -> None:
    """Nobody can see that there was a crash."""
    assert len(one.choices) == len(other.choices)
    for mine, theirs in zip(one.choices, other.choices, strict=True):
        assert mine.ids == theirs.ids
        assert (mine.text, mine.reasoning) == (theirs.text, theirs.reasoning)
        assert _calls(mine) == _calls(theirs)
        assert (mine.reason, mine.stop) == (theirs.reason, theirs.stop)
        assert [score.piece for score in mine.logprobs] == [s.piece for s in theirs.logprobs]
        assert [score.logprob for score in mine.logprobs] == pytest.approx(
            [score.logprob for score in theirs.logprobs], abs=0.01
        )
        assert [len(score.top) for score in mine.logprobs] == [len(s.top) for s in theirs.logprobs]
    for name in ("prompt_tokens", "completion_tokens", "reasoning_tokens"):
        assert getattr(one.usage, name) == getattr(other.usage, name), name


def _calls(said: Said) -> list[tuple[int, str, str]]:
    return [(index, call.name, call.arguments) for index, call in said.calls.items()]
