"""`kronk server profile`, before any server is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kronk.cli import main as cli


@pytest.mark.parametrize("output", ["", "missing/profile.svg"])
def test_a_profile_that_could_not_be_written_is_not_recorded(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    output: str,
) -> None:
    words = ["server", "profile", f"--output={tmp_path / output}", f"--base-path={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["kronk", *words])
    assert cli._call() == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith(f"error: --output: {tmp_path / output} is no file")
