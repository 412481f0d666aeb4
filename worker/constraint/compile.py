"""From what a request constrains its answer to, to a grammar for the model's tokens."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import Any

from llguidance import LLMatcher, LLParserLimits

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Constraint
from kronk.worker.model import Model

from . import gbnf, patterns, schema
from .closing import Closer
from .matcher import Masks, Matcher
from .refused import Refused
from .search import Search
from .vocabulary import Vocabulary

# White space between JSON's tokens: none, a space, or a line break with an indent. A model cannot
# go on with it for ever.
_SPACE = r"[ ]|\n[ ]{0,40}|\n\t{0,10}"
_ANY_OBJECT = {"type": "object"}
_MAX_SOURCE = 256 * 1024
_CACHED = 64
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
            max_grammar_size=200_000, max_lexer_states=50_000, verbose_errors=False
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
                state = tools.schema(schema.parse(source, param), param)
            case "json_object":
                state = tools.schema(_ANY_OBJECT, param)
            case _:
                state = tools.state(_translated(kind, source, param))
                if state.is_error():
                    raise InvalidArgument(f"{param}: {_reason(state)}", param=param)
        return tools.grammar(state, param)


class _Tools:
    """What takes the vocabulary to make."""

    def __init__(self, vocabulary: Vocabulary, limits: LLParserLimits) -> None:
        self.vocabulary = vocabulary
        self._limits = limits
        self._search = Search(vocabulary)
        self._masks = Masks(vocabulary.size)

    def schema(self, value: Any, param: str) -> LLMatcher:
        document = schema.rewrite(value, param)
        state = self._json(document.alone(document.root.schema))
        if state.is_error():
            raise InvalidArgument(f"{param}: {_reason(state)}", param=param)
        return state

    def _json(self, value: dict[str, Any]) -> LLMatcher:
        options = {"x-guidance": {"whitespace_pattern": _SPACE}}
        return self.state(LLMatcher.grammar_from_json_schema(json.dumps(value | options)))

    def state(self, grammar: str) -> LLMatcher:
        """The state at the beginning of a grammar; or in error."""
        return LLMatcher(self.vocabulary.tokenizer, grammar, log_level=0, limits=self._limits)

    def grammar(self, state: LLMatcher, param: str) -> Grammar:
        """Raises `InvalidArgument` when no answer is found that the grammar allows."""
        start = Matcher(state, self.vocabulary, self._search, self._masks, param)
        ending = start.ending(_EFFORT)
        if ending is None:
            raise InvalidArgument(
                f"{param}: no answer was found that it allows, or none is short enough",
                param=param,
            )
        return Grammar(start, len(self.vocabulary.respell(ending)))


def _translated(kind: str, source: str, param: str) -> str:
    if len(source) > _MAX_SOURCE:
        raise InvalidArgument(f"it is over the limit of {_MAX_SOURCE // 1024} KiB", param=param)
    if kind == "lark":
        return LLMatcher.grammar_from_lark(source)
    try:
        if kind == "regex":
            return LLMatcher.grammar_from_regex(patterns.whole(source, param))
        return LLMatcher.grammar_from_lark(gbnf.to_lark(source))
    except Refused as refused:
        raise InvalidArgument(f"{param}: {refused.reason}", param=param) from None


def _reason(state: LLMatcher) -> str:
    return state.get_error().strip().splitlines()[0][:300]
