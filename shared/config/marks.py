"""YAML in which each value knows where it stands.

PyYAML's own way to values forgets the lines, and takes the last of two equal keys. Its nodes have
what is needed; here they become values, with `<<` resolved as YAML 1.1 has it: what a map says
itself comes before what it merges, and of several merged maps the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from .problems import Place, Problem, Report

_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Marked:
    """A value; `items` where it is a map."""

    value: Any
    place: Place | None = None
    items: tuple[Item, ...] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One key of a map; `key` as it was written, `place` is the key's."""

    key: str
    value: Marked
    place: Place | None = None
    # From another map, by `<<`.
    is_merged: bool = False


def read(text: str, report: Report) -> Marked | None:
    """The one document of the text; None where it has none, or is not YAML, which is reported as
    are keys that a map has twice."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if node is None else _Reader(report).read(node, "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "cannot be read"
        report(Problem("", f"not YAML: {problem}", _place(mark) if mark is not None else None))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        report(Problem("", f"not YAML: {error.reason}", place))
    except RecursionError:
        report(Problem("", "not YAML that can be read: too many things within each other"))
    return None


def of(value: object) -> Marked:
    """A value that comes from no file."""
    if not isinstance(value, Mapping):
        return Marked(value)
    return Marked(value, None, tuple(Item(str(key), of(item)) for key, item in value.items()))


def _place(mark: yaml.Mark) -> Place:
    return Place(mark.line + 1, mark.column + 1)


class _Reader:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._plain = yaml.SafeLoader("")
        # By node: an anchor's is read once, however many aliases it has.
        self._done: dict[int, Marked] = {}
        self._open: set[int] = set()

    def read(self, node: yaml.Node, where: str) -> Marked:
        """The node's value; `where` is for problems within it."""
        known = self._done.get(id(node))
        if known is not None:
            return known
        place = _place(node.start_mark)
        if id(node) in self._open:
            self._report(Problem(where, "an alias of what it stands in", place))
            return Marked(None, place)
        self._open.add(id(node))
        found = self._value(node, where, place)
        self._open.discard(id(node))
        self._done[id(node)] = found
        return found

    def _value(self, node: yaml.Node, where: str, place: Place) -> Marked:
        if isinstance(node, yaml.MappingNode):
            return self._map(node, where, place)
        if isinstance(node, yaml.SequenceNode):
            items = [self.read(item, f"{where}[{at}]") for at, item in enumerate(node.value)]
            return Marked([item.value for item in items], place)
        return Marked(self._scalar(node), place)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self._plain.construct_object(node, deep=True)
        except ValueError as error:
            # A date such as 2026-02-30.
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error

    def _map(self, node: yaml.MappingNode, where: str, place: Place) -> Marked:
        own: dict[str, Item] = {}
        keys: dict[str, Any] = {}
        merged: list[Item] | None = None
        for key_node, value_node in node.value:
            at = _place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(Problem(where, "expected a name for a key", at))
                continue
            name = key_node.value
            below = f"{where}.{name}" if where else name
            if key_node.tag == _MERGE and merged is None:
                merged = self._merged(value_node, below)
            elif name in own or key_node.tag == _MERGE:
                # Two `<<`, too: which of them comes first nobody would guess.
                first = own[name].place if name in own else None
                hint = f", first in line {first.line}" if first is not None else ""
                self._report(Problem(below, f"is given twice{hint}", at, name))
            else:
                own[name] = Item(name, self.read(value_node, below), at)
                keys[name] = self._scalar(key_node)
        # Lower ones first, so that what is of the map itself is put over them.
        items = [item for item in merged or () if item.key not in own] + list(own.values())
        values = {keys.get(item.key, item.key): item.value.value for item in items}
        return Marked(values, place, tuple(items))

    def _merged(self, node: yaml.Node, where: str) -> list[Item]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found: dict[str, Item] = {}
        for each in nodes:
            items = self.read(each, where).items
            if items is None:
                problem = "expected a map, or a list of maps, to merge"
                self._report(Problem(where, problem, _place(each.start_mark)))
            for item in items or ():
                found.setdefault(item.key, replace(item, is_merged=True))
        return list(found.values())
