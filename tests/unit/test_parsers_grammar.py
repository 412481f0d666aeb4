"""What a family's grammar lets a model write, the family's parser reads, and it fits the schema."""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema
import pytest

from harness.grammar_walk import ENDS, Vocabulary, plain, tiny, walk
from harness.transcripts import TOOLS, parse, seen
from kronk.worker.parsers.base import Family, Tool
from kronk.worker.parsers.choose import FAMILIES

RICH = Tool(
    "a.rich-one",
    {
        "type": "object",
        "properties": {
            "letters": {"type": "string", "pattern": "^[a-c/]{2,4}$"},
            "inside": {"type": "string", "pattern": "d/e"},
            "short": {"type": "string", "minLength": 2, "maxLength": 4},
            "choice": {"enum": ["a", "a b", 'q"', "é\n"]},
            "fixed": {"const": 7},
            "nested": {"$ref": "#/$defs/nested"},
            "either": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
            "maybe": {"type": ["string", "null"]},
            "ratio": {"type": "number", "minimum": 3, "maximum": 4},
            "any": {"description": "Anything."},
        },
        "required": ["letters", "inside", "nested", "choice"],
        "additionalProperties": False,
        "$defs": {
            "nested": {
                "type": "object",
                "properties": {"deep": {"type": "array", "items": {"$ref": "#/$defs/nested"}}},
                "required": ["deep"],
                "additionalProperties": False,
            }
        },
    },
    "A tool with all kinds of arguments.",
)
ALL = (*TOOLS, RICH)
SCHEMAS = {tool.name: tool.parameters for tool in ALL}
# What ends texts in some formats only.
MORE_ENDS = {
    "glm": (b"</arg_value>",),
    "gemma4": (b'<|"|>',),
    "functiongemma": (b"<escape>",),
    "harmony": (b"<|end|>",),
}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("vocabulary", [tiny, plain], ids=["special", "plain"])
@pytest.mark.parametrize("parallel", [False, True], ids=["one", "several"])
def test_the_parser_reads_what_the_grammar_writes(
    family: Family, vocabulary: Callable[[], Vocabulary], parallel: bool
) -> None:
    words = vocabulary()
    called: set[str] = set()
    for seed in range(12):
        tools = ALL if seed < 8 else (ALL[seed % 4],)
        ends = (*ENDS, *MORE_ENDS.get(family.name, ()))
        raw = walk(words, family.grammar(tools, parallel, words.special.get), seed, ends)
        answer = seen("", raw, parse(family.parser(tools), [raw]))
        # Only Harmony's thinking is part of its grammar.
        assert not answer.reasoning or family.name == "harmony"
        assert (answer.text, answer.retracted) == ("", 0), raw
        assert len(answer.calls) >= 1 if parallel else len(answer.calls) == 1, raw
        for name, arguments in answer.calls:
            jsonschema.validate(json.loads(arguments), SCHEMAS[name])
            called.add(name)
    assert called == set(SCHEMAS)
