"""The other families: the same calls however the answer is cut, and no garbage breaks them."""

# ruff: noqa: RUF001 - DeepSeek's markers are written with full-width bars.

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import constrained
from harness import transcripts_more as written
from harness.grammar_walk import Vocabulary, plain, tiny, walk
from harness.transcripts import TOOLS, Transcript, check, joined, parse, seen
from kronk.worker.parsers import deepseek, gemma, glm, harmony, kimi, lfm, pythonic
from kronk.worker.parsers.base import Arguments, CallBegin, Family, Reasoning, Segment, Text, Tool
from kronk.worker.parsers.choose import choose

FAMILIES = (
    (harmony.FAMILY, written.HARMONY),
    (deepseek.FAMILY, written.DEEPSEEK),
    (glm.FAMILY, written.GLM),
    (gemma.GEMMA_4, written.GEMMA_4),
    (gemma.FUNCTION_GEMMA, written.FUNCTION_GEMMA),
    (gemma.GEMMA_3, written.GEMMA_3),
    (kimi.FAMILY, written.KIMI),
    (lfm.FAMILY, written.LFM),
    (pythonic.FAMILY, written.PYTHONIC),
)
SCHEMAS = {tool.name: tool.parameters for tool in TOOLS}
EACH = [family for family, _ in FAMILIES]
# What structures some format, beside its markers.
PIECES = [
    *"[](){}:,=\\\n\"'",
    "now",
    "get_weather",
    "call:",
    "functions.",
    " to=",
    "```",
    "{}",
    "rm",
]


ENDS_OF_TEXT = (b"</arg_value>", b'<|"|>', b"<escape>", b"<|end|>")


def slices(text: str) -> st.SearchStrategy[str]:
    """Parts of `text`."""
    ends = st.integers(0, len(text))
    return st.tuples(ends, ends).map(lambda cut: text[min(cut) : max(cut)])


@pytest.mark.parametrize(
    ("family", "transcript"),
    [
        pytest.param(family, transcript, id=f"{family.name}: {transcript.title}")
        for family, table in FAMILIES
        for transcript in table
    ],
)
def test_what_a_client_sees(family: Family, transcript: Transcript) -> None:
    check(family, transcript)


def fed(family: Family, pieces: list[str]) -> list[Segment]:
    """The segments of an answer that is all there is; every character is accounted for."""
    segments = parse(family.parser(TOOLS), pieces)
    assert sum(segment.chars for segment in segments) == len("".join(pieces))
    return segments


@pytest.mark.parametrize("family", EACH, ids=lambda family: family.name)
@given(data=st.data())
def test_no_garbage_breaks_it(family: Family, data: st.DataObject) -> None:
    transcripts = dict(FAMILIES)[family]
    scraps = st.one_of(
        st.sampled_from([*family.markers, *PIECES]),
        st.sampled_from([transcript.raw for transcript in transcripts]).flatmap(slices),
        st.text(max_size=4),
    )
    pieces = data.draw(st.lists(scraps, max_size=12))
    raw = "".join(pieces)
    whole = fed(family, [raw])
    assert joined(fed(family, list(raw))) == joined(whole)
    assert joined(fed(family, pieces)) == joined(whole)
    for name, arguments in seen("", raw, whole).calls:
        assert name in {tool.name for tool in TOOLS}
        assert isinstance(json.loads(arguments), dict)


def vocabulary_of(family: Family) -> Vocabulary:
    """The tiny model's, whose special tokens are the family's markers."""
    words = tiny()
    ids = sorted(set(words.special.values()) - set(constrained.model().ends))
    special = dict(zip(family.markers, ids, strict=False))
    pieces = list(words.pieces)
    for marker, token in special.items():
        pieces[token] = marker.encode()
    return replace(words, pieces=pieces, special=special)


