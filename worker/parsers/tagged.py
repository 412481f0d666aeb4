"""Phi, Granite, Nemotron, Apriel: JSON calls, one or a list, between tags of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .base import Family, TokenOf, Tool
from .grammar import call_grammar, json_call, literal
from .reader import CallReader, Reading


def _family(name: str, opening: str, closing: str | None, *, writes_list: bool) -> Family:
    """Reads a call or a list, with or without the closing tag; the grammar writes what the model
    was shown."""
    marks = (opening,) if closing is None else (opening, closing)

    class TaggedParser(CallReader):
        openers = (opening,)
        closers = marks[1:]

        def read_call(self, opener: str) -> Reading[None]:
            if (yield from self.peek()) == "[":
                yield from self.array()
            else:
                yield from self.envelope()
            yield from self.optional(*self.closers)

    def recognises(template: str, architecture: str) -> bool:
        return all(mark in template for mark in marks)

    def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
        head = literal(opening, token_of)
        tail = "" if closing is None else literal(closing, token_of)
        calls = [json_call(tool, "arguments") for tool in tools]
        if writes_list:
            around = (f"{head} {json.dumps('[')}", f"{json.dumps(']')} {tail}")
            return call_grammar(calls, parallel, ", ", around=around)
        return call_grammar([f"{head} {call} {tail}" for call in calls], parallel, "")

    return Family(
        name=name,
        markers=marks,
        recognises=recognises,
        parser=TaggedParser,
        grammar=grammar,
    )


PHI = _family("phi", "<|tool_call|>", "<|/tool_call|>", writes_list=False)
# The same opening tag, so it is asked after Phi.
GRANITE = _family("granite", "<|tool_call|>", None, writes_list=True)
NEMOTRON = _family("nemotron", "<TOOLCALL>", "</TOOLCALL>", writes_list=True)
APRIEL = _family("apriel", "<tool_calls>", "</tool_calls>", writes_list=True)
