"""Where browser tests can run, and what is said where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import browser
from kronk.gateway import site


def program(path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", browser.NAMES)
def test_a_browser_on_the_path_is_found(tmp_path: Path, name: str) -> None:
    found = program(tmp_path / name)
    assert browser.find_chromium({"PATH": str(tmp_path)}) == found


def test_the_one_that_is_named_is_taken(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "chromium")
    own = program(tmp_path / "own" / "chrome")
    environ = {"PATH": str(tmp_path / "bin"), "KRONK_CHROMIUM": own}
    assert browser.find_chromium(environ) == own
    assert browser.find_chromium(environ | {"KRONK_CHROMIUM": f"{own}-not"}) is None


def test_where_something_is_missing_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "chromium")
    with_browser = {"PATH": str(tmp_path)}
    monkeypatch.setattr(site, "STATIC", tmp_path / "static")
    monkeypatch.setattr(browser, "AXE", tmp_path / "axe.js")
    assert "apt install chromium" in str(browser.missing({"PATH": ""}))
    assert "not built (`make ui`)" in str(browser.missing(with_browser))
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "index.html").touch()
    assert "packages are not installed (`make ui`)" in str(browser.missing(with_browser))
    (tmp_path / "axe.js").touch()
    assert browser.missing(with_browser) is None
