"""Confined workers do all that models need, wherever their files lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import SMALL, Server, kronk, running_server
from harness.tiny_variants import write_adapter
from kronk.shared.confinement import MEASURES

GREETING = "Hello! How can I help you today?"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """Files far from the base path."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ("blob", "draft.gguf"):
        (folder / name).write_bytes(tiny.read_bytes())
    projector = tiny.with_name("tiny-mmproj-f16.gguf")
    (folder / "eyes.gguf").write_bytes(projector.read_bytes())
    source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    (folder / "plain.jinja").write_text(source + "{% endfor %}<|im_start|>assistant\n")
    write_adapter(folder / "style.gguf")
    return folder


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, tiny: Path, elsewhere: Path) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("yard")
    config = {
        "Tiny/ALL": SMALL
        | {
            "chat_template_file": str(elsewhere / "plain.jinja"),
            "adapters": [{"path": str(elsewhere / "style.gguf"), "scale": 0}],
            "draft_model": str(elsewhere / "draft.gguf"),
            "cache_disk": "1GB",
            "cache_min_tokens": 4,
        },
        "Tiny/EYES": SMALL | {"projector": str(elsewhere / "eyes.gguf")},
        "Late": SMALL,
    }
    with running_server(base, {"Tiny.gguf": tiny}, config, "--models-in-cache=4") as server:
        yield server


def fitted(server: Server, model: str) -> dict[str, object]:
    done = kronk("model", "show", model, "--json", f"--base-path={server.base}", mark=server.mark)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)["fitted"]
    return found


def threads(pid: int | None) -> list[dict[str, str]]:
    """What the kernel says of each."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (line.partition(":") for line in (task / "status").read_text().splitlines())
        found.append({key: value.strip() for key, _, value in lines})
    return found


def test_files_far_from_the_base_path_are_read(yard: Server) -> None:
    assert yard.text("Tiny/ALL", "Hello!", max_tokens=80).endswith(GREETING)
    found = fitted(yard, "Tiny/ALL")
    assert (found["template"], found["adapters"]) == ("file", ["style.gguf x 0"])
    assert found["speculation"] == "draft"
    assert yard.text("Tiny/EYES", "Hello!", max_tokens=80).endswith(GREETING)
    assert fitted(yard, "Tiny/EYES")["modalities"] == ["image", "audio"]


def test_a_link_that_appears_while_a_spare_waits_is_followed(yard: Server, elsewhere: Path) -> None:
    (yard.base / "models" / "Late.gguf").symlink_to(elsewhere / "blob")
    assert yard.text("Late", "Hello!", max_tokens=80).endswith(GREETING)


def test_states_are_kept_on_disk_in_the_models_own_folder(yard: Server) -> None:
    yard.text("Tiny/ALL", "Hello! " * 8, max_tokens=1)
    done = kronk("server", "stop", f"--base-path={yard.base}", mark=yard.mark)
    assert done.returncode == 0, done.stderr
    found = list((yard.base / "cache").rglob("*.state"))
    assert {path.parents[1].name.rpartition("-")[0] for path in found} == {"Tiny"}


def test_every_thread_of_a_worker_is_confined_and_the_server_says_so(house: Server) -> None:
    house.text("Tiny", "Hello!", max_tokens=1)
    row = house.row("Tiny")
    assert row is not None
    assert row["fitted"]["confinement"] == list(MEASURES)
    house.settle()
    for pid in (row["pid"], house.role_pid("spare")):
        facts = threads(pid)
        assert {fact["NoNewPrivs"] for fact in facts} == {"1"}
        assert {fact["Seccomp"] for fact in facts} == {"2"}
        assert {int(fact["CapEff"], 16) | int(fact["CapPrm"], 16) for fact in facts} == {0}


def test_a_spare_has_no_thread_that_the_layer_of_a_load_would_leave_out(house: Server) -> None:
    house.settle()
    # The first thread, which passes its layer on, and those that carry messages: two of ZeroMQ's,
    # the heartbeat, the parent's watch, and the one that tells what all of them do.
    assert len(threads(house.role_pid("spare"))) == 6
