"""Which characters come first in the parts of a grammar, and which may follow them."""

from __future__ import annotations

from collections.abc import Mapping

from .automaton import Automaton
from .syntax import Chars, Choice, Node, One, Repeat, Rule, Rules, Sequence, union

_NONE: Chars = ()


class Follow:
    """Of the rules of a grammar, and of the single characters in them.

    A token begins with no character: what precedes one can only be followed by it whole.
    """

    def __init__(self, rules: Rules, lexemes: Mapping[str, Automaton]) -> None:
        # What may follow a rule or lexeme, and a character of a set.
        self.rules: dict[str, Chars] = dict.fromkeys((*rules, *lexemes), _NONE)
        self.ones: dict[Chars, Chars] = {}
        self._first = {name: lexeme.first for name, lexeme in lexemes.items()}
        self._first |= dict.fromkeys(rules, _NONE)
        self._nullable = {name: lexeme.accepts[0] for name, lexeme in lexemes.items()}
        self._nullable |= dict.fromkeys(rules, False)
        self._settle_beginnings(rules)
        self._settle_ends(rules)

    def _settle_beginnings(self, rules: Rules) -> None:
        changed = True
        while changed:
            changed = False
            for name, node in rules.items():
                first, nullable = self._begin(node)
                if (first, nullable) != (self._first[name], self._nullable[name]):
                    self._first[name], self._nullable[name] = first, nullable
                    changed = True

    def _settle_ends(self, rules: Rules) -> None:
        before = None
        while before != self.rules:
            before = dict(self.rules)
            for name, node in rules.items():
                self._pass_on(node, self.rules[name])

    def _begin(self, node: Node) -> tuple[Chars, bool]:
        """The characters a node's texts begin with, and whether one of them is empty."""
        match node:
            case One(chars):
                return chars, False
            case Rule(name):
                return self._first[name], self._nullable[name]
            case Choice(items):
                begins = [self._begin(item) for item in items]
                every = union(pair for chars, _ in begins for pair in chars)
                return every, any(nullable for _, nullable in begins)
            case Repeat(item, least):
                chars, nullable = self._begin(item)
                return chars, nullable or least == 0
            case Sequence(items):
                ranges: list[tuple[int, int]] = []
                for item in items:
                    chars, nullable = self._begin(item)
                    ranges += chars
                    if not nullable:
                        return union(ranges), False
                return union(ranges), True
        return _NONE, False

    def _pass_on(self, node: Node, after: Chars) -> None:
        """Note that `after` may follow a node."""
        match node:
            case One(chars):
                self.ones[chars] = union((*self.ones.get(chars, _NONE), *after))
            case Rule(name):
                self.rules[name] = union((*self.rules[name], *after))
            case Choice(items):
                for item in items:
                    self._pass_on(item, after)
            case Repeat(item, _, most):
                again = self._begin(item)[0] if most != 1 else _NONE
                self._pass_on(item, union((*after, *again)))
            case Sequence(items):
                for item in reversed(items):
                    self._pass_on(item, after)
                    first, nullable = self._begin(item)
                    after = union((*first, *after)) if nullable else first
