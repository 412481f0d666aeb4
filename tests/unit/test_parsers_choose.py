"""The family is the one that configuration names, else the one that the template shows."""

from __future__ import annotations

import pytest
from llama_cpp import Llama

from harness.grammar_walk import TINY
from kronk.shared.errors import InvalidArgument
from kronk.shared.model_keys import TOOL_PARSERS
from kronk.worker.parsers.choose import FAMILIES, choose

HERMES = '<tool_call>\\n{\\"name\\": <name>, \\"arguments\\": <args-json-object>}\\n</tool_call>'
CODER = "<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>"
LLAMA = (
    '<|start_header_id|>{{ \'Respond in the format {"name": function name, "parameters": {}}\' }}'
)


@pytest.mark.parametrize(
    ("name", "template", "architecture", "family"),
    [
        (None, HERMES, "qwen3", "hermes"),
        (None, CODER, "qwen3moe", "qwen-coder"),
        (None, LLAMA, "llama", "llama"),
        (None, "{{ '<|python_tag|>' }}", "llama", "llama"),
        (None, "{{ '[TOOL_CALLS]' }}", "llama", "mistral"),
        (None, "{{ '<|tool_call|>' }}{{ '<|/tool_call|>' }}", "phi3", "phi"),
        (None, "{{ '<|tool_call|>' }}", "granite", "granite"),
        (None, "<TOOLCALL>[]</TOOLCALL>", "nemotron", "nemotron"),
        (None, "<tool_call></tool_call> arguments <tool_calls>[]</tool_calls>", "llama", "apriel"),
        (None, "{{ messages }}", "llama", "generic"),
        (None, None, "llama", "generic"),
        # What configuration says goes before what the template shows.
        ("llama", HERMES, "qwen3", "llama"),
        ("generic", HERMES, "qwen3", "generic"),
    ],
)
def test_which_family(
    name: str | None, template: str | None, architecture: str, family: str
) -> None:
    assert choose(name, template, architecture).name == family


def test_the_tiny_models_own_template_is_hermes() -> None:
    model = Llama(str(TINY), vocab_only=True, verbose=False, n_ctx=64)
    template = model.metadata["tokenizer.chat_template"]
    assert choose(None, template, model.metadata["general.architecture"]).name == "hermes"


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidArgument) as refused:
        choose("qwen", None, "llama")
    assert refused.value.param == "tool_parser"
    for family in FAMILIES:
        assert family.name in refused.value.message


def test_a_configuration_may_name_each_of_them() -> None:
    assert sorted(family.name for family in FAMILIES) == list(TOOL_PARSERS)


def test_names_are_unique_and_the_last_family_takes_all() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    assert names[-1] == "generic"
