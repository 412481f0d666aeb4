"""From what a request constrains its answer to, to a grammar for the model's tokens."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections import OrderedDict
from typing import Any

from llguidance import LLMatcher, LLParserLimits

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Constraint
from kronk.worker.model import Model

from . import gbnf, patterns, schema
from .blame import blame
from .closing import Closer
from .keywords import Schema
from .lexing import to_lark
from .matcher import Masks, Matcher
from .multiples import multiples_in
from .refused import Refused, Unenforceable
from .search import Place, Search
from .vocabulary import Vocabulary

# White space between JSON's tokens: none, a space, or a line break with an indent. A model cannot
# go on with it for ever.
_SPACE = r"[ ]|\n[ ]{0,40}|\n\t{0,10}"
_ANY_OBJECT = {"type": "object"}
_MAX_SOURCE = 256 * 1024
_CACHED = 64
# Tokens of the shortest answer whose masks are tried out, and seconds that one may take and that
# all may take: other answers wait for them.
_REHEARSED = 48
_SLOWEST = 0.1
_TOGETHER = 1.0
_MAX_REASON = 300
_NO_VALUE = "no value is allowed here"
# What llguidance's reasons mean to who wrote the schema.
_CLEARER = {
    "oneOf constraints are not supported": (
        "alternatives must exclude each other by a property that each requires with a constant of"
        " its own, or by their types; where they do not have to, use anyOf"
    ),
    "Unable to determine if regex is empty": "these keywords together are too complex",
    "anyOf is empty": _NO_VALUE,
    "schema too large": "all combinations of these alternatives are too many",
}
# Those that say nothing against the schema.
_BEYOND_US = frozenset(_CLEARER.values()) - {_NO_VALUE}
_MAX_HINTS = 32
_CONTROL = re.compile(r"<\[([0-9]{1,9})\]>")
_MAX_CONTROLS = 32
_HINT_EFFORT = 2_000
# Steps of some 3 µs that the search for a shortest answer may take.
_EFFORT = 60_000


class Grammar:
    """A language answers can be held to. Immutable; any number of answers may start from it."""

    def __init__(self, start: Matcher, shortest: int) -> None:
        self._start = start
        # Tokens of the shortest answer found.
        self.shortest = shortest

    def start(self) -> Matcher:
        """A matcher at the beginning of an answer."""
        return self._start.fork()

    def begin(self, budget: int) -> tuple[Matcher, Closer]:
        """A matcher at the beginning of an answer, and what keeps the answer, which may have
        `budget` tokens and needs at least `shortest`, from being cut."""
        matcher = self.start()
        return matcher, Closer(matcher, budget)


class Compiler:
    """Makes grammars for one model. Its token table is built when it is first needed: it takes up
    to a second. For one thread at a time, except that calls wait for each other."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._tools: _Tools | None = None
        self._cache: OrderedDict[tuple[str, str], Grammar] = OrderedDict()
        self._limits = LLParserLimits(
            max_grammar_size=200_000,
            max_lexer_states=50_000,
            # Some 20 ms for one mask. Single characters take many on a large vocabulary.
            step_max_items=400_000,
            verbose_errors=False,
        )

    def compile(self, constraint: Constraint) -> Grammar:
        """The grammar of a constraint; raises `InvalidArgument` naming the path inside it."""
        with self._lock:
            return self._cached(constraint.kind, constraint.source, constraint.param)

    def compile_lark(self, lark: str, param: str) -> Grammar:
        """A grammar in llguidance's Lark dialect; raises `InvalidArgument`."""
        with self._lock:
            return self._cached("lark", lark, param)

    def _cached(self, kind: str, source: str, param: str) -> Grammar:
        known = self._cache.get((kind, source))
        if known is None:
            known = self._make(kind, source, param)
            self._cache[kind, source] = known
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        self._cache.move_to_end((kind, source))
        return known

    def _make(self, kind: str, source: str, param: str) -> Grammar:
        tools = self._tools = self._tools or _Tools(Vocabulary(self._model), self._limits)
        match kind:
            case "json_schema":
                start = tools.of_schema(schema.parse(source, param), param)
            case "json_object":
                start = tools.of_schema(_ANY_OBJECT, param)
            case _:
                grammar = self._translated(kind, source, param)
                place = Place(controls=_controls(grammar), multiples=multiples_in(grammar))
                start = tools.matcher(tools.state(grammar), param, place)
        return tools.grammar(start, param)

    def _translated(self, kind: str, source: str, param: str) -> str:
        if len(source) > _MAX_SOURCE:
            raise InvalidArgument(
                f"{param}: it is over the limit of {_MAX_SOURCE // 1024} KiB", param=param
            )
        try:
            if kind == "regex":
                source = patterns.grammar(patterns.translate(source, param))
            elif kind == "grammar":
                source = to_lark(gbnf.parse(source, self._model.single))
        except Refused as refused:
            raise InvalidArgument(f"{param}: {refused.reason}", param=param) from None
        return LLMatcher.grammar_from_lark(source)


