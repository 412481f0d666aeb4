"""Files that are no usable model: named with the reason, and nobody else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.counting_model import counted
from harness.server import Server, running_server


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, counting: Path
) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("bad")
    folder = base / "models" / "bad" / "files"
    folder.mkdir(parents=True)
    data = tiny.read_bytes()
    (folder / "Text.gguf").write_text("I am a shopping list, renamed.\n")
    (folder / "Empty.gguf").touch()
    (folder / "Cut.gguf").write_bytes(data[: len(data) // 2])
    (folder / "Header.gguf").write_bytes(data[:1000])
    # The first tensor's count of dimensions and all that follows, overwritten.
    (folder / "Scrambled.gguf").write_bytes(data[:24] + b"\xff" * 4096 + data[24 + 4096 :])
    (folder / "Elder.gguf").write_bytes(b"GGUF\x01\0\0\0" + data[8:])
    rerank = tiny.with_name("tiny-rerank-q8_0.gguf")
    (folder / "Headless.gguf").write_bytes(rerank.read_bytes().replace(b"cls.", b"clz."))
    (folder / "Dangling.gguf").symlink_to(folder / "nowhere")
    with running_server(base, {"Good.gguf": counting}) as server:
        yield server


# Found out from the first bytes, or by the worker that tries to load the file.
UNUSABLE = {
    "Text": (503, "model_failed", "it is not a GGUF file: it starts with b'I am'"),
    "Empty": (503, "model_failed", "the file is empty"),
    "Elder": (503, "model_failed", "GGUF version 1 is not supported"),
    "Dangling": (503, "model_failed", "it cannot be read: No such file"),
    "Cut": (503, "model_failed", "Cut.gguf: truncated: "),
    "Header": (503, "model_failed", "Header.gguf: claims 47 tensors, too many"),
    "Scrambled": (503, "model_failed", "Scrambled.gguf: the file ends at byte"),
    "Headless": (503, "model_failed", "asks for rank pooling and has no classifier"),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", UNUSABLE)
def test_a_file_that_is_no_usable_model_is_refused_with_the_reason(
    server: Server, model: str, streamed: bool
) -> None:
    status, code, reason = UNUSABLE[model]
    answer = server.chat(model, "Hello!", stream=streamed)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code), error
    assert reason in error["message"]
    assert error["param"] == "model"


def test_only_files_with_a_good_header_are_listed(server: Server) -> None:
    listed = {model.id for model in server.openai().models.list()}
    assert "Good" in listed
    assert not listed & {"Text", "Empty", "Elder", "Dangling"}
    reasons = {row["id"]: row["reason"] for row in server.get("/v1/kronk/models")["data"]}
    assert reasons["Good"] is None
    for model in ("Text", "Empty", "Elder", "Dangling"):
        assert UNUSABLE[model][2] in reasons[model]


def test_a_running_stream_does_not_notice_that_another_model_cannot_be_loaded(
    server: Server,
) -> None:
    with server.stream("Good", "from 7", max_tokens=900) as stream:
        stream.wait_for_pieces(1)
        for model in UNUSABLE:
            assert server.chat(model, "Hello!").status_code in (400, 503)
        stream.wait_for_end()
    assert stream.text == counted(7, 900)


def test_a_refused_file_leaves_no_process_and_no_crash_behind(server: Server) -> None:
    assert server.text("Good", "from 7", max_tokens=1) == counted(7, 1)
    assert [row["model"] for row in server.status()["data"] if row["pid"]] == ["Good"]
    assert server.events("gateway died") == []


def test_a_file_that_was_repaired_is_served(server: Server, counting: Path) -> None:
    broken = server.base / "models" / "bad" / "files" / "Text.gguf"
    repaired = broken.with_suffix(".new")
    repaired.write_bytes(counting.read_bytes())
    repaired.replace(broken)
    assert server.text("Text", "from 7", max_tokens=3) == counted(7, 3)
