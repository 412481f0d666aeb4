"""The model-config file on the disk: its revisions, and what is left of it whatever happens."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kronk.shared.config import stored
from kronk.shared.errors import Conflict

FIRST, SECOND = "models:\n  A:\n", "models:\n  B:\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "models.yaml"


def test_a_file_is_made_changed_and_keeps_what_it_said_before(path: Path) -> None:
    assert stored.read(path) == stored.previous(path) == stored.NOTHING
    first = stored.write(path, FIRST, None)
    assert (stored.read(path), stored.previous(path)) == (first, stored.NOTHING)
    path.chmod(0o640)
    second = stored.write(path, SECOND, first.revision)
    assert (stored.read(path).text, stored.previous(path).text) == (SECOND, FIRST)
    assert path.stat().st_mode & 0o777 == 0o640
    # Taking a change back is a change like any other.
    stored.write(path, FIRST, second.revision)
    assert (stored.read(path).revision, stored.previous(path).text) == (first.revision, SECOND)


@pytest.mark.parametrize(
    ("now", "revision", "why"),
    [(FIRST, None, "was changed in the meantime"), (None, "0" * 32, "is not there any more"),
     (FIRST, "0" * 32, "was changed in the meantime")],
)  # fmt: skip
def test_another_revision_is_left_alone(
    path: Path, now: str | None, revision: str | None, why: str
) -> None:
    if now is not None:
        stored.write(path, now, None)
    with pytest.raises(Conflict, match=why) as caught:
        stored.write(path, SECOND, revision)
    assert caught.value.param == "revision"
    assert stored.read(path).text == now


def test_a_file_with_carriage_returns_keeps_them(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(FIRST.replace("\n", "\r\n").encode())
    found = stored.read(path)
    assert found.text == FIRST
    stored.write(path, SECOND, found.revision)
    assert path.read_bytes() == SECOND.replace("\n", "\r\n").encode()


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "real.yaml"
    target.write_text(FIRST)
    path.parent.mkdir()
    path.symlink_to(target)
    stored.write(path, SECOND, stored.read(path).revision)
    assert path.is_symlink() and target.read_text() == SECOND
    assert stored.previous(path).text == FIRST


def test_what_is_no_text_is_said(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xff")
    with pytest.raises(Conflict, match="no UTF-8 text"):
        stored.read(path)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Conflict, match="cannot write"):
        stored.write(tmp_path / "file" / "models.yaml", FIRST, None)


def test_a_change_is_taken_back_unless_it_was_changed_again(path: Path) -> None:
    first = stored.write(path, FIRST, None)
    second = stored.write(path, SECOND, first.revision)
    stored.take_back(path, second, first)
    assert stored.read(path).text == FIRST
    third = stored.write(path, SECOND, first.revision)
    path.write_text("models:\n")
    stored.take_back(path, third, first)
    assert path.read_text() == "models:\n"
    made = stored.write(path.with_name("new.yaml"), FIRST, None)
    stored.take_back(path.with_name("new.yaml"), made, stored.NOTHING)
    assert not path.with_name("new.yaml").exists()


# Dies before the named call of `os`, as a killed process does.
_DYING = """
import os, signal, sys
from pathlib import Path
from kronk.shared.config import stored
path, at, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
left, real = [count], getattr(os, at)
def die(*arguments, **named):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)
setattr(os, at, die)
stored.write(path, {text!r}, stored.read(path).revision)
"""


@pytest.mark.parametrize(
    ("call", "count"),
    [("fsync", 0), ("fsync", 1), ("fsync", 2), ("fsync", 3), ("replace", 0), ("replace", 1)],
)
def test_whoever_is_killed_in_the_middle_leaves_a_whole_file(
    path: Path, call: str, count: int
) -> None:
    stored.write(path, FIRST, None)
    program = _DYING.replace("{text!r}", repr(SECOND))
    done = subprocess.run([sys.executable, "-c", program, str(path), call, str(count)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    found = stored.read(path)
    assert found.text in (FIRST, SECOND)
    # Nothing is lost: what it said is there, or is what it said before.
    assert FIRST in (found.text, stored.previous(path).text)
    # And nobody is locked out.
    stored.write(path, SECOND, found.revision)
    assert stored.read(path).text == SECOND
