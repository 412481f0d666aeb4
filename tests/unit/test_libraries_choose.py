"""Which build a model gets, and why it is not the one that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronk.shared.libraries import builds
from kronk.shared.libraries.builds import Build
from kronk.shared.libraries.choose import Wanted, choose
from kronk.shared.libraries.host import PROCESSORS, Found, Host, Processor

HERE = ("linux", "amd64")


def host(*usable: Processor) -> Host:
    found = {name: Found(name in (*usable, "cpu"), "no such thing") for name in PROCESSORS}
    return Host(*HERE, processors=found)


def build(name: str, system: str = "linux") -> Build:
    version, processor = name.split()
    assert processor in PROCESSORS
    return Build(system, "amd64", processor, version, Path("/libs", system, processor, version))


@pytest.mark.parametrize(
    ("wanted", "there", "usable", "broken", "chosen", "reasons"),
    [
        ("auto", [], (), (), "bundled", []),
        ("bundled", ["b2 cpu"], (), (), "bundled", []),
        ("cpu", [], (), (), "bundled", []),
        ("auto", ["b2 cpu"], (), (), "b2 cpu", []),
        ("auto", ["b2 cpu", "b2 vulkan", "b2 cuda"], ("cuda", "vulkan"), (), "b2 cuda", []),
        # Nobody asked for more than there is.
        ("auto", ["b2 cpu"], ("cuda",), (), "b2 cpu", []),
        ("cpu", ["b2 cpu", "b2 cuda"], ("cuda",), (), "b2 cpu", []),
        # The newest that works, of the processor that was asked for.
        ("cuda", ["b2 cuda", "b1 cuda"], ("cuda",), ("b2 cuda",), "b1 cuda", ["b2 cuda cannot"]),
        # Then others, in this order, each with its reason.
        (
            "cuda",
            ["b2 cuda", "b2 vulkan", "b2 cpu"],
            ("vulkan",),
            (),
            "b2 vulkan",
            ["cuda cannot be used here (no such thing)"],
        ),
        (
            "cuda",
            ["b2 cuda", "b2 vulkan", "b2 cpu"],
            ("cuda", "vulkan"),
            ("b2 cuda", "b2 vulkan"),
            "b2 cpu",
            ["b2 cuda cannot", "b2 vulkan cannot"],
        ),
        (
            "cuda",
            ["b2 cuda", "b2 cpu"],
            ("cuda",),
            ("b2 cuda", "b2 cpu"),
            "bundled",
            ["b2 cuda cannot", "b2 cpu cannot"],
        ),
        ("vulkan", ["b2 cuda"], ("cuda",), (), "bundled", ["no vulkan build is installed"]),
        ("rocm", ["b2 vulkan"], ("vulkan",), (), "b2 vulkan", ["no rocm build is installed"]),
        ("metal", [], (), (), "bundled", ["no metal build is installed"]),
    ],
)
def test_the_best_that_works_is_chosen_and_the_rest_is_explained(
    wanted: Wanted,
    there: list[str],
    usable: tuple[Processor, ...],
    broken: tuple[str, ...],
    chosen: str,
    reasons: list[str],
) -> None:
    def fault(one: Build) -> str | None:
        return "it is broken" if one.name in broken else None

    found = choose(wanted, None, [build(name) for name in there], host(*usable), fault)
    assert found.name == chosen
    assert len(found.reasons) == len(reasons)
    assert all(part in reason for part, reason in zip(reasons, found.reasons, strict=True))
    assert (found.reason is None) == (not reasons)
    assert found.reason is None or found.reason.endswith(f": {chosen} is used")


def test_a_build_for_another_machine_is_none_for_this_one() -> None:
    there = [build("b2 cpu", "darwin")]
    assert choose("cpu", None, there, host(), lambda one: None).name == "bundled"


def test_the_version_that_was_asked_for_goes_before_newer_ones() -> None:
    there = [build("b2 cpu"), build("b1 cpu")]
    assert choose("cpu", "b1", there, host(), lambda one: None).name == "b1 cpu"
    found = choose("cpu", "b3", there, host(), lambda one: None)
    assert (found.name, found.reasons) == (
        "b2 cpu",
        ("version b3 of the cpu build is not installed",),
    )


def test_only_what_would_be_chosen_is_tried() -> None:
    tried: list[str] = []

    def fault(one: Build) -> str | None:
        tried.append(one.name)
        return None

    choose("auto", None, [build("b2 cuda"), build("b2 cpu")], host("cuda"), fault)
    assert tried == ["b2 cuda"]


def test_builds_are_listed_newest_first_and_what_is_none_is_passed_over(tmp_path: Path) -> None:
    for version in ("b9999", "b11312", "own-1", "b10000"):
        folder = tmp_path / "linux/amd64/cpu" / version
        folder.mkdir(parents=True)
        builds.write_note(folder, {"source": "x"})
    # Not finished, not a folder, of no processor.
    (tmp_path / "linux/amd64/cpu/b12000").mkdir()
    (tmp_path / "linux/amd64/cpu/notes.txt").write_text("mine")
    (tmp_path / "linux/amd64/abacus/b1").mkdir(parents=True)
    (tmp_path / "linux/amd64/vulkan").write_text("not a folder")
    found = builds.installed(tmp_path)
    assert [one.version for one in found] == ["b11312", "b10000", "b9999", "own-1"]
    assert builds.installed(tmp_path / "nowhere") == []
    assert found[0].note() == {"source": "x"}
    (found[0].folder / builds.NOTE).write_text("{broken")
    assert builds.installed(tmp_path)[0].note() == {}
