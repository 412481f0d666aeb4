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

CODER_PARIS = (
    "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n"
    "</tool_call>"
)
CODER_NOW = "<tool_call>\n<function=now>\n</function>\n</tool_call>"

QWEN_CODER = (
    Transcript("plain text", "a < b <tool", "a < b <tool"),
    Transcript(
        "text and two calls",
        f"Let me look.\n\n{CODER_PARIS}\n{CODER_NOW}\n",
        "Let me look.",
        (("get_weather", PARIS), ("now", "{}")),
    ),
    Transcript(
        "values by the schema's types",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\n1\n</parameter>\n<parameter=days>\n"
        "2\n</parameter>\n<parameter=exact>\nTrue\n</parameter>\n<parameter=unit>\nC\n</parameter>\n"
        "</function>\n</tool_call>",
        calls=(("get_weather", '{"city": "1", "days": 2, "exact": true, "unit": "C"}'),),
    ),
    Transcript(
        "a value that is not of its type is a string; null, arrays and what no schema names",
        "<tool_call><function=write_file><parameter=path>\np\n</parameter><parameter=mode>\nNone\n"
        '</parameter><parameter=tags>\n["a", "b"]\n</parameter><parameter=more>\n{"a": 1}\n'
        "</parameter><parameter=text>\n\n</parameter></function></tool_call>"
        "<tool_call><function=get_weather><parameter=days>\nmany \n</parameter></function>"
        "</tool_call>",
        calls=(
            (
                "write_file",
                '{"path": "p", "mode": null, "tags": ["a", "b"], "more": {"a": 1}, "text": ""}',
            ),
            ("get_weather", '{"days": "many "}'),
        ),
    ),
    Transcript(
        "calls and tags in a text are data",
        "<tool_call>\n<function=write_file>\n<parameter=path>\n</parameter>\n</parameter>\n"
        f'<parameter=text>\n "{CODER_NOW}"\n</parameter> x\n\n</parameter>\n</function>\n'
        "</tool_call>",
        calls=(
            (
                "write_file",
                '{"path": "</parameter>", "text": " \\"<tool_call>\\n<function=now>\\n'
                '</function>\\n</tool_call>\\"\\n</parameter> x\\n"}',
            ),
        ),
    ),
    Transcript(
        "Seed-OSS",
        "<seed:tool_call>\n<function=get_weather>\n<parameter=city>Paris</parameter>\n</function>\n"
        "</seed:tool_call>",
        calls=(("get_weather", PARIS),),
    ),
    Transcript(
        "without the outer tag",
        "Now: <function=now></function> \n </tool_call>",
        "Now:",
        (("now", "{}"),),
    ),
    Transcript(
        "an unknown tool is text, and so is a call in its arguments",
        f"<tool_call>\n<function=rm>\n<parameter=x>\n{CODER_NOW}\n</parameter>\n</function>\n"
        f"</tool_call>\n{CODER_NOW}",
        f"<tool_call>\n<function=rm>\n<parameter=x>\n{CODER_NOW}\n</parameter>\n</function>\n"
        "</tool_call>",
        (("now", "{}"),),
    ),
    Transcript(
        "a malformed call is text, and so is a call in the rest of its arguments",
        f"<tool_call>\n<function=get_weather>\nParis <parameter=city>\n{CODER_NOW}\n</parameter>\n"
        f"</function>\n</tool_call>\n{CODER_NOW}",
        f"<tool_call>\n<function=get_weather>\nParis <parameter=city>\n{CODER_NOW}\n</parameter>\n"
        "</function>\n</tool_call>",
        (("now", "{}"),),
        retracted=1,
    ),
    Transcript(
        "a parameter twice",
        "<function=get_weather><parameter=city>\na\n</parameter><parameter=city>\nb\n</parameter>"
        f"</function>{CODER_NOW}",
        "<function=get_weather><parameter=city>\na\n</parameter><parameter=city>\nb\n</parameter>"
        "</function>",
        (("now", "{}"),),
        retracted=1,
    ),
    Transcript(
        "cut off in a value",
        "Hm. <tool_call>\n<function=get_weather>\n<parameter=city>\nPar",
        "Hm. <tool_call>\n<function=get_weather>\n<parameter=city>\nPar",
        retracted=1,
    ),
    Transcript(
        "cut off behind a value",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n",
        retracted=1,
    ),
    Transcript(
        "the function's closing tag is missing",
        f"<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</tool_call>\n"
        f"{CODER_NOW}",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</tool_call>",
        (("now", "{}"),),
        retracted=1,
    ),
    Transcript(
        "a name without an end", "<function=" + "x" * 300 + ">", "<function=" + "x" * 300 + ">"
    ),
)

