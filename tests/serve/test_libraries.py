"""Models that compute with builds of llama.cpp other than the bundled one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import own_builds
from harness.counting_model import counted
from harness.server import SMALL, Server, kronk, running_server
from harness.waiting import wait_until


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, counting: Path) -> Iterator[Server]:
    """One model for the installed build, one for what came with Kronk, one for what is not there.

    The build is a copy of the binding's own: it answers the same, from other files.
    """
    base = tmp_path_factory.mktemp("libraries")
    own = own_builds.copy(tmp_path_factory.mktemp("own") / "bin")
    done = kronk(
        *("libs", "install", "--local", "--processor=cpu", "--lib-version=mine"),
        *(f"--from={own}", f"--base-path={base}"),
    )
    assert done.returncode == 0, done.stderr
    wishes = {"Own": "cpu", "Bundled": "bundled", "Far": "cuda"}
    with running_server(
        base,
        {f"{name}.gguf": counting for name in wishes},
        {name: {**SMALL, "processor": wish} for name, wish in wishes.items()},
    ) as server:
        yield server


def libraries(pid: int) -> set[Path]:
    """The folders from which a process has llama.cpp."""
    lines = Path("/proc", str(pid), "maps").read_text().splitlines()
    files = {Path(line.split(maxsplit=5)[-1]) for line in lines if "/" in line}
    return {file.parent for file in files if file.name.startswith(("libllama", "libggml"))}


def test_each_model_computes_with_the_build_that_it_names(house: Server) -> None:
    for model, folder, name in (
        ("Own", mine(house), "mine cpu"),
        ("Bundled", own_builds.bundled(), "bundled"),
        ("Own", mine(house), "mine cpu"),
    ):
        assert house.text(model, "from 7", max_tokens=3) == counted(7, 3)
        row = house.row(model)
        assert row is not None
        assert libraries(row["pid"]) == {folder}
        assert (row["fitted"]["library"], row["fitted"]["notes"]) == (name, [])
    assert house.events("killing a worker") == []


def test_what_cannot_be_had_is_replaced_and_explained(house: Server) -> None:
    assert house.text("Far", "from 7", max_tokens=3) == counted(7, 3)
    row = house.row("Far")
    assert row is not None
    assert row["fitted"]["library"] == "mine cpu"
    (note,) = row["fitted"]["notes"]
    assert "no cuda build is installed" in note
    assert note.endswith("mine cpu is used")
    logged = house.events("another llama.cpp than wanted", model="Far")
    assert [event["reason"] for event in logged] == [note]


def test_the_spare_is_of_the_build_that_was_wanted_last(house: Server) -> None:
    house.text("Own", "from 7", max_tokens=1)
    row = house.row("Own")
    assert row is not None

    def has_spare() -> bool:
        """The newest process is none of a model's, and has loaded llama.cpp."""
        newest = house.events("process started", role="worker")[-1]["child"]
        pids = {one["pid"] for one in house.status()["data"]}
        return newest not in pids and libraries(newest) == {mine(house)}

    wait_until(has_spare, "a spare with the build that `Own` has")


def test_the_server_tells_what_is_installed(house: Server) -> None:
    done = kronk("libs", "--json", f"--base-path={house.base}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(row["version"], row["works"]) for row in found["data"]] == [("mine", True)]
    assert found["matching_version"] == own_builds.VERSION
    done = kronk("libs", "remove", "nope", "--processor=cpu", f"--base-path={house.base}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there: mine" in done.stderr


def mine(house: Server) -> Path:
    """The folder of the installed build."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    return house.base / "libraries/linux" / architecture / "cpu/mine"
