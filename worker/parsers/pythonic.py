"""ToolACE, Llama 4 and alike: the answer is a Python list of calls, `[name(key=value), ...]`."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Family, TokenOf, Tool
from .instructions import described
from .literal import PythonReader
from .literal_grammar import python_list
from .reader import Reading

OPEN, CLOSE = "<|python_start|>", "<|python_end|>"


class PythonicParser(PythonReader):
    """A list without markers is read as calls at the start of the answer only, and only if its
    first name is a tool's: all else that stands in brackets is text."""

    openers = (OPEN,)
    closers = (CLOSE,)

    def read(self) -> Reading[None]:
        if (yield from self._starts()):
            yield from self.optional("[")
            yield from self.attempt(self.python_calls())
        yield from super().read()

    def read_call(self, opener: str) -> Reading[None]:
        yield from self.expect("[")
        yield from self.python_calls()
        yield from self.optional(CLOSE)

    def _starts(self) -> Reading[bool]:
        heads = tuple(f"[{name}(" for name in self.tools)
        while True:
            head = "".join(self._text[self._at :].split())
            if head.startswith(heads):
                return True
            if self._ended or not any(known.startswith(head) for known in heads):
                return False
            yield


def recognises(template: str, architecture: str) -> bool:
    # Llama 4's own template asks for JSON.
    asks_for_json = '"parameters"' in template.replace("\\", "")
    return "[func_name1(" in template or (architecture == "llama4" and not asks_for_json)


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    return python_list(tools, parallel)


def instructions(tools: Sequence[Tool]) -> str:
    return (
        "You can call functions. To do so, answer with nothing but a list of calls in the form "
        "[func_name1(param1=value1, param2=value2), func_name2(param=value)]. Where no function "
        f"helps, answer in plain text. The functions:\n\n{described(tools)}"
    )


FAMILY = Family(
    name="pythonic",
    markers=(OPEN, CLOSE),
    recognises=recognises,
    parser=PythonicParser,
    grammar=grammar,
    instructions=instructions,
)