LLAMA_PARIS = '{"name": "get_weather", "parameters": {"city": "Paris"}}'

LLAMA = (
    Transcript("plain text", "Hello.", "Hello."),
    Transcript("the whole answer", LLAMA_PARIS, calls=(("get_weather", PARIS),)),
    Transcript(
        "with a type, white space, several",
        f'\n{{"type": "function", "name": "now", "parameters": {{}}}} ;\n{LLAMA_PARIS}\nSo.',
        "So.",
        (("now", "{}"), ("get_weather", PARIS)),
    ),
    Transcript(
        "behind the tag",
        f"Well: <|python_tag|>{LLAMA_PARIS}; {LLAMA_PARIS}",
        "Well:",
        (("get_weather", PARIS), ("get_weather", PARIS)),
    ),
    Transcript("Python behind the tag", "<|python_tag|>print({})", "<|python_tag|>print({})"),
    Transcript(
        "JSON that is no call", '{"name": "Alice", "age": 3}', '{"name": "Alice", "age": 3}'
    ),
    Transcript("JSON with other keys", '{"a": {"name": "now"}} b', '{"a": {"name": "now"}} b'),
    Transcript("a call in a text", f"Write {LLAMA_PARIS}.", f"Write {LLAMA_PARIS}."),
    Transcript("cut off", LLAMA_PARIS[:-3], LLAMA_PARIS[:-3], retracted=1),
    Transcript(
        "a tag in a string of a JSON answer is data",
        '{"x": "<|python_tag|>{\\"name\\": \\"now\\"}", "y": ["<|python_tag|>"]}',
        '{"x": "<|python_tag|>{\\"name\\": \\"now\\"}", "y": ["<|python_tag|>"]}',
    ),
    Transcript(
        "text behind calls",
        f"{LLAMA_PARIS}; and more {LLAMA_PARIS}",
        f"and more {LLAMA_PARIS}",
        (("get_weather", PARIS),),
    ),
)

MISTRAL = (
    Transcript("plain text", "[TOOL] x [1]", "[TOOL] x [1]"),
    Transcript(
        "the array",
        f'[TOOL_CALLS] [{{"name": "get_weather", "arguments": {PARIS}, "id": "abcdefghi"}}, '
        '{"name": "now", "arguments": {}}]',
        calls=(("get_weather", PARIS), ("now", "{}")),
    ),
    Transcript(
        "names and arguments",
        f"Sure.\n[TOOL_CALLS]get_weather[ARGS]{PARIS}[TOOL_CALLS]now[CALL_ID]abcdefghi[ARGS]{{}}"
        f"[TOOL_CALLS]get_weather{PARIS}",
        "Sure.",
        (("get_weather", PARIS), ("now", "{}"), ("get_weather", PARIS)),
    ),
    Transcript(
        "one object", '[TOOL_CALLS]{"name": "now", "arguments": {}}', calls=(("now", "{}"),)
    ),
    Transcript(
        "markers in a string are data",
        '[TOOL_CALLS]write_file[ARGS]{"path": "[TOOL_CALLS]now[ARGS]{}", "text": ""}',
        calls=(("write_file", '{"path": "[TOOL_CALLS]now[ARGS]{}", "text": ""}'),),
    ),
    Transcript(
        "an unknown tool in the array",
        '[TOOL_CALLS][{"name": "rm", "arguments": {}}, {"name": "now", "arguments": {}}] ok',
        '[TOOL_CALLS][{"name": "rm", "arguments": {}}ok',
        (("now", "{}"),),
    ),
    Transcript(
        "the array breaks off",
        '[TOOL_CALLS][{"name": "now", "arguments": {}}, {"name": "get_weather", "arg',
        ', {"name": "get_weather", "arg',
        (("now", "{}"),),
        retracted=1,
    ),
    Transcript(
        "the array breaks off between calls",
        '[TOOL_CALLS][{"name": "now", "arguments": {}}, ',
        calls=(("now", "{}"),),
    ),
    Transcript(
        "malformed arguments, then a call",
        "[TOOL_CALLS]get_weather[ARGS]{'city': [1]}[TOOL_CALLS]now[ARGS]{}",
        "[TOOL_CALLS]get_weather[ARGS]{'city': [1]}",
        (("now", "{}"),),
        retracted=1,
    ),
    Transcript(
        "cut off", '[TOOL_CALLS]now[ARGS]{"a": ', '[TOOL_CALLS]now[ARGS]{"a": ', retracted=1
    ),
    Transcript("cut off in the name", "[TOOL_CALLS]no", "[TOOL_CALLS]no"),
    Transcript(
        "the marker in prose is text",
        "It is [TOOL_CALLS] that I write. [TOOL_CALLS]now[ARGS]{}",
        "It is [TOOL_CALLS] that I write.",
        (("now", "{}"),),
    ),
)

