"""However an answer is cut into pieces, the same calls come out, and every character is counted."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import transcripts
from harness.transcripts import TOOLS, Transcript, check, joined, parse, seen
from kronk.worker.parsers import generic, hermes, llama, mistral, qwen_coder, tagged
from kronk.worker.parsers.base import Arguments, Family, Text, Tool

TABLES = (
    (hermes.FAMILY, transcripts.HERMES),
    (qwen_coder.FAMILY, transcripts.QWEN_CODER),
    (llama.FAMILY, transcripts.LLAMA),
    (mistral.FAMILY, transcripts.MISTRAL),
    (generic.FAMILY, transcripts.GENERIC),
    (tagged.PHI, transcripts.tagged("<|tool_call|>", "<|/tool_call|>")),
    (tagged.GRANITE, transcripts.tagged("<|tool_call|>", "")),
    (tagged.NEMOTRON, transcripts.tagged("<TOOLCALL>", "</TOOLCALL>")),
    (tagged.APRIEL, transcripts.tagged("<tool_calls>", "</tool_calls>")),
)
FAMILIES = [family for family, _ in TABLES]
ALL = [
    pytest.param(family, transcript, id=f"{family.name}: {transcript.title}")
    for family, table in TABLES
    for transcript in table
]


def cut(raw: str, at: list[int]) -> list[str]:
    edges = sorted({0, len(raw), *(place % (len(raw) + 1) for place in at)})
    return [raw[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize(("family", "transcript"), ALL)
def test_what_a_client_sees(family: Family, transcript: Transcript) -> None:
    check(family, transcript)


@pytest.mark.parametrize(("family", "transcript"), ALL)
def test_an_answer_cut_off_anywhere_gives_no_call_that_the_whole_does_not(
    family: Family, transcript: Transcript
) -> None:
    for end in range(len(transcript.raw)):
        raw = transcript.raw[:end]
        segments = parse(family.parser(TOOLS), [raw])
        assert sum(segment.chars for segment in segments) == end
        calls = seen("", raw, segments).calls
        assert calls == transcript.calls[: len(calls)]


@pytest.mark.parametrize(("family", "table"), TABLES, ids=lambda value: getattr(value, "name", ""))
def test_arguments_come_out_as_they_are_written(
    family: Family, table: tuple[Transcript, ...]
) -> None:
    transcript = next(t for t in table if t.calls and '"Paris"' in t.calls[0][1])
    begun = transcript.raw[: transcript.raw.index("Paris") + len("Pari")]
    parser = family.parser(TOOLS)
    segments = [segment for char in begun for segment in parser.feed(char)]
    assert joined(segments)[-1] == Arguments(0, '{"city": "Pari', 0)


# Pieces that the families give a meaning, and some they do not.
PIECES = st.sampled_from(
    [
        *(
            "<tool_call>",
            "</tool_call>",
            "<function=",
            "</function>",
            "<parameter=",
            "</parameter>",
        ),
        *(
            "[TOOL_CALLS]",
            "[ARGS]",
            "[CALL_ID]",
            "<|python_tag|>",
            "```json",
            "```",
            '"tool_calls"',
        ),
        *(
            '{"name": "now"',
            '{"name": "get_weather", "arguments": {',
            '"name"',
            '"arguments"',
            "now",
        ),
        *(
            "get_weather",
            "city>",
            "days>",
            '{"city": "P"}',
            "{}",
            "null",
            "1.5e",
            "true",
            "\\u00e9",
        ),
        *('"', "\\", "{", "}", "[", "]", ":", ",", ";", ">", "\n", " ", "x", "é", "🙂", "\\ud83d"),
        *('"{\\"city\\": ', "\\n", "</", "<", "\x00", "'"),
    ]
)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(PIECES, max_size=25), at=st.lists(st.integers(0, 400), max_size=8))
def test_any_text_is_accounted_for_however_it_is_cut(
    family: Family, pieces: list[str], at: list[int]
) -> None:
    raw = "".join(pieces)
    whole = parse(family.parser(TOOLS), [raw])
    answer = seen("", raw, whole)
    if not answer.calls:
        # Nothing of an answer without calls is lost.
        assert answer.text == raw
    for name, arguments in answer.calls:
        assert name in {tool.name for tool in TOOLS}
        assert isinstance(json.loads(arguments), dict)
    for parts in (list(raw), cut(raw, at)):
        segments = parse(family.parser(TOOLS), parts)
        assert sum(segment.chars for segment in segments) == len(raw)
        assert joined(segments) == joined(whole)


def test_text_is_passed_on_at_once() -> None:
    parser = hermes.FAMILY.parser(TOOLS)
    assert parser.feed("Hello") == [Text("Hello", 5)]
    # What could become a marker waits, and white space that could stand before one.
    assert parser.feed(" <tool") == []
    assert parser.feed("s> ") == [Text(" <tools>", 8)]
    assert parser.finish() == [Text(" ", 1)]


def test_a_refused_call_is_passed_on_as_it_comes() -> None:
    parser = hermes.FAMILY.parser(TOOLS)
    parser.feed('<tool_call>{"name": "rm"')
    assert parser.feed(', "arg') == [Text(', "arg', 6)]


@pytest.mark.parametrize(
    ("family", "raw", "problem"),
    [
        (hermes.FAMILY, '<tool_call>{"name": "rm"}', "a call to what is none of the tools"),
        (hermes.FAMILY, "<tool_call>x", "no call: no '{' where one must be"),
        (hermes.FAMILY, '<tool_call>{"na', "no call: the answer ends in the middle of it"),
        (hermes.FAMILY, '<tool_call>{"arguments": {}}', "no call: it has no name"),
        (mistral.FAMILY, "[TOOL_CALLS]rm[ARGS]{}", "a call to what is none of the tools"),
        # An answer in JSON is nothing to remark on.
        (llama.FAMILY, '{"name": "Alice"}', None),
        (generic.FAMILY, '["a"]', None),
    ],
)
def test_the_log_hears_why_it_is_no_call(family: Family, raw: str, problem: str | None) -> None:
    parser = family.parser(TOOLS)
    parse(parser, [raw])
    assert parser.problems == ([] if problem is None else [problem])


def test_deep_nesting_is_malformed_not_an_error() -> None:
    raw = '<tool_call>{"name": "now", "arguments": ' + '{"a":' * 5000
    answer = seen("", raw, parse(hermes.FAMILY.parser(TOOLS), [raw]))
    assert (answer.text, answer.calls) == (raw, ())


@pytest.mark.parametrize("family", [hermes.FAMILY, generic.FAMILY], ids=lambda f: f.name)
def test_the_instructions_name_each_tool_and_a_form_the_parser_reads(family: Family) -> None:
    assert family.instructions is not None
    text = family.instructions([Tool("now", {"type": "object"}, "Tells.")])
    assert '{"name": "now", "description": "Tells.", "parameters": {"type": "object"}}' in text
    form = text[max(text.find('{"tool_calls"'), text.find("<tool_call>")) :].rsplit("\n", 1)[0]
    call = form.replace("<name of the tool>", "now").replace("<its arguments>", "")
    assert seen("", call, parse(family.parser(TOOLS), [call])).calls == (("now", "{}"),)
