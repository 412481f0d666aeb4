"""LFM2: `<|tool_call_start|>[name(key="value")]<|tool_call_end|>`; in JSON when told so."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Family, TokenOf, Tool
from .grammar import literal
from .literal import PythonReader
from .literal_grammar import python_list
from .reader import Reading

OPEN, CLOSE = "<|tool_call_start|>", "<|tool_call_end|>"


class LfmParser(PythonReader):
    openers = (OPEN,)
    closers = (CLOSE,)

    def read_call(self, opener: str) -> Reading[None]:
        yield from self.expect("[")
        if (yield from self.peek()) == "{":
            yield from self._json_calls()
        else:
            yield from self.python_calls()
        yield from self.optional(CLOSE)

    def _json_calls(self) -> Reading[None]:
        mark = ","
        while mark == ",":
            yield from self.envelope()
            mark = yield from self.expect(",", "]")


def recognises(template: str, architecture: str) -> bool:
    return OPEN in template or "<|tool_list_start|>" in template or architecture.startswith("lfm2")


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    opening, closing = literal(OPEN, token_of), literal(CLOSE, token_of)
    return python_list(tools, parallel, opening, closing)


FAMILY = Family(
    name="lfm",
    markers=(OPEN, CLOSE),
    recognises=recognises,
    parser=LfmParser,
    grammar=grammar,
)
