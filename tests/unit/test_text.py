"""However the text is cut into tokens, the same text is sent."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kronk.worker.engine.text import Characters, StopFilter


def run(pieces: list[bytes], stops: list[str]) -> tuple[str, bool]:
    characters, filter_ = Characters(), StopFilter(stops)
    sent = []
    for piece in pieces:
        sent.append(filter_.feed(characters.feed(piece)))
        if filter_.stopped is not None:
            return "".join(sent), True
    sent.append(filter_.finish())
    return "".join(sent), False


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize(
    ("pieces", "stops", "sent", "stopped"),
    [
        ([b"Hello", b" world"], [], "Hello world", False),
        ([b"Hello", b" world"], [" wor"], "Hello", True),
        ([b"Hel", b"lo w", b"orld"], ["lo wo"], "Hel", True),
        # A start of the stop string that does not go on is text after all.
        ([b"a<", b"b"], ["</s>"], "a<b", False),
        ([b"a</", b"s"], ["</s>"], "a</s", False),
        # The stop string complete first wins, and of two complete together the longer.
        ([b"xab"], ["abc", "b"], "xa", True),
        ([b"xab"], ["b", "ab"], "x", True),
        # A character's bytes in three tokens.
        ([b"\xe2", b"\x82", b"\xac!"], [], "\u20ac!", False),
        # An unfinished character at the end was never written.
        ([b"ok\xe2\x82"], [], "ok", False),
        # Bytes that are no UTF-8 cannot be sent as they are.
        ([b"a\xffb"], [], "a\ufffdb", False),
        ([b"", b"a", b""], ["b"], "a", False),
        # A stop string of one character cut through its bytes.
        ([b"a\xc3", b"\xa9b"], ["\u00e9"], "a", True),
    ],
)
def test_what_is_sent(pieces: list[bytes], stops: list[str], sent: str, stopped: bool) -> None:
    assert run(pieces, stops) == (sent, stopped)


texts = st.text(st.sampled_from("ab<>/\u00e9\u20ac\U0001f642 "), max_size=30)


@given(text=texts, stops=st.lists(texts.filter(bool), max_size=4), at=st.lists(st.integers(0, 200)))
@example(text="xabc", stops=["abc", "b"], at=[3])
def test_any_split_into_tokens_gives_the_same_text(
    text: str, stops: list[str], at: list[int]
) -> None:
    data = text.encode()
    assert run(cut(data, at), stops) == run([data[i : i + 1] for i in range(len(data))], stops)


@given(text=texts, stops=st.lists(texts.filter(bool), max_size=4), at=st.lists(st.integers(0, 200)))
def test_no_stop_string_is_ever_sent_and_nothing_else_is_lost(
    text: str, stops: list[str], at: list[int]
) -> None:
    sent, stopped = run(cut(text.encode(), at), stops)
    assert not any(stop in sent for stop in stops)
    assert text.startswith(sent)
    assert stopped == any(stop in text for stop in stops)
    assert stopped or sent == text
