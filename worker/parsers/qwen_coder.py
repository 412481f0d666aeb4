"""Qwen3-Coder, Qwen 3.5, Seed-OSS: calls in tags, each argument's text between tags of its own.

<tool_call>
<function=get_weather>
<parameter=city>
Paris
</parameter>
</function>
</tool_call>
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from .base import Family, TokenOf, Tool
from .grammar import Definitions, call_grammar, literal
from .grammar_text import arguments_of, text_argument
from .reader import CallReader, CutOff, NoCall, Reading
from .typed import json_inside, json_string, json_value, property_types

OPEN, CLOSE = "<tool_call>", "</tool_call>"
SEED_OPEN, SEED_CLOSE = "<seed:tool_call>", "</seed:tool_call>"
FUNCTION, FUNCTION_END = "<function=", "</function>"
PARAMETER, PARAMETER_END = "<parameter=", "</parameter>"


class QwenCoderParser(CallReader):
    # The larger models leave out the outer tag at times.
    openers = (OPEN, SEED_OPEN, FUNCTION)

    def read_call(self, opener: str) -> Reading[None]:
        if opener != FUNCTION:
            yield from self.expect(FUNCTION)
        name, _ = yield from self.until(">")
        self.begin(name.strip())
        try:
            yield from self._parameters(name.strip())
        except CutOff:
            raise
        except NoCall as none:
            self.refuse(str(none))
            yield from self._pass_over()
        self.end()
        yield from self.optional(CLOSE, SEED_CLOSE)

    def _parameters(self, name: str) -> Reading[None]:
        seen: set[str] = set()
        while (yield from self.expect(PARAMETER, FUNCTION_END)) == PARAMETER:
            key, _ = yield from self.until(">")
            key = key.strip()
            if key in seen:
                raise self.no_call("a parameter comes twice")
            self.arguments((", " if seen else "{") + json_string(key) + ": ")
            seen.add(key)
            yield from self._argument(self._types(name, key))
        if seen:
            self.arguments("}")

    def _types(self, name: str, key: str) -> frozenset[str] | None:
        tool = self.tools.get(name)
        return None if tool is None else property_types(tool.parameters, key)

    def _argument(self, types: frozenset[str] | None) -> Reading[None]:
        if types == frozenset(("string",)):
            self.arguments('"')
            yield from self._text_of_parameter(lambda text: self.arguments(json_inside(text)))
            self.arguments('"')
        else:
            parts: list[str] = []
            yield from self._text_of_parameter(parts.append)
            self.arguments(json_value("".join(parts), types))

    def _text_of_parameter(self, to: Callable[[str], None]) -> Reading[None]:
        # One line break on either side belongs to the tags.
        yield from self.line_break()
        while True:
            end = yield from self.pass_until("\n" + PARAMETER_END, PARAMETER_END, to=to)
            # Text may contain the tag; only what can follow a parameter makes it its end.
            if (yield from self.ahead(PARAMETER, FUNCTION_END, CLOSE, SEED_CLOSE)) is not None:
                return
            to(end)

    def _pass_over(self) -> Reading[None]:
        """The rest of a malformed call, parameter by parameter."""
        ends = (PARAMETER, FUNCTION_END, CLOSE, SEED_CLOSE)
        while (yield from self.pass_until(*ends, to=lambda _: None)) == PARAMETER:
            yield from self._text_of_parameter(lambda _: None)


def recognises(template: str, architecture: str) -> bool:
    return FUNCTION in template and PARAMETER in template


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    is_seed = token_of(SEED_OPEN) is not None
    opening = literal(SEED_OPEN if is_seed else OPEN, token_of)
    closing = literal(SEED_CLOSE if is_seed else CLOSE, token_of)
    definitions = Definitions()
    # What stands between a parameter's tags and its text.
    edge = "" if is_seed else "\n"
    calls = [
        f'{opening} {_function(tool, edge, definitions)} "{FUNCTION_END}\\n" {closing}'
        for tool in tools
    ]
    return call_grammar(calls, parallel, "\n", definitions)


def _function(tool: Tool, edge: str, definitions: Definitions) -> str:
    parts = [json.dumps(f"\n{FUNCTION}{tool.name}>\n")]
    for argument in arguments_of(tool):
        head, end = f"{PARAMETER}{argument.name}>{edge}", f"{edge}{PARAMETER_END}\n"
        text = text_argument(argument, end, PARAMETER_END, definitions)
        parameter = f"{json.dumps(head)} {text}"
        parts.append(parameter if argument.is_required else f"({parameter})?")
    return " ".join(parts)


FAMILY = Family(
    name="qwen-coder",
    markers=(OPEN, CLOSE, SEED_OPEN, SEED_CLOSE),
    recognises=recognises,
    parser=QwenCoderParser,
    grammar=grammar,
)
