"""The server looks through its models folder by itself, and nobody waits for it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from kronk.shared import settings
from kronk.shared.models import facts, indexing, verifying
from kronk.shared.models.headers import Headers, headers_of
from kronk.shared.models.listing import listing
from kronk.shared.models.sweep import Sweep
from kronk.shared.paths import BasePath

TINY = (Path(__file__).resolve().parents[1] / "models" / "tiny-chat-q8_0.gguf").read_bytes()


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    base = BasePath(tmp_path)
    base.models.mkdir()
    (base.models / "Good.gguf").write_bytes(TINY)
    (base.models / "Cut.gguf").write_bytes(TINY[:-5])
    return base


def validated(base: BasePath) -> dict[str, bool]:
    return {entry.id: entry.validated for entry in listing(base, {})}


def test_after_a_sweep_lists_know_what_is_broken(
    base: BasePath, caplog: pytest.LogCaptureFixture
) -> None:
    assert validated(base) == {"Good": True, "Cut": True}
    sweep = Sweep(base)
    with caplog.at_level(logging.WARNING):
        sweep.start()
        assert sweep.join(30)
    assert validated(base) == {"Good": True, "Cut": False}
    assert "Cut.gguf: truncated: 5 bytes are missing" in caplog.text


def test_before_the_start_nothing_happens(base: BasePath) -> None:
    sweep = Sweep(base)
    sweep.wake()
    assert sweep.join(0)
    assert validated(base) == {"Good": True, "Cut": True}


def test_nobody_waits_and_what_comes_meanwhile_is_seen_too(
    base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go = threading.Event(), threading.Event()
    refresh = indexing.refresh
    sweeps: list[int] = []

    def slow(of: BasePath) -> indexing.Refreshed:
        sweeps.append(1)
        inside.set()
        go.wait(30)
        return refresh(of)

    monkeypatch.setattr(indexing, "refresh", slow)
    sweep = Sweep(base)
    sweep.start()
    assert inside.wait(30)
    for _ in range(5):
        sweep.wake()
    assert validated(base) == {"Good": True, "Cut": True}
    (base.models / "Late.gguf").write_bytes(TINY[:-7])
    go.set()
    assert sweep.join(30)
    assert validated(base)["Late"] is False
    assert len(sweeps) == 2


def test_what_changed_and_moved_while_no_server_ran_is_told(
    base: BasePath, caplog: pytest.LogCaptureFixture
) -> None:
    verifying.run(settings.resolve({"base_path": str(base.root)}, {}), {}, lambda *_: None)
    (base.models / "Good.gguf").rename(base.models / "Renamed.gguf")
    (base.models / "Cut.gguf").unlink()
    with caplog.at_level(logging.WARNING):
        sweep = Sweep(base)
        sweep.start()
        assert sweep.join(30)
    assert "a model file has another name now: Good.gguf: Renamed.gguf" in caplog.text
    assert "a model file is gone: Cut.gguf" in caplog.text
    assert facts.load(base.models).keys() == {"Renamed.gguf"}


def test_what_was_found_out_is_known_where_no_folder_keeps_it(
    base: BasePath, caplog: pytest.LogCaptureFixture
) -> None:
    base.cache.write_text("a file")
    with caplog.at_level(logging.WARNING):
        sweep = Sweep(base)
        sweep.start()
        assert sweep.join(30)
    assert validated(base) == {"Good": True, "Cut": False}
    assert headers_of(base).is_known(base.models / "Good.gguf")
    # Said once, and not for every file.
    assert caplog.text.count("keeps no headers") == 1
    assert not Headers(base.headers).is_known(base.models / "Good.gguf")