@pytest.mark.parametrize("family", EACH, ids=lambda family: family.name)
def test_the_grammar_names_control_tokens_by_their_ids(family: Family) -> None:
    words = vocabulary_of(family)
    assert len(words.special) == len(family.markers)
    for seed in range(6):
        grammar = family.grammar(TOOLS, True, words.special.get)
        assert not any(f'"{marker}"' in grammar for marker in family.markers)
        raw = walk(words, grammar, seed, (b'"', b"}", *map(str.encode, family.markers)))
        answer = seen("", raw, parse(family.parser(TOOLS), [raw]))
        assert answer.calls
        assert not answer.text
        for name, arguments in answer.calls:
            jsonschema.validate(json.loads(arguments), SCHEMAS[name])


ODD = Tool(
    "odd",
    {
        "type": "object",
        "properties": {
            "a key": {"type": "string"},
            "x=y:z": {"type": "boolean"},
            "é": {"type": "integer"},
        },
        "required": ["a key", "x=y:z"],
    },
)


@pytest.mark.parametrize("family", EACH, ids=lambda family: family.name)
def test_keys_that_are_no_names_are_written_and_read(family: Family) -> None:
    grammar = family.grammar((ODD,), False, lambda _: None)
    raw = walk(plain(), grammar, 1, (b'"', b"}", *ENDS_OF_TEXT))
    ((_, arguments),) = seen("", raw, parse(family.parser((ODD,)), [raw])).calls
    assert {"a key", "x=y:z"} <= json.loads(arguments).keys()


@pytest.mark.parametrize("family", EACH, ids=lambda family: family.name)
@pytest.mark.parametrize("schema", [{"required": 5, "properties": []}, {"properties": {"a": 1}}])
def test_a_schema_that_is_none_makes_a_grammar_all_the_same(
    family: Family, schema: dict[str, Any]
) -> None:
    assert "start:" in family.grammar((Tool("odd", schema),), False, lambda _: None)


@pytest.mark.parametrize("family", EACH, ids=lambda family: family.name)
@pytest.mark.parametrize("spare", [0, 60])
def test_a_call_that_is_asked_for_comes_whole_however_few_tokens_there_are(
    family: Family, spare: int
) -> None:
    words = vocabulary_of(family)
    lark = family.grammar(TOOLS, True, words.special.get)
    grammar = constrained.compiler().compile_lark(lark, "tools")
    for seed in range(3):
        tokens = constrained.written(grammar, grammar.shortest + spare, seed)
        raw = b"".join(words.pieces[token] for token in tokens).decode()
        answer = seen("", raw, parse(family.parser(TOOLS), [raw]))
        assert answer.calls
        assert not answer.text


@pytest.mark.parametrize("family", EACH, ids=lambda family: family.name)
def test_plain_text_comes_out_at_once(family: Family) -> None:
    parser = family.parser(TOOLS)
    assert parser.feed("So") == [Text("So", 2)]
    assert parser.feed(" it is") == [Text(" it is", 6)]
    # White space may belong to a call, where calls can stand in a text.
    space = parser.feed(" ")
    assert space == ([Text(" ", 1)] if family is harmony.FAMILY else [])
    assert seen("", "", space + parser.feed("now. (")).text == " now. ("
    assert parser.problems == []


@pytest.mark.parametrize("family", EACH, ids=lambda family: family.name)
def test_a_name_comes_before_its_arguments_and_they_piece_by_piece(family: Family) -> None:
    raw = next(t.raw for t in dict(FAMILIES)[family] if t.title.endswith("one call") or t.calls)
    parser = family.parser(TOOLS)
    fed = [segment for char in raw for segment in parser.feed(char)]
    kinds = [type(segment) for segment in fed]
    assert kinds.index(CallBegin) < kinds.index(Arguments)
    pieces = [segment.text for segment in fed if isinstance(segment, Arguments)]
    assert len(pieces) > 5


