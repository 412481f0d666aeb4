"""GBNF: the same tokens are allowed, step by step, as llama.cpp's own grammars allow."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from harness.constrained import answer, compiler, model, rows
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Constraint
from kronk.worker.constraint.compile import Grammar
from kronk.worker.constraint.matcher import Matcher

JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws

array  ::=
  "[" ws (
            value
    ("," ws value)*
  )? "]" ws

string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws

number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws

# Optional space
ws ::= | " " | "\n" [ \t]{0,20}
"""
ARITHMETIC = r"""
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]+ ws
ws    ::= [ \t\n]*
"""
CHESS = r"""
# Moves only
root    ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move " " move "\n")+
move    ::= (pawn | nonpawn | castle) [+#]?
pawn    ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
castle  ::= "O-O" "-O"?
"""
LIST = r"""
root ::= item+

# Excludes various line break characters
item ::= "- " [^\r\n\x0b\x0c\x85\u2028\u2029]+ "\n"
"""
JAPANESE = r"""
root ::= jp-char+ ([ \t\n] jp-char+)*
jp-char ::= hiragana | katakana
hiragana ::= [ぁ-ゟ]
katakana ::= [ァ-ヿ]
"""
PROGRAM = r"""
root ::= declaration*
declaration ::= type identifier "(" parameter? ")" "{" statement* "}"
type  ::= "int" ws | "float" ws | "char" ws
identifier ::= [a-zA-Z_] [a-zA-Z_0-9]*
parameter ::= type identifier
statement ::=
  ( type identifier ws "=" ws expression ";" ) |
  ( identifier ws "=" ws expression ";" ) |
  ( "return" ws expression ";" ) |
  ( "while" "(" condition ")" "{" statement* "}" )
condition ::= expression ("==" | "<=" | "<") expression
expression ::= term (("+" | "-") term)*
term ::= factor(("*" | "/") factor)*
factor ::= identifier | number | "(" expression ")"
number ::= [0-9]+
ws ::= ([ \t\n]+)
"""
GRAMMARS = {
    "JSON": JSON,
    "arithmetic": ARITHMETIC,
    "chess": CHESS,
    "list": LIST,
    "Japanese": JAPANESE,
    "program": PROGRAM,
    "longest match": 'root ::= [a-z]+ "x"',
    "longest match in a rule": 'root ::= "<" name "s>" root? \nname ::= [a-z]+',
    "prefixes of each other": 'root ::= pair+\npair ::= ("a" | "ab") ("b" | "bc") ","',
    "balance": 'root ::= "a" root "b" | [a-z]',
    "lexeme or rule": 'root ::= "(" root ")" | [a-z]+ ";" | "ab" root',
    "repetition": 'root ::= "a"{2} "b"{1,} [cd]{2,4} "e"{0,2} ("f" "g"?){3}',
    "repetition of nothing": 'root ::= "a"{0} "b" ("c" | ){2}',
    "unicode": r'root ::= "\u00e9\U0001F600\x41" [\u4e00-\u9fff]{1,2} "é"',
    "any character": 'root ::= "<" .{2} ">"',
    "class of specials": r'root ::= [\]\[\\"^-] [^\]\n] [a\-z-]'.replace(r"\-", "-"),
    "comments": '# first\nroot ::= "a" | # or\n  "b" # and\n# last',
    "alternatives over lines": 'root ::= "a" |\n  "b" |\n  ( "c"\n | "d" )\n',
    "empty alternative": 'root ::= "a" rest\nrest ::= | "b" rest',
    "ambiguous": 'root ::= ws "a" ws ws "b" ws\nws ::= [ \\n]*',
    "names": 'root ::= a-1 B2\na-1 ::= "x"\nB2 ::= "y" a-1 | "z"',
}


def gbnf(source: str) -> Grammar:
    return compiler().compile(Constraint("grammar", source, "grammar"))


class Reference:
    """llama.cpp's own sampler for a grammar."""

    def __init__(self, source: str) -> None:
        self._sampler = lib.llama_sampler_init_grammar(model().vocab, source.encode(), b"root")
        assert self._sampler, "llama.cpp reads it"
        self._rows = (lib.llama_token_data * model().n_vocab)()

    def allowed(self) -> set[int]:
        for token in range(model().n_vocab):
            self._rows[token] = lib.llama_token_data(id=token, logit=0.0, p=0.0)
        array = lib.llama_token_data_array(
            data=self._rows, size=model().n_vocab, selected=-1, sorted=False
        )
        lib.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return {row.id for row in self._rows if row.logit > -np.inf}

    def accept(self, token: int) -> None:
        lib.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        lib.llama_sampler_free(self._sampler)


@pytest.fixture
def reference(request: pytest.FixtureRequest) -> Iterator[Reference]:
    made = Reference(GRAMMARS[request.param])
    yield made
    made.close()


