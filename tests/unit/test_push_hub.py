"""Models that are brought to a repository of the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from fakes.hub import COMMIT
from fakes.hub_uploads import UploadHub, taking_uploads
from kronk.shared.models.fetching import FetchFailed
from kronk.shared.moving import push_job
from kronk.shared.settings import Settings, resolve

# The hub's library calls its HTTP client in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TINY = Path(__file__).parents[1] / "models/tiny-chat-q8_0.gguf"
PROJECTOR = TINY.with_name("tiny-mmproj-f16.gguf")
SIZE = TINY.stat().st_size + PROJECTOR.stat().st_size


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadHub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    with taking_uploads() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def settings_of(tmp_path: Path, token: str | None) -> Settings:
    chosen = resolve({"base_path": str(tmp_path / "base"), "hf_token": token}, {})
    folder = chosen.base.models / "tiny/chat"
    folder.mkdir(parents=True)
    (folder / "Moved.gguf").hardlink_to(TINY)
    (folder / "mmproj-F16.gguf").hardlink_to(PROJECTOR)
    return chosen


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_all_files_of_a_model_come_in_one_commit(hub: UploadHub, tmp_path: Path) -> None:
    chosen = settings_of(tmp_path, "hf_write")
    steps: list[tuple[str, int, int | None]] = []
    params = {"model": "Moved", "target": "hf:o/r/gguf"}
    done = push_job.run(chosen, params, lambda *step: steps.append(step))
    assert done == {
        "model": "Moved",
        "target": f"hf:o/r@{COMMIT}",
        "files": 2,
        "size_bytes": SIZE,
    }
    digests = {"gguf/Moved.gguf": sha256(TINY), "gguf/mmproj-F16.gguf": sha256(PROJECTOR)}
    assert hub.commits == [digests]
    assert hub.stored[sha256(TINY)] == TINY.read_bytes()
    assert hub.created[0]["visibility"] == "private"
    assert [step[1] for step in steps] == [0, TINY.stat().st_size, SIZE]
    # The store has addresses that are signed; only the hub itself is told the token.
    told = {token for method, _, token in hub.asked if method == "PUT"}
    assert told == {None}
    assert {token for method, _, token in hub.asked if method == "POST"} == {"Bearer hf_write"}


def test_what_was_uploaded_is_not_uploaded_again(hub: UploadHub, tmp_path: Path) -> None:
    chosen = settings_of(tmp_path, None)
    hub.stored[sha256(TINY)] = TINY.read_bytes()
    params = {"model": "Moved", "target": "hf:o/r", "token": "hf_given", "public": True}
    push_job.run(chosen, params, lambda *step: None)
    assert hub.puts() == [sha256(PROJECTOR)]
    assert set(hub.commits[0]) == {"Moved.gguf", "mmproj-F16.gguf"}
    assert hub.created[0]["visibility"] == "public"
    assert ("POST", "/api/repos/create", "Bearer hf_given") in hub.asked


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_may_not_write_is_said(hub: UploadHub, tmp_path: Path, status: int) -> None:
    hub.status = status
    chosen = settings_of(tmp_path, "hf_read")
    with pytest.raises(FetchFailed, match=r"hf:o/r: the hub refuses it .*the right to write"):
        push_job.run(chosen, {"model": "Moved", "target": "hf:o/r"}, lambda *step: None)
    assert hub.stored == {} and hub.commits == []
