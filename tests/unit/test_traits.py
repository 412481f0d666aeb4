"""What a model can be asked for, by its metadata and its template."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kronk.shared.gguf import Header, Tensor
from kronk.shared.models import traits


def header(architecture: str = "llama", **metadata: Any) -> Header:
    known = {key.replace("__", "."): value for key, value in metadata.items()}
    return Header(3, {"general.architecture": architecture, **known}, (), 0, 0)


PLAIN = "{% for m in messages %}{{ m.content }}{% endfor %}"
EYES = header("clip", clip__has_vision_encoder=True)


@pytest.mark.parametrize(
    ("model", "template", "projector", "expected"),
    [
        (header(), PLAIN, None, ["chat", "completion"]),
        (header(), None, None, ["completion"]),
        (header(), PLAIN + "{% if tools %}x{% endif %}", None, ["chat", "completion", "tools"]),
        # A word in the template's text is no use of a variable.
        (header(), PLAIN + "Use your tools.", None, ["chat", "completion"]),
        (header(), PLAIN + "<think>", None, ["chat", "completion", "reasoning"]),
        (header(), PLAIN + "{{ reasoning_effort }}", None, ["chat", "completion", "reasoning"]),
        (header(), PLAIN, EYES, ["chat", "completion", "vision"]),
        (
            header(tokenizer__ggml__fim_pre_token_id=7),
            PLAIN,
            None,
            ["chat", "completion", "insert"],
        ),
        (header("bert", bert__attention__causal=False), None, None, ["embeddings"]),
        (header("qwen3", qwen3__pooling_type=3), PLAIN, None, ["embeddings"]),
    ],
)
def test_capabilities_come_from_metadata_and_template(
    model: Header, template: str | None, projector: Header | None, expected: list[str]
) -> None:
    assert traits.capabilities(model, template, projector) == expected


def test_special_tokens_are_those_with_an_id() -> None:
    model = header(
        tokenizer__ggml__bos_token_id=1,
        tokenizer__ggml__eot_token_id=4,
        tokenizer__ggml__add_bos_token=True,
        tokenizer__ggml__eos_token_id="two",
    )
    written = replace(model, special={"bos": "<s>"})
    assert traits.special(written) == {
        "bos": {"id": 1, "text": "<s>"},
        "eot": {"id": 4, "text": None},
    }


def test_what_a_file_says_of_itself_is_told_as_far_as_it_does() -> None:
    model = header(general__license="apache-2.0", general__name="", general__author=3)
    assert traits.about(model) == {"licence": "apache-2.0"}


def test_tensor_types_are_counted_over_all_files() -> None:
    def file(*kinds: str) -> Header:
        return Header(3, {}, tuple(Tensor("t", (4, 2), kind, 0, 8) for kind in kinds), 0, 0)

    files = [file("f32", "q8_0"), file("q8_0")]
    assert traits.tensor_types(files) == {
        "q8_0": {"tensors": 2, "bytes": 16},
        "f32": {"tensors": 1, "bytes": 8},
    }
    assert traits.weights(files).total() == 24
