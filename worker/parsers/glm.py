"""GLM 4.5 and later: the name, then `<arg_key>` and `<arg_value>` pairs, in `<tool_call>`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from .base import Family, TokenOf, Tool
from .grammar import Definitions, call_grammar, literal
from .grammar_text import arguments_of, text_argument
from .json_scan import JsonScanner
from .literal import LiteralReader
from .reader import Reading
from .typed import json_inside, json_string, json_value, property_types

OPEN, CLOSE = "<tool_call>", "</tool_call>"
KEY, KEY_END = "<arg_key>", "</arg_key>"
VALUE, VALUE_END = "<arg_value>", "</arg_value>"
# 4.5 and 4.6 write it, later ones do not.
_BREAK = '"\\n"?'


class GlmParser(LiteralReader):
    openers = (OPEN,)
    closers = (CLOSE,)

    def read_call(self, opener: str) -> Reading[None]:
        name = yield from self.word()
        mark = yield from self.expect(KEY, CLOSE)
        self.begin(name)
        seen: set[str] = set()
        self.arguments("{")
        while mark == KEY:
            key = (yield from self.until(KEY_END))[0].strip()
            # Twice the same leaves in doubt which one is meant.
            if key in seen:
                raise self.no_call("an argument is there twice")
            self.arguments(f"{', ' if seen else ''}{json_string(key)}: ")
            seen.add(key)
            yield from self.expect(VALUE)
            yield from self._value(name, key)
            mark = yield from self.expect(KEY, CLOSE)
        self.arguments("}")
        self.end()

    def _value(self, name: str, key: str) -> Reading[None]:
        parameters = self.tools[name].parameters if name in self.tools else {}
        types = property_types(parameters, key)
        if types == frozenset(("string",)):
            self.arguments('"')
            yield from self._raw_value(lambda text: self.arguments(json_inside(text)))
            self.arguments('"')
            return
        parts: list[str] = []
        is_json = types is not None and "string" not in types
        yield from self._raw_value(parts.append, JsonScanner() if is_json else None)
        self.arguments(json_value("".join(parts), types))

    def _raw_value(
        self, to: Callable[[str], None], scanner: JsonScanner | None = None
    ) -> Reading[None]:
        """Passes on what stands before the marker that ends a value. `scanner` follows values that
        can only be JSON."""

        def pass_on(text: str) -> None:
            to(text)
            if scanner is not None:
                scanner.scan(text)

        while True:
            end = yield from self.pass_until(VALUE_END, to=pass_on)
            is_inside = scanner is not None and scanner.in_string and scanner.failure is None
            # Text may contain the marker; only what can follow a value makes it its end.
            if not is_inside and (yield from self.ahead(KEY, CLOSE)) is not None:
                return
            pass_on(end)


def recognises(template: str, architecture: str) -> bool:
    return KEY in template or (architecture in ("glm4moe", "glm4_moe") and OPEN not in template)


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    definitions = Definitions()
    calls = [
        f"{literal(OPEN, token_of)} {json.dumps(tool.name)} {_BREAK} "
        f"{_pairs(tool, definitions, token_of)} {literal(CLOSE, token_of)}"
        for tool in tools
    ]
    return call_grammar(calls, parallel, "\n", definitions)


def _pairs(tool: Tool, definitions: Definitions, token_of: TokenOf) -> str:
    key, key_end, value = (literal(mark, token_of) for mark in (KEY, KEY_END, VALUE))
    end = token_of(VALUE_END)
    pairs: list[str] = []
    for argument in arguments_of(tool):
        text = text_argument(argument, VALUE_END, VALUE_END, definitions, end)
        head = f"{key} {json.dumps(argument.name)} {key_end} {_BREAK} {value}"
        pair = f"{head} {text} {_BREAK}"
        pairs.append(pair if argument.is_required else f"({pair})?")
    return " ".join(pairs)


FAMILY = Family(
    name="glm",
    markers=(OPEN, CLOSE, KEY, KEY_END, VALUE, VALUE_END),
    recognises=recognises,
    parser=GlmParser,
    grammar=grammar,
)
