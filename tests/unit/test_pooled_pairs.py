"""How a query and a document become one text for a classifier."""

from __future__ import annotations

import dataclasses

import pytest

from kronk.worker.pooled.pairs import Frame, Specials, frame, framed, templated

BOS, EOS, SEP = 1, 2, 3
QUIET = Specials(
    bos=BOS, eos=EOS, sep=SEP, add_bos=False, add_eos=False, add_sep=False,
    is_wordpiece=False, is_unigram=False,
)  # fmt: skip


def specials(**changes: object) -> Specials:
    return dataclasses.replace(QUIET, **changes)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(QUIET, Frame((), (), ()), id="nothing is added"),
        pytest.param(
            specials(add_bos=True, add_eos=True, add_sep=True),
            Frame((BOS,), (EOS, SEP), (EOS,)),
            id="all as llama-server has it",
        ),
        pytest.param(
            specials(add_bos=True, add_eos=True),
            Frame((BOS,), (EOS,), (EOS,)),
            id="no separator where the file says so",
        ),
        pytest.param(
            specials(add_eos=True, eos=None), Frame((), (SEP,), (SEP,)), id="SEP stands in for EOS"
        ),
        pytest.param(
            specials(add_bos=True, add_sep=None, is_wordpiece=True),
            Frame((BOS,), (SEP,), (SEP,)),
            id="BERT where the file says nothing",
        ),
        pytest.param(
            specials(add_bos=True, add_eos=True, eos=SEP, add_sep=None, is_wordpiece=True),
            Frame((BOS,), (SEP,), (SEP,)),
            id="BERT whose EOS is its SEP has one separator",
        ),
        pytest.param(
            specials(add_bos=True, add_eos=True, sep=EOS, add_sep=None, is_unigram=True),
            Frame((BOS,), (EOS, EOS), (EOS,)),
            id="XLM-RoBERTa has two",
        ),
        pytest.param(
            specials(add_bos=True, bos=None, add_sep=None), Frame((), (), ()), id="no such token"
        ),
    ],
)
def test_special_tokens_around_a_pair(given: Specials, expected: Frame) -> None:
    assert frame(given) == expected


def test_a_document_is_cut_and_what_follows_it_is_not() -> None:
    around = Frame((BOS,), (SEP,), (EOS,))
    query, document = [10, 11], [20, 21, 22, 23]
    assert framed(around, query, document, None) == [BOS, 10, 11, SEP, 20, 21, 22, 23, EOS]
    assert framed(around, query, document, 7) == [BOS, 10, 11, SEP, 20, 21, EOS]
    assert framed(around, query, document, 3) == [BOS, 10, 11, SEP, EOS]
    assert framed(around, query, document, None, 1) == [BOS, 10, 11, SEP, 20, EOS]
    assert framed(around, query, document, 7, 9) == framed(around, query, document, 7)


class Letters:
    """A token a character; `#` is the name of a special one."""

    def plain(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def marked_up(self, text: str) -> list[int]:
        return [0 if character == "#" else ord(character) for character in text]


def spelled(tokens: list[int]) -> str:
    return "".join("*" if token == 0 else chr(token) for token in tokens)


@pytest.mark.parametrize(
    ("query", "document", "longest", "document_tokens", "expected"),
    [
        ("cat", "dog", None, None, "*q:cat d:dog*!"),
        # A text that spells a special token, or a place, stays text.
        ("c#t", "d#g", None, None, "*q:c#t d:d#g*!"),
        ("{document}", "{query}", None, None, "*q:{document} d:{query}*!"),
        ("cat", "a long document", 20, None, "*q:cat d:a long do*!"),
        ("cat", "dog", 5, None, "*q:cat d:*!"),
        ("cat", "a long document", None, 6, "*q:cat d:a long*!"),
        ("cat", "a long document", 20, 6, "*q:cat d:a long*!"),
        ("cat", "a long document", 20, 12, "*q:cat d:a long do*!"),
        ("cat", "dog", None, 3, "*q:cat d:dog*!"),
    ],
)
def test_a_template_is_filled(
    query: str, document: str, longest: int | None, document_tokens: int | None, expected: str
) -> None:
    tokens = templated(
        "#q:{query} d:{document}#!", query, document, Letters(), longest, document_tokens
    )
    assert spelled(tokens) == expected
