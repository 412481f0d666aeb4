"""What is sent of an answer names its tokens without a gap, whatever is made of their text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import transcripts
from harness import transcripts_more as more
from harness.transcripts import TOOLS, Transcript
from kronk.shared.wire.to_gateway import ScoredDelta, Silent
from kronk.shared.wire.values import TokenLogprob
from kronk.worker.engine.output import Output, Sent
from kronk.worker.parsers import (
    deepseek,
    gemma,
    generic,
    glm,
    harmony,
    hermes,
    kimi,
    lfm,
    llama,
    mistral,
    pythonic,
    qwen_coder,
    tagged,
)
from kronk.worker.parsers.base import Family, Parser
from kronk.worker.parsers.reasoning import TAGS, ReasoningSplitter

TABLES: tuple[tuple[Family, Sequence[Transcript]], ...] = (
    (hermes.FAMILY, transcripts.HERMES),
    (qwen_coder.FAMILY, transcripts.QWEN_CODER),
    (llama.FAMILY, transcripts.LLAMA),
    (mistral.FAMILY, transcripts.MISTRAL),
    (generic.FAMILY, transcripts.GENERIC),
    (tagged.PHI, transcripts.tagged("<|tool_call|>", "<|/tool_call|>")),
    (tagged.GRANITE, transcripts.tagged("<|tool_call|>", "")),
    (tagged.NEMOTRON, transcripts.tagged("<TOOLCALL>", "</TOOLCALL>")),
    (tagged.APRIEL, transcripts.tagged("<tool_calls>", "</tool_calls>")),
    (harmony.FAMILY, more.HARMONY),
    (deepseek.FAMILY, more.DEEPSEEK),
    (glm.FAMILY, more.GLM),
    (gemma.GEMMA_4, more.GEMMA_4),
    (gemma.FUNCTION_GEMMA, more.FUNCTION_GEMMA),
    (gemma.GEMMA_3, more.GEMMA_3),
    (kimi.FAMILY, more.KIMI),
    (lfm.FAMILY, more.LFM),
    (pythonic.FAMILY, more.PYTHONIC),
)
ALL = [
    pytest.param(family, transcript, id=f"{family.name}: {transcript.title}")
    for family, table in TABLES
    for transcript in table
]
THOUGHT = "<think>\nHm, é€🙂. <b>\n</think>\n\n"
# What ends or holds back content somewhere in these transcripts.
STOPS = ("\n\nUser:", "}\n", "Hello. ", "🙂!")


@dataclass
class Listener:
    """Hears one answer, token n of which is piece n, and holds it to the rule."""

    output: Output
    heard: list[int]
    fed: int = 0
    was_silent: bool = False

    def feed(self, piece: bytes) -> None:
        score = TokenLogprob(b"", -float(self.fed), ())
        sent = self.output.feed(self.fed, piece, score)
        self.fed += 1
        self._hear(sent)

    def finish(self) -> None:
        self._hear(self.output.finish())
        assert len(self.heard) == self.fed, "in the end it is all of them"

    def _hear(self, sent: Sequence[Sent]) -> None:
        for one in sent:
            assert not (isinstance(one, Silent) and self.was_silent), "one for each delta"
            self.was_silent = isinstance(one, Silent)
            self.heard += one.tokens
            if isinstance(one, ScoredDelta):
                assert [-score.logprob for score in one.logprobs] == list(one.tokens)
        assert self.heard == list(range(len(self.heard))), "in order, without a gap"
        assert len(self.heard) <= self.fed


def tell(
    pieces: Sequence[bytes], parser: Parser | None, stops: Sequence[str], *, scored: bool
) -> None:
    listener = Listener(Output(1, 0, stops, parser, scored=scored), [])
    for piece in pieces:
        listener.feed(piece)
        if listener.output.stopped is not None:
            break
    listener.finish()


def split(data: bytes, at: Sequence[int]) -> list[bytes]:
    """Repeated edges make empty pieces, as control tokens are."""
    edges = sorted([0, len(data), *(place % (len(data) + 1) for place in at)])
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("stops", [(), STOPS], ids=["", "stops"])
@pytest.mark.parametrize(("family", "transcript"), ALL)
def test_in_tokens_of_one_two_and_five_bytes(
    family: Family, transcript: Transcript, stops: Sequence[str], scored: bool
) -> None:
    data = transcript.raw.encode()
    for size in (1, 2, 5):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        tell(pieces, family.parser(TOOLS), stops, scored=scored)


@pytest.mark.parametrize(("family", "transcript"), ALL)
def test_an_answer_that_ends_anywhere(family: Family, transcript: Transcript) -> None:
    data = transcript.raw.encode()
    for end in range(0, len(data), 3):
        pieces = [data[at : min(at + 4, end)] for at in range(0, end, 4)]
        tell(pieces, family.parser(TOOLS), (), scored=False)


@settings(max_examples=400, deadline=None)
@given(
    which=st.sampled_from([one.values for one in ALL]),
    thinks=st.booleans(),
    tail=st.sampled_from(["", "\nmore", "<tool_call>", "é"]),
    at=st.lists(st.integers(0, 4000), max_size=60),
    stops=st.lists(st.sampled_from([*STOPS, "<", "\n", "e"]), max_size=3),
    scored=st.booleans(),
)
def test_however_it_is_cut(
    which: Sequence[Any], thinks: bool, tail: str, at: list[int], stops: list[str], scored: bool
) -> None:
    family, transcript = which
    parser: Parser = family.parser(TOOLS)
    raw = transcript.raw + tail
    if thinks:
        parser, raw = ReasoningSplitter(parser, TAGS[0], open_at_start=False), THOUGHT + raw
    # A character may be cut, and the last may stay incomplete.
    pieces = split(raw.encode()[: -1 if tail == "é" else None], at)
    tell(pieces, parser, stops, scored=scored)


def test_content_that_is_held_back_goes_out_before_a_call() -> None:
    output = Output(1, 0, ("</s>",), hermes.FAMILY.parser(TOOLS))
    sent = [
        *output.feed(0, b"a<"),
        *output.feed(1, transcripts.HERMES_NOW.encode()),
        *output.feed(2, b"/s>"),
        *output.finish(),
    ]
    kinds = [type(one).__name__ for one in sent]
    assert kinds.index("ToolCallDelta") > 1
    texts = [one.text for one in sent if hasattr(one, "text")]
    assert "".join(texts) == "a</s>"
    assert output.stopped is None
