"""How a number that was begun becomes a multiple: arithmetic, and answers that need it."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.constrained import answer, schema_grammar
from kronk.worker.constraint.multiples import (
    MOST_REMAINDERS,
    Multiples,
    begun_number,
    multiples_in,
    remainders,
)

OF = st.one_of(
    st.integers(1, 10**5).map(Fraction),
    st.decimals("0.001", "99", places=3).map(Fraction),
)
BEGUN = st.from_regex(r"-?[1-9][0-9]{0,9}(\.[0-9]{0,4})?", fullmatch=True).map(str.encode)


def test_short_endings_come_first() -> None:
    endings = Multiples((Fraction(7),), ()).endings(b"1")
    assert list(islice(endings, 3)) == [b"4", b"05", b"001"]


@given(begun=BEGUN, of=OF)
def test_every_ending_makes_a_multiple(begun: bytes, of: Fraction) -> None:
    for ending in Multiples((of,), ()).endings(begun):
        assert Fraction(Decimal((begun + ending).decode())) % of == 0


@given(begun=st.integers(1, 10**9).map(lambda number: str(number).encode()), of=OF)
def test_a_whole_number_always_has_an_ending_no_longer_than_the_other_is(
    begun: bytes, of: Fraction
) -> None:
    shortest = next(Multiples((of,), ()).endings(begun))
    assert len(shortest) <= len(str(of.numerator))


@given(of=OF, bounds=st.lists(st.integers(-(10**9), 10**9).map(Fraction), max_size=3))
def test_where_nothing_is_begun_there_is_a_multiple_on_each_side_of_each_bound(
    of: Fraction, bounds: list[Fraction]
) -> None:
    texts = list(Multiples((of,), tuple(bounds)).endings(b""))
    numbers = [Fraction(Decimal(text.decode())) for text in texts]
    assert all(number % of == 0 for number in numbers)
    assert texts[0] == b"0"
    for bound in bounds:
        assert any(bound < number <= bound + 2 * of for number in numbers)
        assert any(bound - 2 * of <= number < bound for number in numbers)
    negative = [text[1:] for text in texts if text.startswith(b"-")]
    assert list(Multiples((of,), tuple(bounds)).endings(b"-")) == negative


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"", b""),
        (b'{"a":-1', b"-1"),
        (b"[1, 20.5", b"20.5"),
        (b"3.", b"3."),
        (b"-", b"-"),
        (b"12 ", b""),
        (b"1-2", b""),
        (b"01", b""),
        (b'"a1', b"1"),
    ],
)
def test_a_number_that_was_begun_is_what_a_text_ends_with(text: bytes, number: bytes) -> None:
    assert begun_number(text) == number


@pytest.mark.parametrize("escapes", range(3))
def test_multiples_are_found_however_often_their_grammar_was_quoted(escapes: int) -> None:
    grammar = json.dumps(
        {"multipleOf": 0.25, "minimum": -3, "exclusiveMaximum": 1e3, "multiple": 7, "maximum": "x"}
    )
    for _ in range(escapes):
        grammar = json.dumps(grammar)
    assert multiples_in(grammar) == Multiples((Fraction(1, 4),), (Fraction(-3), Fraction(1000)))
    assert multiples_in(grammar.replace("multipleOf", "minimum")) is None


@pytest.mark.parametrize(
    ("multiple", "count"), [(7, 7), (100, 1), (0.25, 25), (1e-7, 1), (86400, 864), (99.99, 9999)]
)
def test_zeros_at_the_end_make_no_remainders(multiple: float, count: int) -> None:
    assert remainders(multiple) == count
    assert count <= MOST_REMAINDERS


@pytest.mark.parametrize("multiple", [7, 97, 997, 1024, 86400, 99991, 3.7, 99.99, 0.01])
def test_the_shortest_answer_with_a_multiple_is_short(multiple: float) -> None:
    grammar = schema_grammar(
        {
            "type": "object",
            "properties": {"a": {"type": "number", "multipleOf": multiple}},
            "required": ["a"],
            "additionalProperties": False,
        }
    )
    assert grammar.shortest <= 7
    for seed, more in ((0, 0), (1, 3), (2, 40)):
        said = json.loads(
            answer(grammar, grammar.shortest + more, seed), parse_float=Decimal, parse_int=Decimal
        )
        assert Fraction(said["a"]) % Fraction(str(multiple)) == 0


def test_a_number_goes_on_though_its_next_digit_makes_no_multiple() -> None:
    """What ends it is found, however far it is."""
    grammar = schema_grammar({"type": "integer", "multipleOf": 997, "minimum": 10**6})
    lengths = {len(answer(grammar, 60, seed)) for seed in range(6)}
    assert max(lengths) > 10


def test_a_number_may_be_a_multiple_of_several() -> None:
    found = multiples_in('{"multipleOf": 0.75} {"multipleOf": 10} {"multipleOf": 0.75}')
    assert found == Multiples((Fraction(3, 4), Fraction(10), Fraction(30)), ())