class _Tools:
    """What takes the vocabulary to make."""

    def __init__(self, vocabulary: Vocabulary, limits: LLParserLimits) -> None:
        self.vocabulary = vocabulary
        self._limits = limits
        self._search = Search(vocabulary)
        self._masks = Masks(vocabulary.size)

    def of_schema(self, value: Any, param: str) -> Matcher:
        document = schema.rewrite(value, param)

        def attempt(part: Schema) -> str:
            return _reason(self._json(document, part))

        state = self._json(document, document.root.schema)
        if reason := _reason(state):
            path, reason = blame(document, reason, attempt)
            kind = Unenforceable if reason in _BEYOND_US else InvalidArgument
            raise kind(f"{path}: {reason}", param=path)
        multiples = multiples_in(json.dumps(document.alone(document.root.schema)))
        place = Place(hints=self._hints(document.patterns), multiples=multiples)
        return self.matcher(state, param, place)

    def _json(self, document: schema.Document, part: Schema) -> LLMatcher:
        options = {"x-guidance": {"whitespace_pattern": _SPACE}}
        value = document.alone(part) | options
        return self.state(LLMatcher.grammar_from_json_schema(json.dumps(value)))

    def _hints(self, texts: tuple[str, ...]) -> tuple[list[int], ...]:
        """A text for each pattern, and one for all of them: what is found anywhere in a string is
        hard to find again from its state."""
        hints = []
        for pattern in texts[:_MAX_HINTS]:
            state = self.state(LLMatcher.grammar_from_lark(patterns.grammar(pattern)))
            found = None if _reason(state) else self._search.ending(state, Place(), _HINT_EFFORT)
            if found:
                text = self.vocabulary.text(found).decode("utf-8", "replace")
                quoted = json.dumps(text, ensure_ascii=False)[1:-1].encode()
                hints.append(
                    [self.vocabulary.bytes.get(byte, self.vocabulary.end) for byte in quoted]
                )
        return (*hints, list(itertools.chain(*hints))) if len(hints) > 1 else tuple(hints)

    def state(self, grammar: str) -> LLMatcher:
        """The state at the beginning of a grammar; or in error."""
        return LLMatcher(self.vocabulary.tokenizer, grammar, log_level=0, limits=self._limits)

    def matcher(self, state: LLMatcher, param: str, place: Place) -> Matcher:
        """The matcher at the beginning of a grammar; raises `InvalidArgument` for one in error."""
        if reason := _reason(state):
            raise InvalidArgument(f"{param}: {reason}", param=param)
        return Matcher(state, self.vocabulary, self._search, self._masks, param, place)

    def grammar(self, start: Matcher, param: str) -> Grammar:
        """Raises `InvalidArgument` when no answer is found that the grammar allows."""
        ending = start.ending(_EFFORT)
        if ending is None:
            raise Unenforceable(
                f"{param}: no answer was found that it allows, or none is short enough",
                param=param,
            )
        if not start.fork().rehearse(ending[:_REHEARSED], _SLOWEST, _TOGETHER):
            raise Unenforceable(
                f"{param}: it is too complex: each token would take very long", param=param
            )
        return Grammar(start, len(self.vocabulary.respell(ending)))


def _controls(grammar: str) -> tuple[int, ...]:
    """The control tokens that a grammar names, the last one first: what closes comes behind what
    opens."""
    named = dict.fromkeys(map(int, _CONTROL.findall(grammar)))
    return tuple(reversed(named))[:_MAX_CONTROLS]


def _reason(state: LLMatcher) -> str:
    """Why a state is in error; nothing when it is not."""
    lines = state.get_error().strip().splitlines()
    if not lines:
        return ""
    # A regular expression's error comes with a drawing of its place first.
    first = next((line for line in lines if line.startswith("error: ")), lines[0])
    for theirs, ours in _CLEARER.items():
        if theirs in first:
            return ours
    return first[:_MAX_REASON]
