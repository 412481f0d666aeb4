"""One key of one model, set or left out in the text of a model-config file; all else stays as it
is written. Pure. Forms edit a file by it while somebody writes, so the text may have mistakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from kronk.shared.errors import InvalidArgument
from kronk.shared.model_keys import ALIASES, KEYS
from kronk.shared.sampling_params import ALIASES as PARAMETER_ALIASES
from kronk.shared.sampling_params import PARAMETERS, parse_value

from . import marks
from .document import Configs, examine
from .edit import INDENT, CannotEdit, entry_of, inserted, is_nothing, last_line, lines_of
from .layers import SAMPLING
from .model import ModelConfig
from .said import read as read_keys

_MODELS = "models"
# What stands above a model's keys: `models` and the model.
_ABOVE = 2


def changed(text: str, path: Path, model: str, key: str, value: Any) -> str:
    """The text of the file at `path` with this value for the model's key, or without the key where
    it is None. `sampling_parameters.temperature` is a key, too.

    `InvalidArgument` where the key takes no such value, `CannotEdit` where the text is written in a
    way that cannot be changed safely."""
    name, _, parameter = key.partition(".")
    _check(name, parameter, value)
    steps = (_MODELS, model, name, parameter) if parameter else (_MODELS, model, name)
    new = _put(text, steps, value)
    _verify(text, new, path, model, name, value)
    return new


def _check(name: str, parameter: str, value: Any) -> None:
    is_known = name in KEYS and (not parameter or (name == SAMPLING and parameter in PARAMETERS))
    if not is_known:
        key = f"{name}.{parameter}" if parameter else name
        raise InvalidArgument(f"key: there is no key {key!r}", param="key")
    if value is None:
        return
    if parameter:
        try:
            parse_value(parameter, value, "value")
        except InvalidArgument as error:
            raise InvalidArgument(error.message, param="value") from error
        return
    try:
        KEYS[name].read(value)
    except ValueError as error:
        raise InvalidArgument(f"value: {error}", param="value") from error


def _put(text: str, steps: Sequence[str], value: Any) -> str:
    ended = text if not text or text.endswith("\n") else f"{text}\n"
    root = _composed(text)
    if root is None:
        # Nothing but comments, at most.
        return ended if value is None else ended + _written(steps, value, 0)
    block = lines_of(root, "the file")
    for depth, step in enumerate(steps):
        key, node = entry_of(block, step, _names(depth, step))
        rest = steps[depth + 1 :]
        if key is None or node is None:
            column = block.value[0][0].start_mark.column
            new = "" if value is None else _written(steps[depth:], value, column)
            return inserted(ended, last_line(block) + 1, new)
        is_alias = node.start_mark.index < key.end_mark.index
        if is_alias and value is not None:
            raise CannotEdit(f"{step} is an alias of something else")
        if not rest:
            return _without(ended, key, node) if value is None else _replaced(ended, node, value)
        if is_nothing(node):
            if value is None:
                return ended
            ended = ended[: node.start_mark.index].rstrip(" ") + ended[node.end_mark.index :]
            column = key.start_mark.column + INDENT
            return inserted(ended, key.start_mark.line + 1, _written(rest, value, column))
        block = lines_of(node, step)
    raise AssertionError("a key has a name")


def _composed(text: str) -> Any:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise CannotEdit("it is not YAML") from error


def _names(depth: int, step: str) -> frozenset[str]:
    """How a key may be spelled where it stands."""
    if depth < _ABOVE:
        return frozenset({step})
    aliases = ALIASES if depth == _ABOVE else PARAMETER_ALIASES
    known = {step, *(other for other, name in aliases.items() if name == step)}
    return frozenset({*known, *(name.replace("_", "-") for name in known)})


def _replaced(text: str, node: Any, value: Any) -> str:
    start, end = node.start_mark, node.end_mark
    if start.line == end.line:
        return text[: start.index] + _inline(value) + text[end.index :]
    last = last_line(node)
    lines = text.splitlines(keepends=True)
    if "#" in "".join(lines[start.line : last + 1]) or isinstance(node, yaml.ScalarNode):
        raise CannotEdit("the value is written over several lines")
    # A list or map of lines below its key becomes one in brackets beside it.
    above = "".join(lines[: start.line]).rstrip()
    return f"{above} {_inline(value)}\n" + "".join(lines[last + 1 :])


def _without(text: str, key: Any, node: Any) -> str:
    is_alias = node.start_mark.index < key.end_mark.index
    first, last = key.start_mark.line, key.end_mark.line if is_alias else last_line(node)
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:first], *lines[last + 1 :]])


def _written(steps: Sequence[str], value: Any, column: int) -> str:
    """A line for each of the steps, each below the one before."""
    lines = [f"{' ' * (column + INDENT * at)}{_inline(step)}:" for at, step in enumerate(steps)]
    return "\n".join(lines) + f" {_inline(value)}\n"


def _inline(value: Any) -> str:
    said = str(yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6))
    return said.removesuffix("\n").removesuffix("\n...")


def _verify(text: str, new: str, path: Path, model: str, name: str, value: Any) -> None:
    """That the new text says this, and else what the old one did."""
    before, old_faults = examine(text, path)
    after, new_faults = examine(new, path)
    known = {fault.text for fault in old_faults}
    if any(not fault.where and fault.text not in known for fault in new_faults):
        raise CannotEdit("it would not be YAML any more")
    others = {other for other in {*before, *after} if other != model}
    if any(before.get(other) != after.get(other) for other in others):
        raise CannotEdit("settings of other models would change, too")
    was, now = _of(before, model), _of(after, model)
    fields = [field.name for field in dataclasses.fields(ModelConfig) if field.name != name]
    if any(getattr(was, field) != getattr(now, field) for field in fields):
        raise CannotEdit("other settings of the model would change, too")
    if name == SAMPLING:
        return
    if value is None:
        # One that comes by a merge is not written here, and stays.
        if new == text and getattr(was, name) != getattr(ModelConfig(), name):
            raise CannotEdit("it comes from another map, by `<<`")
        return
    said = read_keys(marks.of({name: value}), "", path.absolute().parent, lambda problem: None)
    if name in said.values and getattr(now, name) != said.values[name]:
        raise CannotEdit("the value would be another")


def _of(configs: Configs, model: str) -> ModelConfig:
    return configs.get(model, ModelConfig())
