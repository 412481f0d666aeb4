"""Puts settings of one model into the text of a model-config file and leaves the rest as it is:
comments, order, other models. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from kronk.shared.model_keys import ALIASES, KEYS

from .document import examine

_MODELS = "models"
INDENT = 2


class CannotEdit(Exception):
    """The file is written in a way that cannot be changed safely; `args` say why."""


def with_settings(text: str, path: Path, model: str, values: Mapping[str, Any]) -> str:
    """The text of the file at `path` with these values, numbers and words, for this model.

    `CannotEdit` where it would not say exactly that, or say something else of any other model."""
    new = _edited(text, model, values)
    before, faults = examine(text, path)
    after, more = examine(new, path)
    if faults or more:
        raise CannotEdit(f"{(faults or more)[0].text}")
    others = {name for name in {*before, *after} if name != model}
    if any(name not in before or before[name] != after.get(name) for name in others):
        raise CannotEdit("settings of other models would change, too")
    wrong = [key for key, value in values.items() if not _says(after[model], key, value)]
    if wrong:
        raise CannotEdit(f"{wrong[0]} would be another")
    return new


def snippet(model: str, values: Mapping[str, Any]) -> str:
    """A file that says this and nothing else."""
    return _dump({_MODELS: {model: dict(values)}})


def _says(config: Any, key: str, value: Any) -> bool:
    return bool(getattr(config, key) == KEYS[key].read(value))


def _edited(text: str, model: str, values: Mapping[str, Any]) -> str:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise CannotEdit("it is not YAML") from error
    ended = text if not text or text.endswith("\n") else text + "\n"
    if root is None:
        return ended + snippet(model, values)
    _, models = entry_of(lines_of(root, "the file"), _MODELS)
    if models is None:
        return ended + snippet(model, values)
    if is_nothing(models):
        raise CannotEdit("`models` is there and empty")
    block = lines_of(models, "`models`")
    key, own = entry_of(block, model)
    column = block.value[0][0].start_mark.column
    if own is None or key is None:
        new = _indented({model: dict(values)}, column)
        return inserted(ended, last_line(block) + 1, new)
    if is_nothing(own):
        new = _indented(values, column + INDENT)
        return inserted(ended, key.start_mark.line + 1, new)
    if own.start_mark.index < key.end_mark.index:
        raise CannotEdit(f"{model} is an alias of something else")
    return _replaced(ended, key, lines_of(own, model), values)


def _replaced(text: str, key: Any, block: Any, values: Mapping[str, Any]) -> str:
    """Values that are there in their places, the others before them."""
    left = dict(values)
    spans: list[tuple[int, int, str]] = []
    for name, value in block.value:
        known = str(name.value).replace("-", "_")
        known = ALIASES.get(known, known)
        if known not in left:
            continue
        is_plain = isinstance(value, yaml.ScalarNode) and value.style in (None, "'", '"')
        here = value.start_mark.line == name.start_mark.line == value.end_mark.line
        if not is_plain or not here or value.start_mark.index < name.end_mark.index:
            raise CannotEdit(f"{name.value} is not written on one line")
        spans.append((value.start_mark.index, value.end_mark.index, _scalar(left.pop(known))))
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    if not left:
        return text
    column = block.value[0][0].start_mark.column
    return inserted(text, key.start_mark.line + 1, _indented(left, column))


def entry_of(block: Any, name: str, spelled: Collection[str] = ()) -> tuple[Any, Any]:
    """The nodes of a key and its value, by its name or other spellings of that; None for both where
    the map does not say it itself."""
    for key, value in block.value:
        if str(key.value) == name or str(key.value) in spelled:
            return key, value
    return None, None


def lines_of(node: Any, what: str) -> Any:
    """A map that is written line by line."""
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        raise CannotEdit(f"{what} is not written as a map of lines")
    return node


def is_nothing(node: Any) -> bool:
    """Whether it stands for no settings at all."""
    if isinstance(node, yaml.MappingNode):
        return not node.value
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")


def last_line(node: Any) -> int:
    """Of what is really said: comments and blank lines behind it are not part of it."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        key, node = last if isinstance(last, tuple) else (last, last)
        if node.start_mark.index < key.start_mark.index:
            # An alias stands where its key does.
            return int(key.end_mark.line)
    mark = node.end_mark
    return int(mark.line if mark.column else mark.line - 1)


def inserted(text: str, line: int, new: str) -> str:
    """The text with `new` before that line, counted from 0."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:line], new, *lines[line:]])


def _indented(values: Mapping[str, Any], column: int) -> str:
    return "".join(f"{' ' * column}{line}\n" for line in _dump(dict(values)).splitlines())


def _dump(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


def _scalar(value: Any) -> str:
    return _dump(value).removesuffix("\n").removesuffix("\n...")
