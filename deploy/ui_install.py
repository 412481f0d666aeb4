"""Builds the browser UI for `make`, with its progress shown; only the standard library."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ui_build
import ui_node
from pip_watch import ROOT, follow
from ui_build import Outcome
from ui_tree import State, Tree

# An index that does not answer is left at once: this is tried again at every start.
_PIP = ("install", "--disable-pip-version-check", "--retries=0", "--timeout=10")


def install(*, check: bool, anew: bool) -> bool:
    """Build the UI where its sources have changed, or `anew`; with `check`, have what it is checked
    with, too. False, with a line that says what to do, where that cannot be."""
    tree = Tree(ROOT)
    state = tree.state(os.environ)
    if state in (State.SKIPPED, State.ABSENT):
        if anew:
            print(f"The browser UI is not built: {state.value}", file=sys.stderr)
        return False
    to_build = anew or state is State.STALE
    if not to_build and (tree.has_modules() or not check):
        return True
    try:
        outcome = _install(tree, to_build, anew)
    except OSError as error:
        print(f"The browser UI is not built: {error}", file=sys.stderr)
        return False
    if outcome is not Outcome.BUILT:
        print(ui_build.message(outcome, tree), file=sys.stderr)
    return outcome is Outcome.BUILT


def _install(tree: Tree, to_build: bool, anew: bool) -> Outcome:
    print("Building the browser UI" if to_build else "Installing the browser UI's checks")
    if ui_node.find(os.environ) is None and ui_node.has_wheel_here():
        command = [sys.executable, "-m", "pip", *_PIP, ui_node.WHEEL]
        run(command, ROOT, dict(os.environ), ui_build.log_file(tree), ui_build.LIMIT)
    if to_build:
        return ui_build.build(tree, os.environ, run, anew=anew)
    return ui_build.modules(tree, os.environ, run)


def run(
    command: list[str], folder: Path, environment: dict[str, str], log: Path, limit: float
) -> int | None:
    """To its end, with a line that says what is done."""
    return follow(command, folder, environment, log, doing(command), limit)[0]


def doing(command: list[str]) -> str:
    """What a command is about, in words."""
    if ui_node.WHEEL in command:
        return "fetching Node.js"
    words = {"ping": "asking npm's registry", "ci": "installing the UI's packages"}
    return next((said for word, said in words.items() if word in command), "building the UI")
