"""What Ollama's lists say of models, from headers and configurations alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import ollama
import pytest

from kronk.gateway.dialects.ollama import listings, schemas
from kronk.gateway.dialects.ollama.details import (
    Details,
    capabilities,
    details,
    model_info,
)
from kronk.gateway.model_files import ModelDetails
from kronk.shared.gguf import Counted, Header, Tensor
from kronk.shared.models.chat_template import template_of
from kronk.shared.models.headers import Headers
from kronk.shared.models.index import ModelEntry
from kronk.shared.models.traits import parameter_size
from kronk.shared.wire.loading import Fitted, TemplateSpec
from kronk.shared.wire.status import ModelStatus
from kronk.shared.wire.values import Sampling
from kronk.worker.gguf_file import read

MODELS = Path(__file__).parents[1] / "models"
TINY = MODELS / "tiny-chat-q8_0.gguf"
ENTRY = ModelEntry("org/Tiny", TINY, 3_764_544, 1_795_285_800, True, None, "org/Tiny")
DETAILS = Details("llama", 3_480_000, "Q8_0")
NOW = 1_795_285_800 * 10**9
CHATML = "{% for m in messages %}{{ m.content }}{% endfor %}"


def header(*tensors: Tensor, **metadata: Any) -> Header:
    facts = {key.replace("__", "."): value for key, value in metadata.items()}
    return Header(3, {"general.architecture": "llama", **facts}, tensors, 0, 0)


def tensor(name: str, kind: str, *shape: int) -> Tensor:
    return Tensor(name, shape, kind, 0, 0)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (12, "12"),
        (812_345, "812K"),
        (3_480_000, "3.48M"),
        (134_515_008, "134.52M"),
        (1_000_000, "1M"),
        (3_212_749_888, "3.2B"),
        (70_553_706_496, "70.6B"),
        (1_000_000_000, "1B"),
        (1_026_000_000_000, "1T"),
        (600_000_000, "600M"),
    ],
)
def test_parameters_are_told_parameter_size(parameters: int, words: str) -> None:
    assert parameter_size(parameters) == words


@pytest.mark.parametrize(
    ("file_type", "kinds", "level"),
    [
        (15, ["q4_K", "q6_K"], "Q4_K_M"),
        (7, ["q8_0"], "Q8_0"),
        (None, ["q4_K", "q4_K", "f32"], "Q4_K"),
        (9999, ["f16"], "F16"),
        (None, [], "unknown"),
    ],
)
def test_a_file_is_quantized_as_it_says_or_else_as_most_of_its_weights_are(
    file_type: int | None, kinds: list[str], level: str
) -> None:
    said = {} if file_type is None else {"general__file_type": file_type}
    tensors = [tensor(str(at), kind, 32, 2) for at, kind in enumerate(kinds)]
    found = details([header(*tensors, **said)])
    assert found == Details("llama", 64 * len(kinds), level)


def test_a_split_model_has_the_weights_of_all_its_files() -> None:
    files = [header(tensor("a", "f16", 10)), header(tensor("b", "f16", 10, 3))]
    assert details(files).parameters == 40


EMBEDDING = {"llama__pooling_type": 1}
RANKING = {"llama__pooling_type": 4}
VISION = header(clip__has_vision_encoder=True, clip__has_audio_encoder=False)
BOTH = header(clip__has_vision_encoder=True, clip__has_audio_encoder=True)


@pytest.mark.parametrize(
    ("metadata", "template", "projector", "expected"),
    [
        ({}, None, None, "completion"),
        ({}, CHATML, None, "completion"),
        ({}, "{%- if tools %}{{ tools | tojson }}{% endif %}", None, "completion tools"),
        # What a system prompt says of tools gives a model none.
        ({}, "You have no tools. {{ messages }}", None, "completion"),
        ({}, "{% if enable_thinking %}<think>{% endif %}", None, "completion thinking"),
        ({}, "{% if tools %}{% endif %}<think>", None, "completion tools thinking"),
        ({"tokenizer__ggml__fim_pre_token_id": 5}, CHATML, None, "completion insert"),
        ({}, CHATML, VISION, "completion vision"),
        ({}, CHATML, BOTH, "completion vision audio"),
        (EMBEDDING, "{{ tools }}", None, "embedding"),
        ({"llama__attention__causal": False}, None, None, "embedding"),
        (RANKING, None, None, ""),
    ],
)
def test_capabilities_come_from_metadata_and_template(
    metadata: dict[str, Any], template: str | None, projector: Header | None, expected: str
) -> None:
    assert " ".join(capabilities(header(**metadata), template, projector)) == expected


def test_an_encoder_with_a_head_ranks_even_if_its_file_names_no_pooling() -> None:
    encoder = header(tensor("cls.weight", "f16", 2), llama__attention__causal=False)
    assert capabilities(encoder, None, None) == []


@pytest.mark.parametrize(
    ("file", "projector", "expected"),
    [
        ("tiny-chat-q8_0", None, ["completion", "tools", "thinking"]),
        (
            "tiny-chat-q8_0",
            "tiny-mmproj-f16",
            ["completion", "tools", "thinking", "vision", "audio"],
        ),
        ("tiny-rerank-q8_0", None, []),
    ],
)
def test_the_models_of_the_tests_can_do_what_they_were_made_for(
    file: str, projector: str | None, expected: list[str]
) -> None:
    found = read(MODELS / f"{file}.gguf")
    encoder = read(MODELS / f"{projector}.gguf") if projector else None
    template = template_of(found, TemplateSpec())
    assert capabilities(found, template, encoder) == expected


def test_metadata_is_shown_without_long_arrays_and_what_has_a_field_of_its_own() -> None:
    found = header(
        general__name="x",
        tokenizer__chat_template="...",
        tokenizer__ggml__tokens=Counted("string", 9999),
        tokenizer__ggml__token_type=(1,) * 5000,
        llama__rope__sections=(1, 2),
    )
    assert model_info(found, 7) == {
        "general.parameter_count": 7,
        "general.architecture": "llama",
        "tokenizer.ggml.tokens": None,
        "tokenizer.ggml.token_type": None,
        "llama.rope.sections": (1, 2),
    }


def test_a_model_of_the_list_is_what_the_official_client_reads() -> None:
    row = listings.tag(ENTRY, DETAILS)
    jsonschema.validate({"models": [row]}, schemas.TAGS)
    (model,) = ollama.ListResponse(models=[row]).models
    assert (model.model, model.size) == ("org/Tiny", 3_764_544)
    assert model.modified_at is not None
    assert model.modified_at.isoformat() == "2026-11-21T18:30:00+00:00"
    assert len(model.digest or "") == 64


def test_a_digest_changes_with_the_file() -> None:
    states = [
        ENTRY,
        replace(ENTRY, id="b"),
        replace(ENTRY, size_bytes=1),
        replace(ENTRY, modified=1),
    ]
    assert len({listings.digest(entry) for entry in states}) == len(states)


FITTED = Fitted(
    4096, 4, 8, 2, 100, 1000, "llama", "model", kv_bytes=200, compute_bytes=50, layers=10
)


@pytest.mark.parametrize(
    ("ttl", "expires_in", "until"),
    [
        (300.0, 60.0, "2026-11-21T18:31:00"),
        # In use: its time begins when it is not used any more.
        (300.0, None, "2026-11-21T18:35:00"),
        (None, None, "2326-09-10T18:30:00"),
    ],
)
def test_a_running_model_says_until_when(
    ttl: float | None, expires_in: float | None, until: str
) -> None:
    status = ModelStatus(
        "org/Tiny", 1, "ready", 1, 1, 4096, 0, 4, 0, 0, 0.0, 0.0, expires_in, 0, None, FITTED, ttl
    )
    row = listings.running(ENTRY, DETAILS, status, NOW)
    jsonschema.validate({"models": [row]}, schemas.RUNNING)
    assert row["expires_at"].startswith(until)
    assert (row["size"], row["context_length"]) == (1250, 4096)
    ollama.ProcessResponse(models=[row])


@pytest.mark.parametrize(
    ("on_gpu", "layers", "bytes"), [(0, 10, 0), (5, 10, 625), (11, 10, 1250), (0, 0, 0)]
)
def test_what_is_on_a_gpu_is_in_proportion_to_its_layers(
    on_gpu: int, layers: int, bytes: int
) -> None:
    fitted = replace(FITTED, gpu_layers=on_gpu, layers=layers)
    status = ModelStatus(
        "org/Tiny", 1, "ready", 1, 1, 4096, 0, 4, 0, 0, 0.0, 0.0, 1.0, 0, None, fitted, 5.0
    )
    assert listings.running(ENTRY, DETAILS, status, NOW)["size_vram"] == bytes


def test_a_model_is_shown_with_its_configuration() -> None:
    sampling = Sampling(temperature=0.5, top_k=3)
    body = listings.shown(ENTRY, read(TINY), DETAILS, "{{ tools }}", None, sampling)
    jsonschema.validate(body, schemas.SHOWN)
    assert body["parameters"] == "temperature 0.5\ntop_k 3"
    assert body["modelfile"].splitlines()[1:] == ["PARAMETER temperature 0.5", "PARAMETER top_k 3"]
    shown = ollama.ShowResponse(**body)
    assert (shown.license, shown.template) == ("apache-2.0", "{{ tools }}")
    assert shown.modelinfo is not None
    assert shown.modelinfo["llama.context_length"] == 8192


def test_details_are_those_of_the_file_and_none_of_a_broken_one(tmp_path: Path) -> None:
    known = ModelDetails(Headers(tmp_path / "headers"))
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(TINY.read_bytes()[:5000])
    other = replace(ENTRY, id="broken", path=broken, size_bytes=5000)
    found = Details("llama", 3_476_224, "Q8_0")
    for _ in ("read", "remembered"):
        assert known.of([ENTRY, other]) == [(ENTRY, found), (other, None)]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (TemplateSpec(), "plain"),
        (TemplateSpec(name="tool_use"), "with tools"),
        (TemplateSpec(name="chatml"), None),
    ],
)
def test_the_template_is_the_one_a_load_would_use(spec: TemplateSpec, found: str | None) -> None:
    both = header()
    both.metadata["tokenizer.chat_template"] = "plain"
    both.metadata["tokenizer.chat_template.tool_use"] = "with tools"
    assert template_of(both, spec) == found


def test_a_template_in_a_file_goes_before_the_models_own(tmp_path: Path) -> None:
    file = tmp_path / "own.jinja"
    file.write_text("own")
    assert template_of(read(TINY), TemplateSpec(path=str(file), name="own")) == "own"
    assert template_of(read(TINY), TemplateSpec(path=str(tmp_path / "gone.jinja"))) is None
