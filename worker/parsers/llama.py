"""Llama 3: `<|python_tag|>{"name": ..., "parameters": {...}}`, or the same as the whole answer."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Family, TokenOf, Tool
from .grammar import call_grammar, json_call
from .reader import CallReader, Reading

PYTHON_TAG = "<|python_tag|>"

# A JSON answer with other keys than these was never meant as a call.
KEYS = ("type", "name", "arguments")


class LlamaParser(CallReader):
    openers = (PYTHON_TAG,)

    def read(self) -> Reading[None]:
        # Only at the start of the answer: JSON further on is part of a text.
        if (yield from self.ahead("{")) is not None:
            yield from self.attempt(self._calls(KEYS))
        yield from super().read()

    def read_call(self, opener: str) -> Reading[None]:
        yield from self._calls(only=None)

    def _calls(self, only: Sequence[str] | None) -> Reading[None]:
        while True:
            yield from self.envelope(only=only)
            yield from self.optional(";")
            if (yield from self.ahead("{")) is None:
                return


def recognises(template: str, architecture: str) -> bool:
    has_turns = "<|start_header_id|>" in template or "<|header_start|>" in template
    shows_calls = '"parameters"' in template.replace("\\", "")
    return PYTHON_TAG in template or (has_turns and shows_calls)


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    # What the template shows; the tag stands before calls of built-in tools only.
    calls = [json_call(tool, "parameters") for tool in tools]
    return call_grammar(calls, parallel, separator="; ")


FAMILY = Family(
    name="llama",
    markers=(PYTHON_TAG,),
    recognises=recognises,
    parser=LlamaParser,
    grammar=grammar,
)
