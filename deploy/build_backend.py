"""The build backend of pyproject.toml: setuptools', which first builds the browser UI."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import ui_build
import ui_node
from setuptools import build_meta
from ui_build import Outcome
from ui_tree import State, Tree

TREE = Tree(Path(__file__).resolve().parent.parent)

Config = dict[str, Any] | None

prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable
prepare_metadata_for_build_wheel = build_meta.prepare_metadata_for_build_wheel


def get_requires_for_build_wheel(config_settings: Config = None) -> list[str]:
    return [*build_meta.get_requires_for_build_wheel(config_settings), *node_requirement()]


def get_requires_for_build_editable(config_settings: Config = None) -> list[str]:
    return [*build_meta.get_requires_for_build_editable(config_settings), *node_requirement()]


def get_requires_for_build_sdist(config_settings: Config = None) -> list[str]:
    return [*build_meta.get_requires_for_build_sdist(config_settings), *node_requirement()]


def build_wheel(
    wheel_directory: str, config_settings: Config = None, metadata_directory: str | None = None
) -> str:
    build_ui()
    # setuptools packs what earlier builds left there, and the names of built files change.
    shutil.rmtree(TREE.build / "lib" / "kronk" / "web", ignore_errors=True)
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(
    wheel_directory: str, config_settings: Config = None, metadata_directory: str | None = None
) -> str:
    build_ui()
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: Config = None) -> str:
    build_ui()
    return build_meta.build_sdist(sdist_directory, config_settings)


def node_requirement() -> list[str]:
    """Node.js as a wheel, only where it is about to be used and there is no other."""
    if TREE.state(os.environ) is not State.STALE or not ui_node.has_wheel_here():
        return []
    return [] if ui_node.of_system(os.environ) else [ui_node.WHEEL]


def build_ui() -> None:
    """Build the UI if it must be. Says so when it cannot, and lets the installation go on."""
    if TREE.state(os.environ) is not State.STALE:
        return
    try:
        outcome = ui_build.build(TREE, os.environ, run)
    except OSError as error:
        print(f"The browser UI is not built: {error}", file=sys.stderr)
        return
    if outcome is not Outcome.BUILT:
        print(ui_build.message(outcome, TREE), file=sys.stderr)


def run(
    command: list[str], folder: Path, environment: dict[str, str], log: Path, limit: float
) -> int | None:
    """To its end, in our own process group: whoever interrupts pip interrupts npm."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing, where it has ended. npm passes the first signal on to what it runs."""
    for stop in (signal.SIGTERM, signal.SIGKILL):
        process.send_signal(stop)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
        break
