"""Models that were not trained on tools: the system prompt asks for a JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .base import Family, TokenOf, Tool
from .grammar import call_grammar, json_call
from .hermes import CLOSE, OPEN, HermesParser
from .instructions import presented
from .llama import KEYS
from .reader import Reading

FENCES = ("```json", "```")
CALLS = '"tool_calls"'


class GenericParser(HermesParser):
    """Reads what `instructions` ask for; also one call without the list, a list alone, either of
    them in a code fence, and Hermes' tags, which many models know."""

    def read(self) -> Reading[None]:
        # Only at the start of the answer: JSON further on is part of a text.
        if (yield from self.ahead("{", "[", *FENCES)) is not None:
            yield from self.attempt(self._answer())
        yield from super().read()

    def _answer(self) -> Reading[None]:
        fence = yield from self.optional(*FENCES)
        if (yield from self.peek()) == "[":
            yield from self.array(only=KEYS)
        else:
            yield from self._object()
        if fence is not None:
            yield from self.optional("```")

    def _object(self) -> Reading[None]:
        yield from self.expect("{")
        self._around = 1
        if (yield from self.optional(CALLS)) is None:
            yield from self.fields(KEYS)
            self.end_named()
            return
        yield from self.expect(":")
        yield from self.array(around=1, only=KEYS)
        yield from self.expect("}")


def recognises(template: str, architecture: str) -> bool:
    return True


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    around = (json.dumps(f"{{{CALLS}: ["), json.dumps("]}"))
    calls = [json_call(tool, "arguments") for tool in tools]
    return call_grammar(calls, parallel, ", ", around=around)


def instructions(tools: Sequence[Tool]) -> str:
    return presented(
        tools,
        "To call tools, answer with nothing but one JSON object of this form:\n"
        '{"tool_calls": [{"name": "<name of the tool>", "arguments": {<its arguments>}}]}',
    )


FAMILY = Family(
    name="generic",
    markers=(OPEN, CLOSE),
    recognises=recognises,
    parser=GenericParser,
    grammar=grammar,
    instructions=instructions,
)
