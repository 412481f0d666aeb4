"""Mistral: `[TOOL_CALLS][{"name": ..., "arguments": {...}}]`, and `[TOOL_CALLS]name[ARGS]{...}`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .base import Family, TokenOf, Tool
from .grammar import call_grammar, json_call, json_object, literal
from .reader import CallReader, Reading

CALLS, ARGUMENTS, CALL_ID = "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"


class MistralParser(CallReader):
    openers = (CALLS,)

    def read_call(self, opener: str) -> Reading[None]:
        first = yield from self.peek()
        if first == "[" and (yield from self.ahead(ARGUMENTS, CALL_ID)) is None:
            yield from self.array()
        elif first == "{":
            yield from self.envelope()
        else:
            yield from self._named()

    def _named(self) -> Reading[None]:
        name = yield from self.until_before(CALL_ID, ARGUMENTS, "{")
        if (yield from self.optional(CALL_ID, ARGUMENTS)) == CALL_ID:
            yield from self.until(ARGUMENTS)
        self.begin(name.strip())
        yield from self.json_arguments()
        self.end()


def recognises(template: str, architecture: str) -> bool:
    return CALLS in template


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    opening = literal(CALLS, token_of)
    # Vocabularies that have this token belong to models that write the newer form.
    if token_of(ARGUMENTS) is not None:
        begin = literal(ARGUMENTS, token_of)
        calls = [
            f"{opening} {json.dumps(t.name)} {begin} {json_object(t.parameters)}" for t in tools
        ]
        return call_grammar(calls, parallel, separator="")
    calls = [json_call(tool, "arguments") for tool in tools]
    return call_grammar(calls, parallel, ", ", around=(f'{opening} "["', '"]"'))


FAMILY = Family(
    name="mistral",
    markers=(CALLS, ARGUMENTS, CALL_ID),
    recognises=recognises,
    parser=MistralParser,
    grammar=grammar,
)