def is_text(token: int) -> bool:
    """llama.cpp also allows tokens that are no text or no UTF-8, and no zero bytes."""
    piece = model().piece(token)
    try:
        return bool(piece.decode()) and b"\0" not in piece
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize(
    ("reference", "name"), [(name, name) for name in GRAMMARS], indirect=["reference"]
)
def test_each_token_is_allowed_that_llama_cpp_allows_and_no_other(
    reference: Reference, name: str
) -> None:
    matcher = gbnf(GRAMMARS[name]).start()
    for logits, _ in zip(rows(len(name)), range(25), strict=False):
        matcher.apply(logits)
        ours = set(np.flatnonzero(logits > -np.inf).tolist())
        theirs = reference.allowed()
        if forced := matcher.forced():
            # Of the ways to spell a text that cannot be another, only the usual one.
            assert ours == {forced[0]} <= theirs
        else:
            assert {model().piece(token) for token in ours ^ theirs if is_text(token)} == set()
        token = int(
            np.where([is_text(token) for token in range(logits.size)], logits, -np.inf).argmax()
        )
        if token not in ours:
            break
        matcher.accept(token)
        reference.accept(token)


@pytest.mark.parametrize("name", GRAMMARS)
def test_what_is_allowed_is_what_the_mask_allows(name: str) -> None:
    matcher = gbnf(GRAMMARS[name]).start()
    for logits, _ in zip(rows(len(name) + 1), range(12), strict=False):
        matcher.apply(logits)
        mask = (logits > -np.inf).tolist()
        assert [matcher.allows(token) for token in range(len(mask))] == mask
        token = int(logits.argmax())
        if token in model().ends:
            break
        matcher.accept(token)


@pytest.mark.parametrize("name", ["JSON", "arithmetic", "chess", "list", "Japanese"])
def test_how_llama_cpps_own_examples_end_is_found_soon(name: str) -> None:
    assert gbnf(GRAMMARS[name]).start().ending(1_000) is not None


@pytest.mark.parametrize("name", GRAMMARS)
def test_answers_are_whole_at_every_budget(name: str) -> None:
    grammar = gbnf(GRAMMARS[name])
    for more in (0, 1, 3, 7, 20):
        said = answer(grammar, grammar.shortest + more, seed=more)
        matcher = grammar.start()
        for token in model().tokenize_part(said.decode()):
            matcher.accept(token)
        assert matcher.may_end


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "there is no rule named root"),
        ('a ::= "b"', "there is no rule named root"),
        ("root ::= a", "there is no rule named a"),
        ('root ::= "a', "line 1: '\"' is missing"),
        ('root ::= "a"\nb ::= [a-', "line 2: ']' is missing"),
        ("root ::= (", "line 1: ')' is expected"),
        ('root ::= ("a"', "line 1: ')' is expected"),
        ('root ::= "a")', "line 1: a rule is expected"),
        ("root = a", "line 1: a rule is expected"),
        ("root ::= []", "line 1: a class without characters"),
        ("root ::= [z-a]", "line 1: a range's first"),
        (r'root ::= "\q"', "line 1: '\\q' stands for nothing"),
        (r'root ::= "\x4"', "line 1: '\\x' stands for nothing"),
        (r'root ::= "\ud800"', "line 1: there is no such character"),
        ('root ::= "a"{3,2}', "line 1: a repetition's first"),
        ('root ::= "a"{x}', "line 1: a repetition is {n}"),
        ('root ::= "a"{1000000}', "line 1: a repetition is of 2000 times at most"),
        ("root ::= <no-such-token>", "line 1: <no-such-token> is no single token"),
        ("root ::= " + "(" * 1000, "line 1: more than 60 parentheses"),
        ('root ::= "a" root', "no answer was found"),
        ("root ::= root", "no answer was found"),
        ("root ::= a\na ::= b\nb ::= a", "no answer was found"),
        ("root ::= " + "a " * 200_000, "the limit of 256 KiB"),
    ],
)
def test_a_grammar_that_cannot_be_followed_is_refused_with_the_line(
    source: str, reason: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        gbnf(source)
    assert refused.value.param == "grammar"
    assert refused.value.message.startswith("grammar: ")
    assert reason in refused.value.message


def test_a_line_may_begin_with_a_bar() -> None:
    matcher = gbnf('root ::= "a" # one\n  | "b"\nc ::= "c"').start()
    assert allowed(matcher, b"a", b"b", b"c") == [b"a", b"b"]


def test_a_token_of_the_vocabulary_can_be_named() -> None:
    matcher = gbnf('root ::= <|im_start|> "a" | !<|im_start|> "b"').start()
    token = model().single("<|im_start|>")
    assert token is not None
    assert matcher.allows(token)
    matcher.accept(token)
    assert allowed(matcher, b"a", b"b") == [b"a"]


def allowed(matcher: Matcher, *texts: bytes) -> list[bytes]:
    return [text for text in texts if matcher.allows(model().single(text.decode()) or 0)]
