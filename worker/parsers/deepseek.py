"""DeepSeek V3 and R1 (`function`, the name, JSON in a fence) and V3.1 (the name, bare JSON)."""

# ruff: noqa: RUF001 - the markers are written with full-width bars.

from __future__ import annotations

import json
from collections.abc import Sequence

from .base import Family, TokenOf, Tool
from .grammar import call_grammar, json_object, literal
from .reader import CallReader, Reading

SECTION, SECTION_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
CALL, CALL_END = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"
SEPARATOR = "<｜tool▁sep｜>"
# What distilled models, whose vocabulary has no such tokens, write in its place.
SLOPPY = ("<｜tool_calls_begin｜>", "<｜tool calls begin｜>", "<｜tool▁calls｜>")
FENCE, FENCE_END = "```json", "```"


class DeepSeekParser(CallReader):
    openers = (SECTION, CALL, *SLOPPY)
    closers = (SECTION_END, CALL_END, SEPARATOR)

    def read_call(self, opener: str) -> Reading[None]:
        if opener != CALL:
            yield from self.expect(CALL)
        while True:
            yield from self._one()
            if not (yield from self.optional(CALL)):
                break
        yield from self.optional(SECTION_END)

    def _one(self) -> Reading[None]:
        name, _ = yield from self.until(SEPARATOR)
        if name.strip() == "function" and (yield from self.peek()) != "{":
            name = yield from self.until_before("\n", "`")
        fenced = yield from self.optional(FENCE)
        self.begin(name.strip())
        yield from self.json_arguments()
        if fenced:
            yield from self.expect(FENCE_END)
        yield from self.optional(CALL_END)
        self.end()


def recognises(template: str, architecture: str) -> bool:
    # V3.2 writes its calls in another way; so do others that share the architecture.
    other = "DSML" in template or "<|im_middle|>" in template
    native = architecture == "deepseek2" and "<｜Assistant｜>" in template
    return CALL in template or (native and not other)


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    """Calls in V3.1's form. V3 and R1 write more, but read and continue this one as well."""
    calls = [
        f"{literal(CALL, token_of)} {json.dumps(tool.name)} {literal(SEPARATOR, token_of)} "
        f"{json_object(tool.parameters)} {literal(CALL_END, token_of)}"
        for tool in tools
    ]
    around = (literal(SECTION, token_of), literal(SECTION_END, token_of))
    return call_grammar(calls, parallel, separator="", around=around)


FAMILY = Family(
    name="deepseek",
    markers=(SECTION, SECTION_END, CALL, CALL_END, SEPARATOR),
    recognises=recognises,
    parser=DeepSeekParser,
    grammar=grammar,
)
