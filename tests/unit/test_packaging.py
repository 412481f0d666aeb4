"""The tree, pyproject.toml and the installed package agree."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kronk.shared.settings_table import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOOL = PROJECT["tool"]["setuptools"]
FOLDERS = sorted(set(TOOL["package-dir"].values()))


def test_every_folder_with_python_files_is_a_listed_package() -> None:
    """One that is missing works when editable and is absent from the wheel."""
    listed = set(TOOL["packages"])
    part_of = {folder: package for package, folder in TOOL["package-dir"].items()}
    found = set()
    for folder, package in part_of.items():
        for path in (ROOT / folder).rglob("*.py"):
            inner = path.parent.relative_to(ROOT / folder).parts
            if "node_modules" not in inner:
                found.add(".".join((package, *inner)))
    assert found - listed == set(), "add these to packages in pyproject.toml"
    assert listed - found == set(), "packages in pyproject.toml without Python files"


@pytest.mark.parametrize("package", TOOL["packages"])
def test_every_listed_package_is_installed(package: str) -> None:
    assert importlib.import_module(package).__name__ == package


def test_no_folder_of_the_checkout_is_imported_by_its_bare_name() -> None:
    """`shared.errors` beside `kronk.shared.errors` would be two classes of one error."""
    code = (
        "import pkgutil, sys, importlib, kronk.cli.main\n"
        f"print(sorted(set({FOLDERS!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert not set(FOLDERS) & set(sys.modules)


def test_the_engine_binding_is_pinned_exactly() -> None:
    pins = [text for text in PROJECT["project"]["dependencies"] if text.startswith("llama-cpp")]
    assert len(pins) == 1
    assert "==" in pins[0]


def test_every_setting_is_in_the_help_of_server_start() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "kronk.cli.main", "server", "start", "--help"],
        env={"COLUMNS": "400", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    for setting in SETTINGS:
        for word in (setting.flag, setting.env, *setting.also):
            assert re.search(rf"(?<![\w-]){word}(?![\w-])", done.stdout), f"{word} is not there"


def test_the_build_backend_is_there_and_has_every_hook() -> None:
    system = PROJECT["build-system"]
    (folder,) = system["backend-path"]
    text = (ROOT / folder / f"{system['build-backend']}.py").read_text()
    kinds = ("wheel", "editable", "sdist")
    names = [name for kind in kinds for name in (f"build_{kind}", f"get_requires_for_build_{kind}")]
    names += ["prepare_metadata_for_build_wheel", "prepare_metadata_for_build_editable"]
    assert [name for name in names if not re.search(rf"^(def )?{name}\b", text, re.MULTILINE)] == []


LOCK = ROOT / "web" / "ui" / "package-lock.json"


def test_the_lock_file_names_no_registry() -> None:
    """npm takes each package from the registry it is configured for, by the hash that is locked."""
    packages = json.loads(LOCK.read_text())["packages"]
    assert [name for name, fields in packages.items() if "resolved" in fields] == []
    assert [name for name, fields in packages.items() if name and "integrity" not in fields] == []
    assert "omit-lockfile-registry-resolved=true" in (LOCK.parent / ".npmrc").read_text().split()


@pytest.mark.parametrize("folder", ["deploy", "docs", "web/ui", "web/static"])
def test_what_the_ui_is_built_of_is_in_sdists_and_images(folder: str) -> None:
    """A source that is missing there makes built files that came along look like old ones."""
    assert f"graft {folder}" in (ROOT / "MANIFEST.in").read_text().splitlines()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert not {folder, folder.split("/")[0]} & set(ignored)
