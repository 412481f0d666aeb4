"""A grammar over characters in llguidance's Lark dialect, with the same texts.

llguidance cuts a text into lexemes first, always at the longest match, and is fast where lexemes
are long: `[a-z]+ "x"` as two lexemes matches nothing, because the first takes the x too. As rules
over single characters it is exact, but a hundred times slower. So a regular part of the grammar
becomes a lexeme only where no longer match can ever be taken for it: where no text of it, with a
character that may follow, begins a text of any lexeme. The rest is spelled in single characters.
"""

from __future__ import annotations

import dataclasses
import itertools

from .automaton import Automaton, TooLarge, overruns
from .follow import Follow
from .syntax import EMPTY, Choice, Node, One, Repeat, Rule, Rules, Sequence, Token, common, parts

# States of a part that may become a lexeme, and steps that comparing all of them may take.
_MAX_STATES = 400
_MAX_LEXEMES = 60
_EFFORT = 1_000_000


def to_lark(rules: Rules) -> str:
    """`rules` with `root` as the beginning."""
    lifter = _Lifter(rules)
    while clashing := _clashing(lifter.lexemes, lifter.rest):
        lifter.take_apart(clashing)
    lexemes, rest = lifter.lexemes, lifter.rest
    names = {name: f"r{index}" for index, name in enumerate(rest)}
    names |= {name: f"L{index}" for index, name in enumerate(lexemes)}
    lines = [f"start: {names['root']}"]
    lines += [f"{names[name]}: {_rule(node, names)}" for name, node in rest.items()]
    lines += [f"{names[name]}: /{_regex(lexeme.node)}/" for name, lexeme in lexemes.items()]
    return "\n".join(lines) + "\n"


@dataclasses.dataclass(frozen=True, slots=True)
class _Lexeme:
    """A regular part: as it stands in the source, and with its rules written out."""

    source: Node
    node: Node
    automaton: Automaton


class _Lifter:
    """Finds the largest regular parts of a grammar."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._names: dict[Node, str] = {}
        self._plain = _Plain(rules)
        self.lexemes: dict[str, _Lexeme] = {}
        # What is left of the rules that `root` needs.
        self.rest: Rules = {}
        self._add("root", self._lifted(rules["root"]))

    def take_apart(self, names: set[str]) -> None:
        """Make of these lexemes rules over smaller ones."""
        for name in names:
            self._add(name, self._opened(self.lexemes.pop(name).source))

    def _add(self, name: str, node: Node) -> None:
        self.rest[name] = node
        for inner in _names_in(node):
            if inner not in self.rest and inner not in self.lexemes:
                self._add(inner, self._lifted(self._rules[inner]))

    def _opened(self, node: Node) -> Node:
        match node:
            case Rule(name):
                return self._opened(self._rules[name])
            case Sequence(items) | Choice(items):
                return dataclasses.replace(node, items=tuple(map(self._lifted, items)))
            case Repeat(item):
                return dataclasses.replace(node, item=self._lifted(item))
        return node

    def _lifted(self, node: Node) -> Node:
        lexeme = self._lexeme(node)
        if lexeme is not None:
            return lexeme
        match node:
            case Sequence(items):
                return Sequence(tuple(map(self._lifted, self._runs(items))))
            case Choice(items):
                return Choice(tuple(map(self._lifted, items)))
            case Repeat(item):
                return dataclasses.replace(node, item=self._lifted(item))
        return node

    def _runs(self, items: tuple[Node, ...]) -> tuple[Node, ...]:
        """`items` with those in a row that are regular as one."""
        runs: list[Node] = []
        for is_regular, run in itertools.groupby(items, self._plain.is_plain):
            together = tuple(run)
            if is_regular and 1 < len(together) < len(items):
                runs.append(Sequence(together))
            else:
                runs += together
        return tuple(runs)

    def _lexeme(self, node: Node) -> Node | None:
        if isinstance(node, One) or node == EMPTY:
            return None
        plain = self._plain.of(node)
        if plain is None:
            return None
        name = self._names.get(plain)
        if name is None:
            if len(self.lexemes) == _MAX_LEXEMES:
                return None
            try:
                automaton = Automaton(plain, _MAX_STATES)
            except TooLarge:
                return None
            # No rule of the source has a name like it.
            name = self._names[plain] = f" {len(self._names)}"
            self.lexemes[name] = _Lexeme(node, plain, automaton)
        return Rule(name)


class _Plain:
    """Writes nodes out without rules, where they are regular and of some size only."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._known: dict[str, tuple[Node, int] | None] = {}

    def of(self, node: Node) -> Node | None:
        """The same texts without rules; None when they are not regular, or it is too large."""
        sized = self._sized(node)
        return None if sized is None else sized[0]

    def is_plain(self, node: Node) -> bool:
        return self._sized(node) is not None

    def _sized(self, node: Node) -> tuple[Node, int] | None:
        match node:
            case One():
                return node, 1
            case Token():
                return None
            case Rule(name):
                return self._rule(name)
            case Repeat(item, least, most):
                inner = self._sized(item)
                if inner is None:
                    return None
                plain: Node = dataclasses.replace(node, item=inner[0])
                size = inner[1] * max(least, most or 1)
            case Sequence(items) | Choice(items):
                sized = [self._sized(item) for item in items]
                known = [each for each in sized if each is not None]
                if len(known) < len(sized):
                    return None
                plain = dataclasses.replace(node, items=tuple(inner for inner, _ in known))
                size = 1 + sum(size for _, size in known)
        return (plain, size) if size <= _MAX_STATES else None

    def _rule(self, name: str) -> tuple[Node, int] | None:
        if name not in self._known:
            # A rule that comes back to itself finds this, and is not regular.
            self._known[name] = None
            self._known[name] = self._sized(self._rules[name])
        return self._known[name]


