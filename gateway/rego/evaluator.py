"""Rego policies, compiled and evaluated.

rego-cpp keeps strings as JSON writes them, with their escapes, and prints them as it has them. So
strings are escaped on the way in. Without that a name with a quote in it equals no literal, and a
policy that tells it would tell JSON that somebody else has written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from regopy import Interpreter, LogLevel, Output, RegoError

ENTRYPOINT = "kronk/authorization"
# How errors look as trees: `(error 9:some.rego|18|4 (errormsg 18:Invalid collection)`.
_ERROR = re.compile(
    r"\(error(?: \d+:(?P<file>[^|\n]*)\|(?P<at>\d+)\|\d+)?\s*\(errormsg \d+:(?P<message>.*?)\)\n"
)
_MOST = 2**63 - 1


class BadPolicy(Exception):
    """Policies that cannot be compiled; says file, line and what is wrong."""


class NoAnswer(Exception):
    """A question that policies do not answer; says why."""


class Rego:
    """Compiled policies. For one thread at a time."""

    def __init__(self, modules: Mapping[str, str], data: Mapping[str, str]) -> None:
        """`modules` are texts of policies and `data` JSON texts, both by the names of their files;
        `BadPolicy` if one is not right."""
        self._interpreter = Interpreter()
        # It would write to stderr, which is the log.
        self._interpreter.log_level = LogLevel.NONE
        # A function that fails is an error, and not merely undefined: a rule that forbids something
        # would be silent.
        self._interpreter.strict_built_in_errors = True
        for name, text in data.items():
            self._add_data(name, text)
        for name, text in modules.items():
            try:
                self._interpreter.add_module(name, text)
            except RegoError as error:
                raise BadPolicy(_explain(str(error), modules)) from error
        try:
            self._bundle = self._interpreter.build(None, [ENTRYPOINT])
        except RegoError as error:
            raise BadPolicy(_explain(str(error), modules)) from error
        self._modules = modules

    def _add_data(self, name: str, text: str) -> None:
        try:
            found = json.loads(text)
            if not isinstance(found, dict):
                raise BadPolicy(f"{name}: expected a JSON object")
            if "kronk" in found:
                # Where the policies are: it would be unclear which is meant.
                raise BadPolicy(f"{name}: the key `kronk` is for policies")
            self._interpreter.add_data_json(json.dumps(found, ensure_ascii=False))
        except (ValueError, RecursionError, RegoError) as error:
            raise BadPolicy(f"{name}: not JSON that can be used: {error}"[:300]) from error

    def result(self, document: Mapping[str, Any]) -> Any:
        """What `data.kronk.authorization` is for this input; `NoAnswer` if it is nothing."""
        try:
            self._interpreter.set_input(_escaped(document))
            output = self._interpreter.query_bundle_entrypoint(self._bundle, ENTRYPOINT)
            return _value(output)
        except json.JSONDecodeError as error:
            # The binding reads everything as JSON, also what is the text of an error.
            raise NoAnswer(_explain(error.doc, self._modules)) from error
        except RegoError as error:
            raise NoAnswer(_explain(str(error), self._modules)) from error


def _value(output: Output) -> Any:
    if not output.ok():
        raise NoAnswer("a function failed, or rules contradict one another")
    expressions = json.loads(str(output), object_pairs_hook=_unambiguous).get("expressions")
    if not expressions:
        raise NoAnswer("undefined")
    result = expressions[0]
    if isinstance(result, dict) and "allow" in result:
        # Of the value itself: a text that a function made may look like more JSON when printed.
        result["allow"] = _allow(output)
    return result


def _allow(output: Output) -> Any:
    try:
        return output.expressions()[0]["allow"].value
    except (KeyError, ValueError) as error:
        raise NoAnswer("`allow` is neither true nor false") from error


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NoAnswer("a key is there twice in the result")
    return found


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        # What is half of a character cannot be handed over.
        text = value.encode("utf-8", "replace").decode("utf-8")
        return json.dumps(text, ensure_ascii=False)[1:-1]
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_escaped(part) for part in value]
    if isinstance(value, int) and abs(value) > _MOST:
        return float(value)
    return value


def _explain(tree: str, modules: Mapping[str, str]) -> str:
    found = _ERROR.search(tree)
    if found is None:
        return "the policies cannot be compiled or evaluated"
    name, at, message = found["file"], found["at"], found["message"]
    text = modules.get(name or "")
    if text is None:
        return message
    line = text.encode("utf-8")[: int(at)].count(b"\n") + 1
    return f"{name}:{line}: {message}"
