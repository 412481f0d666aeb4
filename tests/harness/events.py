"""What a worker may send for a request, as scripts that every dialect has to translate."""

from __future__ import annotations

from kronk.gateway.run import Event
from kronk.shared.wire.to_gateway import (
    Delta,
    Done,
    Finished,
    ReasoningDelta,
    ScoredDelta,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
)
from kronk.shared.wire.values import Alternative, Timings, TokenLogprob, Usage

R = 7
STARTED = Started(R, 20, 4)
DONE = Done(
    R,
    Usage(prompt_tokens=20, completion_tokens=9, cached_tokens=4, reasoning_tokens=3),
    Timings(queued=0.25, prefill=0.5, decode=1.0, cache="slot 1"),
)


def _call(index: int, id: str, name: str, *pieces: str) -> list[Event]:
    first: list[Event] = [ToolCallDelta(R, 0, index, id, name, "")]
    return first + [ToolCallDelta(R, 0, index, None, None, piece) for piece in pieces]


_SCORES = (TokenLogprob(b"Hi", -0.25, (Alternative(b"Hi", -0.25), Alternative(b"He", -2.0))),)

# Each ends with the `Finished` of its one choice; `DONE` comes after it.
SCRIPTS: dict[str, list[Event]] = {
    "text": [
        STARTED,
        Delta(R, 0, "Hello", (1,)),
        Delta(R, 0, " wörld \u2028", (2, 3)),
        Finished(R, 0, "stop"),
    ],
    "empty": [STARTED, Finished(R, 0, "stop")],
    "cut": [STARTED, Delta(R, 0, "And so", (1, 2)), Finished(R, 0, "length")],
    "stop_string": [STARTED, Delta(R, 0, "one, two", (1, 2)), Finished(R, 0, "stop", ", three")],
    "thinking": [
        STARTED,
        ReasoningDelta(R, 0, "Let me", (1,)),
        ReasoningDelta(R, 0, " see.", (2,)),
        Delta(R, 0, "Four.", (3,)),
        Finished(R, 0, "stop"),
    ],
    "only_thinking": [STARTED, ReasoningDelta(R, 0, "Hm", (1,)), Finished(R, 0, "length")],
    "call": [
        STARTED,
        *_call(0, "call_a", "get_weather", '{"location": ', '"NYC"}'),
        Finished(R, 0, "tool_calls"),
    ],
    "text_and_calls": [
        STARTED,
        ReasoningDelta(R, 0, "Two calls.", (1,)),
        Delta(R, 0, "I look.", (2,)),
        *_call(0, "call_a", "get_weather", '{"location": "NYC"}'),
        *_call(1, "call_b", "now", "{}"),
        Finished(R, 0, "tool_calls"),
    ],
    "call_retracted": [
        STARTED,
        *_call(0, "call_a", "get_weather", '{"loc'),
        ToolCallRetracted(R, 0, 0, '<tool_call>{"loc'),
        Finished(R, 0, "length"),
    ],
    "logprobs": [STARTED, ScoredDelta(R, 0, "Hi", (1,), _SCORES), Finished(R, 0, "stop")],
}
