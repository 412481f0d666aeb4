"""Which configuration a gateway works with: the one that is in force."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kronk.gateway.configuration import Configuration
from kronk.shared.config import in_force
from kronk.shared.settings import Settings, resolve


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "run").mkdir()
    (tmp_path / "m.yaml").write_text("models: {File: {}}")
    flags = {"base_path": str(tmp_path), "model_config_file": str(tmp_path / "m.yaml")}
    return resolve(flags, {})


def test_what_is_in_force_comes_before_what_the_file_says_by_now(settings: Settings) -> None:
    assert list(Configuration(settings, settings.base).models) == ["File"]
    kept = in_force.encode("models: {Kept: {n_batch: 1024}}", {"Kept": {"n_seq_max": 2}})
    settings.base.configuration.write_bytes(kept)
    models = Configuration(settings, settings.base).models
    assert list(models) == ["Kept"]
    found = models.effective(["Kept"], "Kept")
    assert (found.config.n_batch, found.config.n_seq_max) == (1024, 2)
    assert found.origins["n_batch"] == "file m.yaml:1"


@pytest.mark.parametrize(
    "data", [b"", b"\xff\x00", b"[]", in_force.encode("models: [", {}), in_force.encode("x: 1", {})]
)
def test_one_that_was_spoilt_keeps_no_gateway_from_serving(settings: Settings, data: bytes) -> None:
    settings.base.configuration.write_bytes(data)
    with capture_logs() as lines:
        assert dict(Configuration(settings, settings.base).models) == {}
    assert [line["event"] for line in lines] == ["cannot read the model configuration"]


def test_nor_does_one_that_cannot_be_read(settings: Settings) -> None:
    settings.base.configuration.mkdir()
    with capture_logs() as lines:
        assert dict(Configuration(settings, settings.base).models) == {}
    assert [line["log_level"] for line in lines] == ["error"]
