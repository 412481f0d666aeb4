"""Checks the browser UI's sources: TypeScript, ESLint, Vitest.

Where what they need is not installed, it says so and is content; not so where
KRONK_BROWSER=required says that nothing may be left out.
"""

from __future__ import annotations

import os
import subprocess
import sys

import ui_node
from pip_watch import ROOT
from ui_tree import State, Tree


def main() -> int:
    """The exit code of `npm run check`; 1 when it cannot be run and must be."""
    tree = Tree(ROOT)
    state = tree.state(os.environ)
    if state in (State.SKIPPED, State.ABSENT):
        return _left_out(state.value)
    npm = ui_node.find(os.environ)
    if npm is None or not tree.has_modules():
        return _left_out("their packages are not installed; `make ui` says why")
    command = [*npm.command, "run", "--silent", "check"]
    return subprocess.call(command, cwd=tree.ui, env=npm.environment(os.environ))


def _left_out(why: str) -> int:
    print(f"The browser UI's checks are left out: {why}", file=sys.stderr)
    return 1 if os.environ.get("KRONK_BROWSER") == "required" else 0


if __name__ == "__main__":
    sys.exit(main())
