"""What a client is sent of an answer's tokens: the right text, beside the right tokens."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.transcripts import TOOLS
from kronk.shared.wire.to_gateway import (
    Delta,
    GenerationDelta,
    ReasoningDelta,
    ScoredDelta,
    Silent,
    ToolCallDelta,
    ToolCallRetracted,
)
from kronk.shared.wire.values import TokenLogprob
from kronk.worker.engine.output import Output
from kronk.worker.parsers import hermes
from kronk.worker.parsers.base import Parser
from kronk.worker.parsers.reasoning import TAGS, ReasoningSplitter

Pieces = Sequence[bytes]
# Text and the numbers of the tokens beside it.
Sent = tuple[str, tuple[int, ...]]

CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>'
BROKEN = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Ro'


def score(token: int) -> TokenLogprob:
    """One that tells which token it is of."""
    return TokenLogprob(b"", -float(token), ())


def thinking_parser(*, is_open: bool = False) -> Parser:
    return ReasoningSplitter(hermes.FAMILY.parser(TOOLS), TAGS[0], is_open)


@dataclass
class Heard:
    """All deltas of one answer, put together."""

    content: list[Sent] = field(default_factory=list)
    reasoning: list[Sent] = field(default_factory=list)
    calls: dict[int, str] = field(default_factory=dict)
    retracted: list[str] = field(default_factory=list)
    # Of all kinds of deltas, and of those without text, in the order sent.
    tokens: list[int] = field(default_factory=list)
    last: GenerationDelta | Silent | None = None

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.content)

    @property
    def thoughts(self) -> str:
        return "".join(text for text, _ in self.reasoning)

    def hear(self, delta: GenerationDelta | Silent) -> None:
        assert (delta.request, delta.choice) == (1, 2)
        self.tokens += delta.tokens
        last, self.last = self.last, delta
        match delta:
            case Silent(tokens=tokens):
                assert tokens
                assert not isinstance(last, Silent), "at most one for each delta"
            case Delta(text=text, tokens=tokens):
                assert text
                self.content.append((text, tokens))
            case ScoredDelta(text=text, tokens=tokens, logprobs=logprobs):
                assert text
                assert logprobs == tuple(map(score, tokens))
                self.content.append((text, tokens))
            case ReasoningDelta(text=text, tokens=tokens):
                assert text
                self.reasoning.append((text, tokens))
            case ToolCallDelta(index=index, id=str(), name=str(name)):
                assert index not in self.calls
                self.calls[index] = f"{name}{delta.arguments}"
            case ToolCallDelta(index=index, arguments=arguments):
                self.calls[index] += arguments
            case ToolCallRetracted(index=index, text=text):
                del self.calls[index]
                self.retracted.append(text)
            case _:
                raise AssertionError(delta)


def say(
    pieces: Pieces, stops: Sequence[str] = (), parser: Parser | None = None, *, scored: bool = False
) -> tuple[Heard, Output]:
    """Token n is piece n; an answer that is stopped gets no more of them."""
    output, heard = Output(1, 2, stops, parser, scored=scored), Heard()
    fed = 0
    for token, piece in enumerate(pieces):
        fed += 1
        for delta in output.feed(token, piece, score(token) if scored else None):
            heard.hear(delta)
        assert heard.tokens == list(range(len(heard.tokens))), "no gap, and in order"
        assert len(heard.tokens) <= fed
        if output.stopped is not None:
            break
    for delta in output.finish():
        heard.hear(delta)
    assert heard.tokens == list(range(fed)), "in the end it is all of them"
    return heard, output


@pytest.mark.parametrize(
    ("pieces", "stops", "sent", "scored"),
    [
        ([b"Hel", b"lo"], [], [("Hel", (0,)), ("lo", (1,))], None),
        # A character of several tokens comes with the last of them, with all of them.
        (
            [b"a", b"\xe2", b"\x82", b"\xac", b"b"],
            [],
            [("a", (0,)), ("€", (1, 2, 3)), ("b", (4,))],
            None,
        ),
        # The end of one and the beginning of the next in one token.
        ([b"a\xe2", b"\x82\xacb"], [], [("a", ()), ("€b", (0, 1))], [("a€b", (0, 1))]),
        # Control tokens stand for no text and come with the next that does.
        ([b"", b"a", b"", b"", b"b"], [], [("a", (0, 1)), ("b", (2, 3, 4))], None),
        # At the end there is no next.
        ([b"a", b""], [], [("a", (0,))], None),
        ([b"a", b"\xe2\x82"], [], [("a", (0,))], None),
        # Held back while it could become a stop string.
        ([b"a<", b"/", b"b"], ["</s>"], [("a", ()), ("</b", (0, 1, 2))], [("a</b", (0, 1, 2))]),
        ([b"a", b"<", b"/"], ["</s>"], [("a", (0,)), ("</", (1, 2))], None),
        # The token that the stop string cuts through is beside what is left of it.
        (
            [b"on", b"e st", b"op"],
            ["stop"],
            [("on", (0,)), ("e ", ())],
            [("on", (0,)), ("e ", (1,))],
        ),
        (
            [b"on", b"e st", b"op"],
            ["stop", "one x"],
            [("one ", (0,))],
            [("on", (0,)), ("e ", (1,))],
        ),
        ([b"one", b" st", b"op"], [" stop"], [("one", (0,))], None),
        ([b"a", b"bstop", b"c"], ["stop"], [("a", (0,)), ("b", (1,))], None),
        ([b"stop"], ["stop"], [], None),
        # A stop string of characters that have several tokens.
        ([b"a", b"\xe2", b"\x82", b"\xac", b"b"], ["€"], [("a", (0,))], None),
        ([], ["x"], [], None),
    ],
)
def test_text_comes_with_the_tokens_that_it_completes(
    pieces: list[bytes], stops: list[str], sent: list[Sent], scored: list[Sent] | None
) -> None:
    assert say(pieces, stops)[0].content == sent
    # A score stands beside all of its token's text.
    assert say(pieces, stops, scored=True)[0].content == (scored or sent)


texts = st.text(st.sampled_from("ab<>/é€🙂 "), max_size=24)
stop_lists = st.lists(texts.filter(bool), max_size=3)
cuts = st.lists(st.integers(0, 100), max_size=24)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """Repeated edges make empty pieces, as control tokens are."""
    edges = sorted([0, len(data), *(place % (len(data) + 1) for place in at)])
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def ends(pieces: Pieces) -> list[int]:
    """Whole characters up to the end of each token."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    return list(itertools.accumulate(len(decoder.decode(piece)) for piece in pieces))


