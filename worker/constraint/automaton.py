"""Regular parts of a grammar as finite automata."""

from __future__ import annotations

from .syntax import Chars, Choice, Node, One, Repeat, Sequence, common, union


class TooLarge(Exception):
    """A part of a grammar has more states than are worth looking at."""


class Automaton:
    """A nondeterministic one. State 0 is the beginning; `after[s]` are the transitions out of a
    state, empty ones followed already."""

    def __init__(self, node: Node, most: int) -> None:
        """Of a node without rules or tokens; raises `TooLarge` above `most` states."""
        self._most = most
        self._empty: list[list[int]] = []
        self._moves: list[list[tuple[Chars, int]]] = []
        begin, end = self._state(), self._state()
        self._add(node, begin, end)
        closures = [self._closure(state) for state in range(len(self._moves))]
        self.accepts = [end in closure for closure in closures]
        self.after = [
            [move for state in closure for move in self._moves[state]] for closure in closures
        ]

    @property
    def first(self) -> Chars:
        """The characters its texts begin with."""
        return union(pair for chars, _ in self.after[0] for pair in chars)

    def _state(self) -> int:
        if len(self._moves) == self._most:
            raise TooLarge
        self._moves.append([])
        self._empty.append([])
        return len(self._moves) - 1

    def _add(self, node: Node, begin: int, end: int) -> None:
        match node:
            case One(chars):
                self._moves[begin].append((chars, end))
            case Sequence(items):
                for item in items:
                    between = self._state()
                    self._add(item, begin, between)
                    begin = between
                self._empty[begin].append(end)
            case Choice(items):
                for item in items:
                    # A loop in one alternative must not lead into another.
                    inner = self._state()
                    self._empty[begin].append(inner)
                    self._add(item, inner, end)
            case Repeat(item, least, most):
                self._repeat(item, least, most, begin, end)

    def _repeat(self, item: Node, least: int, most: int | None, begin: int, end: int) -> None:
        for _ in range(least):
            begin = self._append(item, begin)
        if most is None:
            loop = self._state()
            self._empty[begin].append(loop)
            self._empty[self._append(item, loop)].append(loop)
            begin = loop
        else:
            for _ in range(most - least):
                self._empty[begin].append(end)
                begin = self._append(item, begin)
        self._empty[begin].append(end)

    def _append(self, item: Node, begin: int) -> int:
        after = self._state()
        self._add(item, begin, after)
        return after

    def _closure(self, state: int) -> set[int]:
        seen, pending = {state}, [state]
        while pending:
            for other in self._empty[pending.pop()]:
                if other not in seen:
                    seen.add(other)
                    pending.append(other)
        return seen


def overruns(one: Automaton, follow: Chars, other: Automaton, effort: int) -> bool:
    """Whether a text of `one`, with a character of `follow` behind it, begins a text of `other`.

    A lexer that takes the longest match then reads it as `other` and never as `one`. True also when
    that takes more than `effort` steps to say.
    """
    seen = {(0, 0)}
    pending = [(0, 0)]
    while pending:
        here, there = pending.pop()
        moves = other.after[there]
        ends = (here, there) != (0, 0) and one.accepts[here]
        if ends and any(common(chars, follow) for chars, _ in moves):
            return True
        for chars, next_here in one.after[here]:
            for other_chars, next_there in moves:
                effort -= 1
                if effort < 0:
                    return True
                pair = (next_here, next_there)
                if pair not in seen and common(chars, other_chars):
                    seen.add(pair)
                    pending.append(pair)
    return False