def _clashing(lexemes: dict[str, _Lexeme], rest: Rules) -> set[str]:
    """Lexemes that would be taken for, or in place of, something else."""
    follow = Follow(rest, {name: lexeme.automaton for name, lexeme in lexemes.items()})
    texts = [
        (lexemes[name].automaton, chars) for name, chars in follow.rules.items() if name in lexemes
    ]
    texts += [(Automaton(One(chars), 2), after) for chars, after in follow.ones.items()]
    clashing = set()
    effort = _EFFORT // (1 + len(texts))
    for name, lexeme in lexemes.items():
        first = lexeme.automaton.first
        for automaton, after in texts:
            if common(automaton.first, first) and overruns(
                automaton, after, lexeme.automaton, effort
            ):
                clashing.add(name)
                break
    return clashing


def _names_in(node: Node) -> list[str]:
    if isinstance(node, Rule):
        return [node.name]
    return [name for part in parts(node) for name in _names_in(part)]


def _rule(node: Node, names: dict[str, str]) -> str:
    match node:
        case One():
            return f"/{_regex(node)}/"
        case Rule(name):
            return names[name]
        case Token(number, inverted):
            return f"<[{'^' if inverted else ''}{number}]>"
        case Sequence(items):
            return f"({' '.join(_rule(item, names) for item in items)})" if items else '""'
        case Choice(items):
            return f"({' | '.join(_rule(item, names) for item in items)})"
        case Repeat(item, least, most):
            return f"({_rule(item, names)}){_times(least, most)}"


def _regex(node: Node) -> str:
    match node:
        case One(chars):
            return f"[{''.join(map(_range, chars))}]"
        case Sequence(items):
            return "".join(map(_regex, items))
        case Choice(items):
            return f"(?:{'|'.join(map(_regex, items))})"
        case Repeat(item, least, most):
            return f"(?:{_regex(item)}){_times(least, most)}"
    raise AssertionError("a lexeme has no rules and no tokens in it")


def _range(pair: tuple[int, int]) -> str:
    # As numbers, nothing has to be escaped.
    low, high = pair
    return f"\\u{{{low:x}}}-\\u{{{high:x}}}"


def _times(least: int, most: int | None) -> str:
    match least, most:
        case 0, None:
            return "*"
        case 1, None:
            return "+"
        case 0, 1:
            return "?"
    return f"{{{least},{'' if most is None else most}}}"
