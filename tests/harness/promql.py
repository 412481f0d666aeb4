"""PromQL, as far as our dashboards and alerts speak it, read strictly: what is no expression, or
asks for a series or a label that there is not, is an error.

No Prometheus is at hand in a test. `promtool` knows the grammar better and nothing of our series.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# A token of each kind; longer operators first.
_TOKENS = re.compile(
    r"""\s*(?:
      (?P<duration>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|Inf\b|NaN\b)
    | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],@])
    )""",
    re.VERBOSE,
)
_AGGREGATIONS = {"sum", "avg", "min", "max", "count", "group"}
_WITH_PARAMETER = {"topk", "bottomk", "quantile"}
# What each takes: v is an instant vector, r a range, s a number.
_FUNCTIONS = {
    "rate": "r",
    "increase": "r",
    "irate": "r",
    "delta": "r",
    "deriv": "r",
    "changes": "r",
    "resets": "r",
    "avg_over_time": "r",
    "max_over_time": "r",
    "min_over_time": "r",
    "histogram_quantile": "sv",
    "clamp_min": "vs",
    "clamp_max": "vs",
    "abs": "v",
    "round": "v",
    "time": "",
    "vector": "s",
    "absent": "v",
}
# Where only a counter makes sense.
_OF_COUNTERS = {"rate", "increase", "irate", "resets"}
_POWER = ("or",), ("and", "unless"), ("==", "!=", ">", "<", ">=", "<="), ("+", "-"), ("*", "/", "%")
_COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
_SETS = {"or", "and", "unless"}
# Which a scrape adds to all series.
ADDED = frozenset({"job", "instance"})


class BadQuery(Exception):
    """What is wrong with an expression."""


@dataclass(frozen=True)
class Selector:
    """A series that is asked for: its name, and the labels that are compared."""

    name: str
    matchers: dict[str, tuple[str, str]]
    is_range: bool
    # The function it is given to, if to any.
    function: str | None = None


@dataclass
class _Value:
    """What a part of an expression comes to."""

    kind: str
    # Labels that it may have.
    labels: frozenset[str] = frozenset()


@dataclass
class Query:
    """A good expression: its text and what it asks for."""

    text: str
    selectors: list[Selector] = field(default_factory=list)
    labels: frozenset[str] = frozenset()


def read(text: str, known: Mapping[str, frozenset[str]], counters: frozenset[str]) -> Query:
    """Read an expression over series of these names and labels; `BadQuery` says what is wrong."""
    reader = _Reader(text, known, counters)
    value = reader.expression(0)
    if reader.peek() is not None:
        raise BadQuery(f"{reader.peek()!r} is not expected: {text}")
    if value.kind != "v":
        raise BadQuery(f"comes to no vector: {text}")
    if odd := reader.plain ^ reader.earlier:
        raise BadQuery(f"{sorted(odd)} only grows, so its rate is meant: {text}")
    return Query(text, reader.selectors, value.labels)


class _Reader:
    def __init__(
        self, text: str, known: Mapping[str, frozenset[str]], counters: frozenset[str]
    ) -> None:
        self._text = text
        self._known = known
        self._counters = counters
        self._tokens = list(_tokens(text))
        self._at = 0
        self.selectors: list[Selector] = []
        # Counters as they are now, and as they were: the one makes sense beside the other only, for
        # series that begin with what is waited for.
        self.plain = set[str]()
        self.earlier = set[str]()

    def peek(self) -> str | None:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else None

    def expression(self, power: int) -> _Value:
        """Operators that bind at least as strongly."""
        if power == len(_POWER):
            return self._unary()
        left = self.expression(power + 1)
        while (operator := self.peek()) in _POWER[power]:
            assert operator is not None
            self._next()
            if self.peek() == "bool":
                self._next()
            matched = self._matching()
            left = self._combined(operator, left, self.expression(power + 1), matched)
        return left

    def _matching(self) -> tuple[str, frozenset[str], str, frozenset[str]]:
        how, names, group, extra = "", frozenset[str](), "", frozenset[str]()
        if self.peek() in ("on", "ignoring"):
            how, names = self._next(), self._names()
            if self.peek() in ("group_left", "group_right"):
                group = self._next()
                extra = self._names() if self.peek() == "(" else extra
        return how, names, group, extra

    def _combined(
        self,
        operator: str,
        left: _Value,
        right: _Value,
        matched: tuple[str, frozenset[str], str, frozenset[str]],
    ) -> _Value:
        how, names, group, extra = matched
        if "s" in (left.kind, right.kind):
            if operator in _SETS or how:
                raise BadQuery(f"a number has no labels: {self._text}")
            return left if left.kind == "v" else right
        if how:
            self._must_have(names, left.labels & right.labels)
        elif operator != "or" and left.labels != right.labels:
            raise BadQuery(
                f"sides of {operator} have other labels, so nothing matches: "
                f"{sorted(left.labels)}, {sorted(right.labels)}: {self._text}"
            )
        many = right if group == "group_right" else left
        if operator in _SETS | _COMPARISONS or group or not how:
            return _Value("v", many.labels | extra)
        return _Value("v", names if how == "on" else left.labels - names)

    def _unary(self) -> _Value:
        if self.peek() == "-":
            self._next()
        kind, token = self._take()
        if token == "(":
            value = self.expression(0)
            self._expect(")")
            return value
        if kind == "number":
            return _Value("s")
        if kind != "name":
            raise BadQuery(f"{token!r} is not expected: {self._text}")
        if token in _AGGREGATIONS | _WITH_PARAMETER:
            return self._aggregation(token)
        if self.peek() == "(":
            return self._call(token)
        return self._selector(token, None)

    def _aggregation(self, name: str) -> _Value:
        how, names = self._grouping()
        self._expect("(")
        if name in _WITH_PARAMETER:
            if self.expression(0).kind != "s":
                raise BadQuery(f"{name} begins with a number: {self._text}")
            self._expect(",")
        value = self.expression(0)
        self._expect(")")
        if not how:
            how, names = self._grouping()
        if value.kind != "v":
            raise BadQuery(f"{name} is of a vector: {self._text}")
        self._must_have(names, value.labels)
        if name in ("topk", "bottomk"):
            return value
        return _Value("v", value.labels - names if how == "without" else names)

    def _grouping(self) -> tuple[str, frozenset[str]]:
        if self.peek() not in ("by", "without"):
            return "", frozenset()
        return self._next(), self._names()

    def _call(self, name: str) -> _Value:
        if name not in _FUNCTIONS:
            raise BadQuery(f"{name} is no function that is known here: {self._text}")
        self._expect("(")
        values = []
        for number, wanted in enumerate(_FUNCTIONS[name]):
            if number:
                self._expect(",")
            value = self._ranged(name) if wanted == "r" else self.expression(0)
            if value.kind != wanted.replace("r", "v"):
                raise BadQuery(f"{name} takes something else: {self._text}")
            values.append(value)
        self._expect(")")
        if name in ("time", "vector"):
            return _Value("s" if name == "time" else "v")
        labels = values[-1].labels if name == "histogram_quantile" else values[0].labels
        if name == "histogram_quantile":
            self._must_have(frozenset({"le"}), labels)
            labels -= {"le"}
        return _Value("v", labels)

    def _ranged(self, function: str) -> _Value:
        kind, token = self._take()
        if kind != "name":
            raise BadQuery(f"{function} is of a range of a series: {self._text}")
        return self._selector(token, function)

    def _selector(self, name: str, function: str | None) -> _Value:
        if name not in self._known:
            raise BadQuery(f"there is no {name}: {self._text}")
        labels = self._known[name] | ADDED
        matchers = self._matchers(labels) if self.peek() == "{" else {}
        is_range = self.peek() == "["
        if is_range:
            self._next()
            if self._take()[0] != "duration":
                raise BadQuery(f"a range is a duration: {self._text}")
            self._expect("]")
        if is_range != (function is not None):
            raise BadQuery(f"{name} needs {'no' if is_range else 'a'} range: {self._text}")
        self._check_kind(name, function, self._offset())
        self.selectors.append(Selector(name, matchers, is_range, function))
        return _Value("v", labels)

    def _offset(self) -> bool:
        if self.peek() != "offset":
            return False
        self._next()
        if self._take()[0] != "duration":
            raise BadQuery(f"an offset is a duration: {self._text}")
        return True

    def _check_kind(self, name: str, function: str | None, is_earlier: bool) -> None:
        is_counter = name in self._counters
        if is_counter and function not in _OF_COUNTERS:
            (self.earlier if is_earlier else self.plain).add(name)
        if not is_counter and function in _OF_COUNTERS:
            raise BadQuery(f"{name} is no counter: {self._text}")

    def _matchers(self, labels: frozenset[str]) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        self._expect("{")
        while self.peek() != "}":
            name, operator, (kind, value) = self._next(), self._next(), self._take()
            if operator not in ("=", "!=", "=~", "!~") or kind != "string":
                raise BadQuery(f"{name}{operator}{value} compares nothing: {self._text}")
            self._must_have(frozenset({name}), labels)
            if "~" in operator:
                re.compile(value[1:-1])
            found[name] = (operator, value[1:-1])
            if self.peek() == ",":
                self._next()
        self._expect("}")
        return found

    def _names(self) -> frozenset[str]:
        names = set()
        self._expect("(")
        while self.peek() != ")":
            names.add(self._next())
            if self.peek() == ",":
                self._next()
        self._expect(")")
        return frozenset(names)

    def _must_have(self, names: frozenset[str], labels: frozenset[str]) -> None:
        if not names <= labels:
            missing = sorted(names - labels)
            raise BadQuery(f"no label {missing}, there are {sorted(labels)}: {self._text}")

    def _next(self) -> str:
        return self._take()[1]

    def _take(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise BadQuery(f"something is missing at the end: {self._text}")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if (found := self._next()) != token:
            raise BadQuery(f"{token!r} is expected, and not {found!r}: {self._text}")


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at, text = [], 0, text.rstrip()
    while at < len(text):
        found = _TOKENS.match(text, at)
        if found is None:
            raise BadQuery(f"{text[at:]!r} is nothing: {text}")
        assert found.lastgroup is not None
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens
