"""Gemma 4 and FunctionGemma: `call:name{key:value}` between markers, strings between quote tokens.

Gemma 3 was trained on no format of its own; it writes Python in a fence, as Google's examples ask
it to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from .base import Family, TokenOf, Tool
from .grammar import Definitions, call_grammar, literal
from .instructions import described
from .literal import LiteralReader, PythonReader
from .literal_grammar import GemmaValues, python_call
from .reader import Reading

OPEN, CLOSE, QUOTE = "<|tool_call>", "<tool_call|>", '<|"|>'
FUNCTION_OPEN, FUNCTION_CLOSE = "<start_function_call>", "<end_function_call>"
FUNCTION_QUOTE = "<escape>"
# Where the model hands over; a marker, not text.
RESPONSE, FUNCTION_RESPONSE = "<|tool_response>", "<start_function_response>"
FENCE, FENCE_END = "```tool_code", "```"

Grammar = Callable[[Sequence[Tool], bool, TokenOf], str]


class GemmaParser(LiteralReader):
    openers = (OPEN,)
    closers = (CLOSE,)
    quote = QUOTE
    response = RESPONSE

    def read_call(self, opener: str) -> Reading[None]:
        yield from self.expect("call:")
        name = yield from self.word()
        yield from self.expect("{")
        self.begin(name)
        yield from self.members("}", ":")
        yield from self.optional(*self.closers)
        self.end()
        yield from self.optional(self.response)


class FunctionGemmaParser(GemmaParser):
    openers = (FUNCTION_OPEN,)
    closers = (FUNCTION_CLOSE,)
    quote = FUNCTION_QUOTE
    response = FUNCTION_RESPONSE


class ToolCodeParser(PythonReader):
    openers = (FENCE,)
    closers = (FENCE_END,)

    def read_call(self, opener: str) -> Reading[None]:
        while True:
            printed = yield from self.optional("print(")
            yield from self.python_call()
            if printed:
                yield from self.expect(")")
            if (yield from self.peek()) == "`":
                yield from self.expect(FENCE_END)
                return


def _grammar(opening: str, closing: str, quote: str) -> Grammar:
    def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
        definitions = Definitions()
        values = GemmaValues(quote, token_of, definitions)
        calls = [
            f"{literal(opening, token_of)} {values.call(tool)} {literal(closing, token_of)}"
            for tool in tools
        ]
        return call_grammar(calls, parallel, "", definitions)

    return grammar


def _tool_code_grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    definitions = Definitions()
    calls = [python_call(tool, definitions) for tool in tools]
    around = (json.dumps(f"{FENCE}\n"), json.dumps(f"\n{FENCE_END}"))
    return call_grammar(calls, parallel, "\n", definitions, around)


def _instructions(tools: Sequence[Tool]) -> str:
    return (
        "You can call functions, as in Python. To do so, answer with nothing but "
        f"calls, one on each line, in a fence:\n{FENCE}\nname(param=value)\n{FENCE_END}\n"
        "Give every argument by its name. Where no function helps, answer in plain text. The "
        f"functions:\n\n{described(tools)}"
    )


GEMMA_4 = Family(
    name="gemma4",
    markers=(OPEN, CLOSE, QUOTE, RESPONSE),
    recognises=lambda template, architecture: (
        OPEN in template or architecture in ("gemma4", "gemma4n")
    ),
    parser=GemmaParser,
    grammar=_grammar(OPEN, CLOSE, QUOTE),
)
FUNCTION_GEMMA = Family(
    name="functiongemma",
    markers=(FUNCTION_OPEN, FUNCTION_CLOSE, FUNCTION_QUOTE, FUNCTION_RESPONSE),
    recognises=lambda template, _: FUNCTION_OPEN in template,
    parser=FunctionGemmaParser,
    grammar=_grammar(FUNCTION_OPEN, FUNCTION_CLOSE, FUNCTION_QUOTE),
)
GEMMA_3 = Family(
    name="gemma3",
    markers=(),
    recognises=lambda template, architecture: (
        FENCE in template
        or (architecture in ("gemma3", "gemma3n") and FUNCTION_OPEN not in template)
    ),
    parser=ToolCodeParser,
    grammar=_tool_code_grammar,
    instructions=_instructions,
)
