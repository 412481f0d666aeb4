"""Whatever a saved state depends on changes its fingerprint, and nothing else does."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from harness import random_gguf
from kronk.shared.errors import InvalidArgument
from kronk.worker import gguf_file
from kronk.worker.cache import fingerprint
from kronk.worker.cache.fingerprint import Adapter, Dependencies

BASE = Dependencies(
    model=Path(),
    cache_type_k="f16",
    cache_type_v="f16",
    flash_attention="auto",
    swa_full=True,
    streams=1,
    rope={"freq_base": None, "scaling": None},
    adapters=(),
    projector=None,
    template="{{ messages }}",
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    random_gguf.write(path, random_gguf.LLAMA)
    return path


def of(model: Path, **changes: Any) -> str:
    return fingerprint.fingerprint(dataclasses.replace(BASE, model=model, **changes))


def test_the_same_is_the_same(model: Path) -> None:
    assert of(model) == of(model)
    assert len(bytes.fromhex(of(model))) == 16


def test_the_name_of_the_file_does_not_matter(model: Path, tmp_path: Path) -> None:
    before = of(model)
    assert of(model.rename(tmp_path / "renamed.gguf")) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"cache_type_k": "q8_0"},
        {"cache_type_v": "q8_0"},
        {"flash_attention": "disabled"},
        {"swa_full": False},
        {"streams": 4},
        {"rope": {"freq_base": 10000.0, "scaling": None}},
        {"rope": {"freq_base": None, "scaling": "yarn"}},
        {"template": "{{ messages }} "},
    ],
    ids=str,
)
def test_a_setting_matters(model: Path, changes: dict[str, Any]) -> None:
    assert of(model, **changes) != of(model)


def test_an_adapter_matters_and_so_do_its_scale_and_content(model: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.gguf", tmp_path / "two.gguf"
    random_gguf.write(one, random_gguf.LLAMA, seed=1)
    random_gguf.write(two, random_gguf.LLAMA, seed=2)
    found = [
        of(model, adapters=adapters)
        for adapters in (
            (),
            (Adapter(one, 1.0),),
            (Adapter(one, 0.5),),
            (Adapter(two, 1.0),),
            (Adapter(one, 1.0), Adapter(two, 1.0)),
            (Adapter(two, 1.0), Adapter(one, 1.0)),
        )
    ]
    assert len(set(found)) == len(found)


def test_the_build_and_the_environment_matter(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [of(model)]
    monkeypatch.setenv("LLAMA_ATTN_ROT_DISABLE", "1")
    found.append(of(model))
    monkeypatch.setattr(fingerprint, "build", lambda: "another llama.cpp")
    found.append(of(model))
    monkeypatch.setattr(fingerprint, "VERSION", 99)
    found.append(of(model))
    assert len(set(found)) == 4


def test_the_build_names_the_commit_and_the_devices() -> None:
    assert len(fingerprint.build().split()) == 5


def rewrite(path: Path, at: int, value: bytes) -> None:
    """Change bytes in place and keep the time, as `cp -p` over it would."""
    facts = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(value)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_weights_matter_even_with_the_same_size_and_time(model: Path) -> None:
    header = gguf_file.read(model)
    before = of(model)
    for tensor in (header.tensors[0], header.tensors[10], header.tensors[-1]):
        rewrite(model, header.data_offset + tensor.offset, b"\x01\x02\x03\x04")
        after = of(model)
        assert after != before, tensor.name
        before = after


def test_metadata_matters_even_with_the_same_size_and_time(model: Path) -> None:
    before = of(model)
    at = model.read_bytes().index(b"random llama")
    rewrite(model, at, b"RANDOM")
    assert of(model) != before


def test_a_change_that_no_sample_meets_still_changes_the_time(model: Path) -> None:
    before = of(model)
    facts = model.stat()
    os.utime(model, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert of(model) != before


def test_what_is_no_model_has_no_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "no.gguf"
    path.write_bytes(b"no model")
    with pytest.raises(InvalidArgument, match=r"no\.gguf"):
        of(path)


def test_a_projector_matters(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "eyes.gguf"
    random_gguf.write(other, random_gguf.LLAMA, seed=1)
    blind, seeing = of(model), of(model, projector=other)
    assert seeing != blind
    random_gguf.write(other, random_gguf.LLAMA, seed=2)
    assert of(model, projector=other) != seeing