GENERIC = (
    Transcript("plain text", "Hello ```json {} ```", "Hello ```json {} ```"),
    Transcript(
        "the form asked for",
        f'{{"tool_calls": [{{"name": "get_weather", "arguments": {PARIS}}}, {{"name": "now"}}]}}\n',
        calls=(("get_weather", PARIS), ("now", "{}")),
    ),
    Transcript(
        "in a fence",
        '```json\n{ "tool_calls": [{"name": "now", "arguments": {}}]\n}\n```\nDone.',
        "Done.",
        (("now", "{}"),),
    ),
    Transcript("one call", '{"name": "now", "arguments": {}}', calls=(("now", "{}"),)),
    Transcript("a list alone", '\n[{"name": "now"}, {"name": "now"}]', calls=(("now", "{}"),) * 2),
    Transcript("Hermes' tags", f"So: {HERMES_NOW}", "So:", (("now", "{}"),)),
    Transcript("a JSON answer", '{"a": [1, "x"]} ', '{"a": [1, "x"]} '),
    Transcript("a JSON list", '["<tool_call>{}", 2]', '["<tool_call>{}", 2]'),
    Transcript("JSON in a fence", '```json\n{"name": "Bo"}\n```', '```json\n{"name": "Bo"}\n```'),
    Transcript("code in a fence", "```\nx = 1\n```", "```\nx = 1\n```"),
    Transcript(
        "a call in a JSON answer's string is data",
        f'[{{}}, "{HERMES_NOW.replace(chr(34), chr(92) + chr(34))}"]',
        f'[{{}}, "{HERMES_NOW.replace(chr(34), chr(92) + chr(34))}"]',
    ),
)

TAGGED_LIST = (
    f'[{{"name": "get_weather", "arguments": {PARIS}}}, {{"name": "now", "arguments": {{}}}}]'
)
TAGGED_BOTH = (("get_weather", PARIS), ("now", "{}"))


def tagged(opening: str, closing: str) -> tuple[Transcript, ...]:
    """What a family of `tagged` writes between its tags."""
    now = f'{opening}{{"name": "now", "arguments": {{}}}}{closing}'
    bad = f"{opening}[{{'name': 'now'}}]{closing}"
    return (
        Transcript("a list", f"So: {opening}{TAGGED_LIST}{closing}\n", "So:", TAGGED_BOTH),
        Transcript("single calls", f"{now}{now}", calls=(("now", "{}"),) * 2),
        Transcript("malformed, then a call", f"{bad} {now}", bad, (("now", "{}"),)),
        Transcript("cut off", f'{opening}[{{"na', f'{opening}[{{"na'),
    )
