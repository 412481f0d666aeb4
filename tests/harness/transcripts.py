"""What models of each family write, and what a client shall see of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kronk.worker.parsers.base import (
    Arguments,
    CallBegin,
    CallEnd,
    Dropped,
    Family,
    Parser,
    Reasoning,
    Retracted,
    Segment,
    Text,
    Tool,
)

WEATHER = Tool(
    "get_weather",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "exact": {"type": "boolean"},
            "unit": {"enum": ["C", "F"]},
        },
        "required": ["city"],
        "additionalProperties": False,
    },
    "The weather of the next days.",
)
WRITE = Tool(
    "write_file",
    {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "text": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "mode": {"type": ["integer", "null"]},
        },
        "required": ["path", "text"],
        "additionalProperties": False,
    },
)
NOW = Tool("now", {"type": "object"}, "The time.")
TOOLS = (WEATHER, WRITE, NOW)


@dataclass(frozen=True, slots=True)
class Transcript:
    """One answer. `calls` are the complete ones: name and arguments, as JSON text."""

    title: str
    raw: str
    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    reasoning: str = ""
    # How many calls were begun and then taken back.
    retracted: int = 0


def parse(parser: Parser, pieces: Sequence[str]) -> list[Segment]:
    segments: list[Segment] = []
    for piece in pieces:
        segments += parser.feed(piece)
    return segments + parser.finish()


def joined(segments: Sequence[Segment]) -> list[Segment]:
    """Segments of one kind as one, without their sizes: the same however the text was cut."""
    result: list[Segment] = []
    for segment in segments:
        plain: Any = replace(segment, chars=0)
        last: Any = result[-1] if result else None
        if isinstance(plain, Dropped) or (isinstance(plain, Reasoning) and not plain.text):
            continue
        if isinstance(plain, Text | Reasoning | Arguments) and type(last) is type(plain):
            result[-1] = replace(last, text=last.text + plain.text)
        else:
            result.append(plain)
    return result


def seen(title: str, raw: str, segments: Sequence[Segment]) -> Transcript:
    """The transcript that these segments amount to. Fails where they contradict each other."""
    text = reasoning = ""
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    ended: list[int] = []
    retracted = 0
    for segment in segments:
        match segment:
            case Text():
                text += segment.text
            case Reasoning():
                reasoning += segment.text
            case CallBegin():
                assert segment.index == len(names), "calls are counted from 0"
                names[segment.index] = segment.name
                arguments[segment.index] = ""
            case Arguments():
                assert segment.index == len(names) - 1 and segment.index not in ended
                arguments[segment.index] += segment.text
            case CallEnd():
                assert segment.index == len(names) - 1 and segment.index not in ended
                ended.append(segment.index)
            case Retracted():
                assert segment.index == len(names) - 1 and segment.index not in ended
                text += segment.text
                retracted += 1
    assert len(ended) + retracted == len(names), "every call that was begun ends once"
    calls = tuple((names[index], arguments[index]) for index in ended)
    return Transcript(title, raw, text, calls, reasoning, retracted)


def check(family: Family, transcript: Transcript, tools: Sequence[Tool] = TOOLS) -> None:
    """The transcript comes out as it says, the same for every cut in two and for single
    characters, and every character is accounted for."""
    raw = transcript.raw
    whole = parse(family.parser(tools), [raw])
    assert seen(transcript.title, raw, whole) == transcript
    cuts = [[raw[:at], raw[at:]] for at in range(1, len(raw))]
    for pieces in ([raw], list(raw), *cuts):
        segments = parse(family.parser(tools), pieces)
        assert sum(segment.chars for segment in segments) == len(raw), pieces
        assert joined(segments) == joined(whole), pieces


PARIS = '{"city": "Paris"}'
HERMES_NOW = '<tool_call>{"name": "now"}</tool_call>'
# A call whose arguments contain a call.
HERMES_RM = (
    '<tool_call>{"name": "rm", "arguments": {"x": "<tool_call>{\\"name\\": \\"now\\"}"}}'
    "</tool_call>"
)

HERMES = (
    Transcript("plain text", "Hello there.", "Hello there."),
    Transcript("only white space", " \n ", " \n "),
    Transcript(
        "one call",
        f'<tool_call>\n{{"name": "get_weather", "arguments": {PARIS}}}\n</tool_call>',
        calls=(("get_weather", PARIS),),
    ),
    Transcript(
        "text, two calls, text",
        f'Let me look. \n<tool_call>\n{{"name": "get_weather", "arguments": {PARIS}}}\n'
        '</tool_call>\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>\n\nSo. ',
        "Let me look.So. ",
        (("get_weather", PARIS), ("now", "{}")),
    ),
    Transcript(
        "arguments before the name, more keys, no spaces",
        '<tool_call>{"id":[1,{"name":"now"}],"arguments":{"city": "A\\n\\"B\\""},'
        '"name":"get_weather"}</tool_call>',
        calls=(("get_weather", '{"city": "A\\n\\"B\\""}'),),
    ),
    Transcript(
        "arguments twice encoded",
        r'<tool_call>{"name": "get_weather", "arguments": '
        r'"{\"city\": \"\ud83d\ude00 \\\"x\\\"\"} "}</tool_call>',
        calls=(("get_weather", '{"city": "😀 \\"x\\""}'),),
    ),
    Transcript(
        "no arguments, null and an empty string are the empty object",
        '<tool_call>{"name": "now"}</tool_call><tool_call>{"name": "now", "arguments": null}'
        '</tool_call><tool_call>{"name": "now", "arguments": ""}</tool_call>',
        calls=(("now", "{}"), ("now", "{}"), ("now", "{}")),
    ),
    Transcript(
        "markers and calls in a string are data",
        '<tool_call>{"name": "write_file", "arguments": {"path": "p", "text": '
        '"</tool_call><tool_call>{\\"name\\": \\"now\\"}</tool_call>"}}</tool_call>',
        calls=(
            (
                "write_file",
                '{"path": "p", "text": '
                '"</tool_call><tool_call>{\\"name\\": \\"now\\"}</tool_call>"}',
            ),
        ),
    ),
    Transcript(
        "the closing tag is missing at the end",
        '<tool_call>{"name": "now", "arguments": {}}',
        calls=(("now", "{}"),),
    ),
    Transcript(
        "an unknown tool is text, and so is a call in its arguments",
        f"{HERMES_RM} {HERMES_NOW}",
        HERMES_RM,
        (("now", "{}"),),
    ),
    Transcript(
        "cut off in the name",
        'Well \n<tool_call>\n{"name": "get_w',
        'Well \n<tool_call>\n{"name": "get_w',
    ),
    Transcript(
        "cut off in the arguments",
        'Well \n<tool_call>\n{"name": "get_weather", "arguments": {"city": "P',
        'Well \n<tool_call>\n{"name": "get_weather", "arguments": {"city": "P',
        retracted=1,
    ),
    Transcript("cut off in the marker", "Well <tool_c", "Well <tool_c"),
    Transcript(
        "a malformed call is text, the next one is a call",
        '<tool_call>{"name": "get_weather", "arguments": {"city": Paris}}</tool_call>\n'
        '<tool_call>{"name": "now"}</tool_call>',
        '<tool_call>{"name": "get_weather", "arguments": {"city": Paris}}</tool_call>',
        (("now", "{}"),),
        retracted=1,
    ),
    Transcript(
        "a call in a string of malformed arguments is text",
        '<tool_call>{"name": "get_weather", "arguments": {"city": "\\q<tool_call>{"name": "now"}'
        "</tool_call>",
        '<tool_call>{"name": "get_weather", "arguments": {"city": "\\q<tool_call>{"name": "now"}'
        "</tool_call>",
        retracted=1,
    ),
    Transcript(
        "brackets that do not match end at the marker",
        '<tool_call>{"name": "get_weather", "arguments": {"city": [1}}</tool_call>'
        '<tool_call>{"name": "now"}</tool_call>',
        '<tool_call>{"name": "get_weather", "arguments": {"city": [1}}</tool_call>',
        (("now", "{}"),),
        retracted=1,
    ),
    Transcript(
        "the marker in prose is text",
        'Use <tool_call> tags. <tool_call>{"name": "now"}</tool_call>',
        "Use <tool_call> tags.",
        (("now", "{}"),),
    ),
    Transcript(
        "arguments that are no object",
        '<tool_call>{"name": "now", "arguments": [1, "<tool_call>"]}</tool_call>',
        '<tool_call>{"name": "now", "arguments": [1, "<tool_call>"]}</tool_call>',
        retracted=1,
    ),
    Transcript(
        "a string of arguments that holds no object",
        r'<tool_call>{"name": "now", "arguments": "{\"a\": 1} b"}</tool_call>',
        r'<tool_call>{"name": "now", "arguments": "{\"a\": 1} b"}</tool_call>',
        retracted=1,
    ),
    Transcript(
        "half a character in a string of arguments",
        r'<tool_call>{"name": "now", "arguments": "{\"a\": \"\ud83d\"}"}</tool_call>',
        r'<tool_call>{"name": "now", "arguments": "{\"a\": \"\ud83d\"}"}</tool_call>',
        retracted=1,
    ),
    Transcript(
        "arguments twice",
        '<tool_call>{"name": "now", "arguments": {}, "parameters": {"a": 1}}</tool_call>',
        '<tool_call>{"name": "now", "arguments": {}, "parameters": {"a": 1}}</tool_call>',
        retracted=1,
    ),
)
