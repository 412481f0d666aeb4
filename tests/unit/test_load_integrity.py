"""With integrity checks a model is loaded only when its files are known to be right."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from kronk.shared.errors import KronkError, ModelFailed
from kronk.shared.model_config import ModelConfig
from kronk.shared.models import facts
from kronk.shared.models.facts import Facts
from kronk.shared.models.resolve import resolve
from kronk.shared.paths import BasePath
from kronk.shared.wire.loading import LoadSpec
from kronk.supervisor.configuration import Configuration
from kronk.supervisor.integrity import Integrity
from kronk.supervisor.resolver import Resolver

TINY = (Path(__file__).resolve().parents[1] / "models" / "tiny-chat-q8_0.gguf").read_bytes()
SHA256 = hashlib.sha256(TINY).hexdigest()


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    base = BasePath(tmp_path)
    (base.models / "o/f").mkdir(parents=True)
    (base.models / "o/f/Tiny.gguf").write_bytes(TINY)
    return base


def ask(base: BasePath, integrity: Integrity | None, name: str) -> LoadSpec | KronkError:
    """What the resolver answers, as the supervisor hears it."""

    async def answer() -> LoadSpec | KronkError:
        heard: asyncio.Future[LoadSpec | KronkError] = asyncio.get_running_loop().create_future()
        configuration = Configuration(
            None, base.root / "in-force.yaml", lambda models, name: resolve(base, models, name)
        )
        resolver = Resolver(configuration, lambda _, spec: heard.set_result(spec), integrity)
        try:
            resolver.ask(name)
            return await asyncio.wait_for(heard, 30)
        finally:
            resolver.close()

    return asyncio.run(answer())


def test_without_checks_nothing_is_read(base: BasePath) -> None:
    assert isinstance(ask(base, None, "Tiny"), LoadSpec)
    assert facts.load(base.models) == {}


def test_a_file_without_evidence_is_read_before_its_load(base: BasePath) -> None:
    assert isinstance(ask(base, Integrity(base), "Tiny"), LoadSpec)
    assert facts.load(base.models)["o/f/Tiny.gguf"].sha256 == SHA256


def test_a_file_with_evidence_is_not_read_again(
    base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(base, Integrity(base), "Tiny")
    later = Integrity(base)

    def never(path: Path) -> None:
        raise AssertionError(f"{path} is read")

    monkeypatch.setattr(later, "verify", never)
    assert isinstance(ask(base, later, "Tiny"), LoadSpec)


def test_another_file_than_expected_is_refused_with_both_digests(base: BasePath) -> None:
    path = base.models / "o/f/Tiny.gguf"
    row = Facts("ab" * 32, len(TINY), 1, "hf:o/r/Tiny.gguf", "2026-01-01T00:00:00+00:00")
    facts.record(base.models, "o/f/Tiny.gguf", row)
    for _ in range(2):
        refused = ask(base, Integrity(base), "Tiny")
        assert isinstance(refused, ModelFailed)
        assert "ab" * 32 in refused.message and SHA256 in refused.message
    # A file that is changed again is looked at again.
    os.utime(path, ns=(7, 7))
    assert isinstance(ask(base, Integrity(base), "Tiny"), ModelFailed)


def test_damage_to_a_projector_counts(base: BasePath) -> None:
    projector = base.models / "o/f/mmproj-Tiny-f16.gguf"
    projector.symlink_to(Path(__file__).resolve().parents[1] / "models" / "tiny-mmproj-f16.gguf")
    row = Facts("cd" * 32, 1, 1, "hf:o/r/p.gguf", "2026-01-01T00:00:00+00:00")
    facts.record(base.models, "o/f/mmproj-Tiny-f16.gguf", row)
    refused = ask(base, Integrity(base), "Tiny")
    assert isinstance(refused, ModelFailed)
    assert "mmproj-Tiny-f16.gguf: damaged" in refused.message


def test_an_index_that_cannot_be_written_ends_in_no_circle(
    base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(facts, "record", read_only)
    integrity = Integrity(base)
    assert isinstance(ask(base, integrity, "Tiny"), LoadSpec)
    assert isinstance(ask(base, integrity, "Tiny"), LoadSpec)
    assert facts.load(base.models) == {}


def test_names_that_mean_nothing_are_answered_at_once(base: BasePath) -> None:
    refused = ask(base, Integrity(base), "../../etc/passwd")
    assert isinstance(refused, KronkError) and refused.status == 404


def test_files_elsewhere_have_no_evidence_and_need_none(base: BasePath, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.gguf").write_bytes(TINY)
    configs = {"Tiny": ModelConfig(draft_model=str(tmp_path / "elsewhere.gguf"))}
    spec = resolve(base, configs, "Tiny")
    assert Integrity(base).missing(spec) == (base.models / "o/f/Tiny.gguf",)
