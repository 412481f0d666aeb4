"""When the browser UI is built anew: the stamp of its sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.deploy import load

ui_tree = load("ui_tree")
State = ui_tree.State


@pytest.fixture
def tree(tmp_path: Path) -> Any:
    """A tree with sources, and files built of them."""
    tree = ui_tree.Tree(tmp_path)
    for name in ("package.json", "package-lock.json", "index.html", "src/main.tsx"):
        write(tree.ui / name, name)
    adopt(tree)
    return tree


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def adopt(tree: Any, page: str = "built") -> None:
    fresh = tree.static.with_name("static.new")
    write(fresh / "index.html", page)
    tree.adopt(fresh, tree.sources())


def rename(tree: Any) -> None:
    (tree.ui / "src/main.tsx").rename(tree.ui / "src/other.tsx")


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: write(tree.ui / "src/main.tsx", "other"),
        lambda tree: write(tree.ui / "src/new/page.tsx", "new"),
        lambda tree: write(tree.ui / "package-lock.json", "newer"),
        lambda tree: write(tree.root / "docs/api.md", "a chapter of the manual"),
        lambda tree: (tree.ui / "index.html").unlink(),
        rename,
    ],
    ids=["changed", "added", "lock", "manual", "removed", "renamed"],
)
def test_a_changed_source_is_built_anew(tree: Any, change: Callable[[Any], None]) -> None:
    assert tree.state({}) is State.CURRENT
    change(tree)
    assert tree.state({}) is State.STALE


@pytest.mark.parametrize(
    "name", ["node_modules/vite/index.js", "coverage/index.html", ".npmrc", "src/.main.tsx.swp"]
)
def test_what_is_no_source_changes_nothing(tree: Any, name: str) -> None:
    write(tree.ui / name, "anything")
    assert tree.state({}) is State.CURRENT


def test_where_a_name_ends_and_its_content_begins_is_part_of_the_hash(tmp_path: Path) -> None:
    first, second = ui_tree.Tree(tmp_path / "first"), ui_tree.Tree(tmp_path / "second")
    write(first.ui / "a", "bc")
    write(second.ui / "ab", "c")
    assert first.sources() != second.sources()


@pytest.mark.parametrize("name", ["index.html", "stamp.json"])
def test_built_files_without_this_one_are_none(tree: Any, name: str) -> None:
    (tree.static / name).unlink()
    assert tree.state({}) is State.STALE


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sources": null}'])
def test_a_damaged_stamp_is_none(tree: Any, text: str) -> None:
    write(tree.static / "stamp.json", text)
    assert tree.state({}) is State.STALE


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({"KRONK_SKIP_UI": "1"}, State.SKIPPED),
        ({"KRONK_SKIP_UI": "yes"}, State.SKIPPED),
        ({"KRONK_SKIP_UI": "0"}, State.CURRENT),
        ({"KRONK_SKIP_UI": ""}, State.CURRENT),
    ],
)
def test_the_environment_can_ask_for_no_ui(
    tree: Any, environ: dict[str, str], state: object
) -> None:
    assert tree.state(environ) is state


def test_a_tree_without_a_lock_file_has_no_ui_to_build(tree: Any) -> None:
    tree.lock.unlink()
    assert tree.state({}) is State.ABSENT


def test_new_files_take_the_place_of_all_old_ones(tree: Any) -> None:
    write(tree.static / "assets/old.js", "old")
    adopt(tree, "new")
    assert (tree.static / "index.html").read_text() == "new"
    assert sorted(path.name for path in tree.static.iterdir()) == ["index.html", "stamp.json"]
    assert [path.name for path in tree.static.parent.iterdir() if "static" in path.name] == [
        "static"
    ]


def test_packages_are_installed_until_the_lock_file_changes(tree: Any) -> None:
    assert not tree.has_modules()
    (tree.ui / "node_modules").mkdir()
    assert not tree.has_modules(), "an installation that was broken off"
    tree.note_modules()
    assert tree.has_modules()
    write(tree.lock, "newer")
    assert not tree.has_modules()


def test_a_link_to_packages_elsewhere_is_left_alone(tree: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tree.ui / "node_modules").symlink_to(tmp_path / "elsewhere")
    assert tree.has_modules()
