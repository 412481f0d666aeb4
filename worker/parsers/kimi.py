"""Kimi K2: calls in a section, each with an id `functions.name:0` and JSON arguments."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .base import Family, TokenOf, Tool
from .grammar import call_grammar, json_object, literal
from .reader import CallReader, Reading

SECTION, SECTION_END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
CALL, CALL_END = "<|tool_call_begin|>", "<|tool_call_end|>"
ARGUMENTS = "<|tool_call_argument_begin|>"
PREFIX = "functions."


class KimiParser(CallReader):
    openers = (SECTION, CALL)
    closers = (SECTION_END, CALL_END, ARGUMENTS)

    def read_call(self, opener: str) -> Reading[None]:
        if opener == SECTION:
            yield from self.expect(CALL)
        while True:
            identity, _ = yield from self.until(ARGUMENTS)
            self.begin(self._name(identity.strip()))
            yield from self.json_arguments()
            yield from self.optional(CALL_END)
            self.end()
            if not (yield from self.optional(CALL)):
                break
        yield from self.optional(SECTION_END)

    def _name(self, identity: str) -> str:
        """The tool's name: without the number, and without the prefix that most models write."""
        name, colon, number = identity.rpartition(":")
        if not (colon and number.isdecimal()):
            name = identity
        return name if name in self.tools else name.removeprefix(PREFIX)


def recognises(template: str, architecture: str) -> bool:
    # Older templates show no call; a later generation opens its markers another way.
    speaks_kimi = "<|im_middle|>" in template and "<|open|>" not in template
    return CALL in template or speaks_kimi or architecture.startswith("kimi")


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    calls = [
        f"{literal(CALL, token_of)} {json.dumps(f'{PREFIX}{tool.name}:')} /[0-9]{{1,3}}/ "
        f"{literal(ARGUMENTS, token_of)} {json_object(tool.parameters)} "
        f"{literal(CALL_END, token_of)}"
        for tool in tools
    ]
    around = (literal(SECTION, token_of), literal(SECTION_END, token_of))
    return call_grammar(calls, parallel, separator="", around=around)


FAMILY = Family(
    name="kimi",
    markers=(SECTION, SECTION_END, CALL, CALL_END, ARGUMENTS),
    recognises=recognises,
    parser=KimiParser,
    grammar=grammar,
)