@settings(max_examples=300, deadline=None)
@given(text=texts, stops=stop_lists, at=cuts, scored=st.booleans())
@example(text="ab<", stops=["b<a"], at=[1, 2], scored=True)
def test_tokens_come_in_order_and_never_before_their_text(
    text: str, stops: list[str], at: list[int], scored: bool
) -> None:
    pieces = cut(text.encode(), at)
    heard, output = say(pieces, stops, scored=scored)
    tokens = [token for _, tokens in heard.content for token in tokens]
    assert tokens == list(range(len(tokens)))
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    assert heard.text == (text[: min(found)[1]] if found else text)
    assert (output.stopped is not None) == bool(found)
    characters, end = 0, ends(pieces)
    for part, beside in heard.content:
        characters += len(part)
        is_last = characters == len(heard.text)
        assert all(end[token] <= characters for token in beside) or (found and is_last)
    if not found:
        # Nothing is left out but what has no text.
        assert not b"".join(pieces[len(tokens) :]).strip(b"")


@settings(max_examples=300, deadline=None)
@given(text=texts, stops=stop_lists, at=cuts)
@example(text="one stop", stops=["stop", "one x"], at=[2, 6])
def test_a_scored_token_is_beside_exactly_its_own_text(
    text: str, stops: list[str], at: list[int]
) -> None:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in at)})
    words = [text[a:b] for a, b in itertools.pairwise(edges)]
    heard, _ = say([word.encode() for word in words], stops, scored=True)
    beside = ["".join(words[token] for token in tokens) for _, tokens in heard.content]
    shown = [text for text, _ in heard.content]
    assert beside[:-1] == shown[:-1]
    # Of the last, a stop string may have taken the end.
    assert all(whole.startswith(part) for whole, part in zip(beside, shown, strict=True))


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize(
    ("raw", "thoughts", "text", "calls", "retracted"),
    [
        ("<think>\nHm.\n</think>\n\nHi there.", "Hm.", "Hi there.", [], []),
        ("Hi <b>there</b>.", "", "Hi <b>there</b>.", [], []),
        ("<think>é€</think>🙂!", "é€", "🙂!", [], []),
        (f"<think>So.</think>{CALL}", "So.", "", ['get_weather{"city": "Rome"}'], []),
        (f"Now: {CALL}", "", "Now:", ['get_weather{"city": "Rome"}'], []),
        ("<think>never ends", "never ends", "", [], []),
        (f"A{BROKEN}", "", "A", [], [BROKEN]),
    ],
)
def test_however_it_is_cut_the_same_is_heard_of_it(
    raw: str, thoughts: str, text: str, calls: list[str], retracted: list[str], scored: bool
) -> None:
    data = raw.encode()
    splits = [[data[:at], data[at:]] for at in range(1, len(data))]
    splits += [[data], [data[at : at + 1] for at in range(len(data))]]
    for pieces in splits:
        heard, output = say(pieces, [], thinking_parser(), scored=scored)
        assert heard.thoughts == thoughts
        # A call that was begun and is none comes back whole, with what stood before it.
        assert heard.text + "".join(heard.retracted) == text + "".join(retracted)
        assert list(heard.calls.values()) == calls
        assert output.calls == len(calls)


@pytest.mark.parametrize(
    ("raw", "thinking"),
    [
        # The tags are thinking too; white space at their edges is not.
        ("<think>\nHm. <b>\n</think>\n\nHi <i>there</i>. ", "<think>Hm. <b>\n</think>"),
        ("<think></think>ab", "<think></think>"),
        (f"One moment < please: {CALL}", ""),
    ],
)
def test_of_tokens_of_one_character_the_content_is_made_of_its_own(raw: str, thinking: str) -> None:
    heard, output = say([c.encode() for c in raw], [], thinking_parser(), scored=True)
    for sent in (heard.content, heard.reasoning):
        for text, tokens in sent:
            assert "".join(raw[token] for token in tokens) == text
    assert output.reasoning_tokens == len(thinking)


@given(at=st.integers(1, 30), size=st.integers(1, 8))
def test_a_stop_string_ends_the_content_and_not_the_thinking(at: int, size: int) -> None:
    raw = "<think>stop, no</think>go on stop it"
    pieces = [raw[:at].encode()]
    pieces += [raw[i : i + size].encode() for i in range(at, len(raw), size)]
    heard, output = say(pieces, ["stop"], thinking_parser())
    assert (heard.thoughts, heard.text, output.stopped) == ("stop, no", "go on ", "stop")


def test_a_call_has_an_id_of_its_own() -> None:
    output = Output(1, 2, (), thinking_parser())
    deltas = [*output.feed(0, f"{CALL}\n{CALL}".encode()), *output.finish()]
    ids = [delta.id for delta in deltas if isinstance(delta, ToolCallDelta) and delta.id]
    assert len(set(ids)) == 2
    assert all(name.startswith("call_") for name in ids)
    assert output.calls == 2
