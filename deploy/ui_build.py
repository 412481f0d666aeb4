"""Builds the browser UI with npm; only the standard library.

A failure is an answer, not an exception: Kronk is installed, and runs, without its UI.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import ui_node
from ui_tree import Tree

# npm's own way is to wait for minutes. A slow network is not a broken one: it is asked first.
FETCH = ("--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000")
PING = ("ping", "--fetch-retries=0", "--fetch-timeout=5000")
# NODE_ENV=production would leave out what builds; nothing we use needs a script of its package.
INSTALL = ("ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", *FETCH)
ONLINE = ("--prefer-offline", "--fetch-timeout=30000")
OFFLINE = ("--offline",)

PING_LIMIT, LIMIT = 10.0, 900.0

# Runs a command in a folder, its output to the end of a log file; returns the exit code, or None
# when it was ended because it took more than so many seconds.
Run = Callable[[list[str], Path, dict[str, str], Path, float], int | None]


class Outcome(enum.Enum):
    """How an attempt to build the UI ended."""

    BUILT = "built"
    NO_NODE = "there is no Node.js with npm that could build it (20.19, or 22.12 and newer)"
    OFFLINE = "npm cannot reach its registry, and its cache has not all packages"
    NOT_INSTALLED = "npm could not install what it is built with"
    NOT_BUILT = "the build failed"

    @property
    def remedy(self) -> str:
        """What to do, for a sentence."""
        if self is Outcome.NO_NODE:
            return (
                "install it (Debian, Ubuntu: apt install nodejs npm, if new enough; "
                f"anywhere: pip install {ui_node.WHEEL}), then `make ui`"
            )
        if self is Outcome.OFFLINE:
            return "with a network (`npm config get registry` tells where to) run `make ui`"
        return "see the log, then `make ui`"


def message(outcome: Outcome, tree: Tree) -> str:
    """One line for whoever waits for the installation."""
    log = log_file(tree)
    where = f" ({log})" if outcome in (Outcome.NOT_INSTALLED, Outcome.NOT_BUILT) else ""
    is_old = tree.built() is not None
    what = "is the one built before" if is_old else "is not built"
    rest = "" if is_old else " Everything else works without it."
    return f"The browser UI {what}: {outcome.value}{where}. To build it, {outcome.remedy}.{rest}"


def log_file(tree: Tree) -> Path:
    return tree.build / "ui.log"


def build(tree: Tree, environ: Mapping[str, str], run: Run, *, anew: bool = False) -> Outcome:
    """Install what is missing and build, unless another process did meanwhile. `anew` builds what
    is built already, too."""
    npm = ui_node.find(environ)
    if npm is None:
        return Outcome.NO_NODE
    with _alone(tree):
        failed = _modules(tree, npm, environ, run)
        if failed is not None:
            return failed
        sources = tree.sources()
        if tree.built() == sources and not anew:
            return Outcome.BUILT
        return _bundle(tree, npm, environ, run, sources)


def modules(tree: Tree, environ: Mapping[str, str], run: Run) -> Outcome:
    """Install what the UI is built and checked with, and do not build."""
    if tree.has_modules():
        return Outcome.BUILT
    npm = ui_node.find(environ)
    if npm is None:
        return Outcome.NO_NODE
    with _alone(tree):
        return _modules(tree, npm, environ, run) or Outcome.BUILT


def is_reachable(code: int | None, said: str) -> bool:
    """What `npm ping` tells. A mirror may not know the question: any answer is one."""
    return code == 0 or re.search(r"\bcode E[45]\d\d\b", said) is not None


def _modules(tree: Tree, npm: ui_node.Npm, environ: Mapping[str, str], run: Run) -> Outcome | None:
    if tree.has_modules():
        return None
    log = log_file(tree)
    log.unlink(missing_ok=True)
    own = npm.environment(environ)
    code = run([*npm.command, *PING], tree.ui, own, log, PING_LIMIT)
    online = is_reachable(code, _text(log))
    how = ONLINE if online else OFFLINE
    if run([*npm.command, *INSTALL, *how], tree.ui, own, log, LIMIT) == 0:
        tree.note_modules()
        return None
    return Outcome.NOT_INSTALLED if online else Outcome.OFFLINE


def _bundle(
    tree: Tree, npm: ui_node.Npm, environ: Mapping[str, str], run: Run, sources: str
) -> Outcome:
    fresh = tree.static.with_name("static.new")
    shutil.rmtree(fresh, ignore_errors=True)
    command = [*npm.command, "run", "build", "--", "--outDir", str(fresh), "--emptyOutDir"]
    try:
        code = run(command, tree.ui, npm.environment(environ), log_file(tree), LIMIT)
        if code != 0 or not (fresh / "index.html").is_file():
            return Outcome.NOT_BUILT
        tree.adopt(fresh, sources)
        return Outcome.BUILT
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextlib.contextmanager
def _alone(tree: Tree) -> Iterator[None]:
    """One process at a time: two would install into the same folder."""
    tree.build.mkdir(exist_ok=True)
    handle = os.open(tree.build / "ui.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _text(log: Path) -> str:
    return log.read_text("utf-8", "replace") if log.exists() else ""