@pytest.mark.parametrize(
    ("family", "raw"),
    [
        (kimi.FAMILY, "<|tool_call_begin|>functions.rm:0<|tool_call_argument_begin|>{}"),
        (deepseek.FAMILY, "<｜tool▁call▁begin｜>rm<｜tool▁sep｜>{}"),
        (glm.FAMILY, "<tool_call>rm</tool_call>"),
        (gemma.GEMMA_4, "<|tool_call>call:rm{}"),
        (lfm.FAMILY, "<|tool_call_start|>[rm()]"),
        (harmony.FAMILY, "<|channel|>commentary to=functions.rm<|message|>{}"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_call_of_an_unknown_tool_is_a_problem_for_the_log(family: Family, raw: str) -> None:
    parser = family.parser(TOOLS)
    assert "".join(s.text for s in parse(parser, [raw]) if isinstance(s, Text)) == raw
    assert parser.problems == ["a call to what is none of the tools"]


def test_harmony_knows_when_thinking_runs() -> None:
    parser = harmony.HarmonyParser(TOOLS)
    assert not parser.is_thinking
    parser.feed("<|channel|>analysis<|message|>")
    assert parser.is_thinking
    assert parser.feed("Hm.") == [Reasoning("Hm.", 3)]
    parser.feed(parser.close_text)
    assert not parser.is_thinking
    fed = parser.feed(" to=functions.now <|constrain|>json<|message|>{}") + parser.finish()
    assert seen("", "", fed).calls == (("now", "{}"),)


def test_harmony_without_tools_goes_from_thinking_to_its_answer() -> None:
    parser = harmony.HarmonyParser(())
    fed = parser.feed(f"<|channel|>analysis<|message|>Hm.{parser.close_text}So.")
    assert not parser.is_thinking
    assert (seen("", "", fed).reasoning, seen("", "", fed).text) == ("Hm.", "So.")


@pytest.mark.parametrize("family", [f for f in EACH if f.instructions], ids=lambda f: f.name)
def test_instructions_present_each_tool(family: Family) -> None:
    assert family.instructions is not None
    text = family.instructions(TOOLS)
    for tool in TOOLS:
        assert json.dumps(tool.name) in text
        assert json.dumps(tool.parameters) in text


@pytest.mark.parametrize(
    ("name", "template", "architecture"),
    [
        ("harmony", "<|start|>assistant<|channel|>final<|message|>{{ content }}<|end|>", "llama"),
        ("harmony", "", "gpt-oss"),
        ("deepseek", "{{'<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + type}}", "llama"),
        ("deepseek", "<｜User｜>{{ content }}<｜Assistant｜>", "deepseek2"),
        ("generic", "<｜Assistant｜>{{ '｜DSML｜function_calls' }}", "deepseek2"),
        ("kimi", "<|im_assistant|>assistant<|im_middle|>", "deepseek2"),
        ("kimi", "<|tool_calls_section_begin|><|tool_call_begin|>{{ id }}", "llama"),
        ("glm", "<tool_call>{{ name }}\n<arg_key>{{ key }}</arg_key>", "glm4moe"),
        ("glm", "[gMASK]<sop>{{ content }}", "glm4_moe"),
        ("hermes", '<tool_call>{"name": ..., "arguments": ...}</tool_call>', "glm4moe"),
        ("gemma4", "<|tool_call>call:{{ name }}<tool_call|>", "gemma4"),
        ("functiongemma", "<start_function_call>call:{{ name }}", "gemma3"),
        ("gemma3", "<start_of_turn>model", "gemma3"),
        ("lfm", "<|tool_list_start|>[{{ tools }}]<|tool_list_end|>", "lfm2"),
        ("lfm", "", "lfm2moe"),
        ("pythonic", "answer with [func_name1(params_name1=params_value1)]", "llama"),
        ("pythonic", "<|header_start|>assistant<|header_end|>", "llama4"),
        ("llama", '<|header_start|> {"name": name, "parameters": {}}', "llama4"),
    ],
)
def test_the_template_shows_the_family_and_else_the_architecture(
    name: str, template: str, architecture: str
) -> None:
    assert choose(None, template, architecture).name == name
