"""Hermes, Qwen 2.5, Qwen 3: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Family, TokenOf, Tool
from .grammar import call_grammar, json_call, literal
from .instructions import presented
from .reader import CallReader, Reading

OPEN, CLOSE = "<tool_call>", "</tool_call>"


class HermesParser(CallReader):
    openers = (OPEN,)
    closers = (CLOSE,)

    def read_call(self, opener: str) -> Reading[None]:
        yield from self.envelope()
        yield from self.optional(CLOSE)


def recognises(template: str, architecture: str) -> bool:
    # Others write something else between the same tags.
    others = ("<function=", "<arg_key>")
    return OPEN in template and "arguments" in template and not any(o in template for o in others)


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    opening, closing = literal(OPEN, token_of), literal(CLOSE, token_of)
    calls = [f'{opening} "\\n" {json_call(tool, "arguments")} "\\n" {closing}' for tool in tools]
    return call_grammar(calls, parallel, separator="\n")


def instructions(tools: Sequence[Tool]) -> str:
    call = '{"name": "<name of the tool>", "arguments": {<its arguments>}}'
    return presented(tools, f"To call a tool, write:\n{OPEN}\n{call}\n{CLOSE}")


FAMILY = Family(
    name="hermes",
    markers=(OPEN, CLOSE),
    recognises=recognises,
    parser=HermesParser,
    grammar=grammar,
    instructions=instructions,
)
