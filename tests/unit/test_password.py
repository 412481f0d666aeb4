"""The password of the browser's login: made once, kept as a hash, changed at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import unicodedata
from pathlib import Path

import pytest

from kronk.shared.errors import InvalidArgument, ServerError
from kronk.shared.paths import BasePath
from kronk.shared.security import audit, password
from kronk.shared.security.audit import Entry
from kronk.shared.security.password import Cost, Watched

CHEAP = Cost(n=16, r=1, p=1)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "USUAL", CHEAP)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_random_password_can_be_typed_and_not_be_guessed() -> None:
    made = {password.make() for _ in range(200)}
    assert len(made) == 200
    for text in made:
        groups = text.split("-")
        assert [len(group) for group in groups] == [4] * 5
        assert not set("".join(groups)) & set("il1o0jABC")
        password.check_choice(text)


def test_the_first_password_is_made_once(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    made = password.ensure(keys, is_shown=True)
    assert made is not None and password.is_right(made, password.read(keys))
    assert password.ensure(keys, is_shown=True) is None
    assert not password.first_file(keys).exists()
    assert (mode(keys), mode(password.password_file(keys))) == (0o700, 0o600)


def test_a_password_that_no_terminal_shows_is_in_a_file_until_it_was_seen(tmp_path: Path) -> None:
    made = password.ensure(tmp_path, is_shown=False)
    path = password.first_file(tmp_path)
    assert path.read_text() == f"{made}\n" and mode(path) == 0o600
    password.forget_first(tmp_path)
    assert not path.exists()
    password.forget_first(tmp_path)


def ensured(keys: str) -> str | None:
    return password.ensure(Path(keys), is_shown=False)


def test_two_who_begin_at_once_make_one_password(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        made = [text for text in pool.map(ensured, [str(tmp_path)] * 3) if text is not None]
    assert len(made) == 1
    assert password.first_file(tmp_path).read_text() == f"{made[0]}\n"
    assert password.is_right(made[0], password.read(tmp_path))


def test_a_crash_between_the_two_files_leaves_no_password_that_nobody_knows(
    tmp_path: Path,
) -> None:
    password.first_file(tmp_path).write_text("from a start that ended too soon\n")
    made = password.ensure(tmp_path, is_shown=False)
    assert password.first_file(tmp_path).read_text() == f"{made}\n"


def test_neither_hash_nor_file_has_the_password(tmp_path: Path) -> None:
    password.change(tmp_path, "correct horse battery", Cost())
    text = password.password_file(tmp_path).read_text()
    assert "correct horse" not in text
    assert json.loads(text)["scrypt"] == {"n": 2**15, "r": 8, "p": 3}


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("correct horse é", True),
        ("  correct horse é\n", True),
        (unicodedata.normalize("NFD", "correct horse é"), True),
        ("Correct horse é", False),
        ("correct horse", False),
        ("", False),
        ("\ud83d", False),
        ("x" * 100_000, False),
    ],
)
def test_what_is_typed_is_compared(tmp_path: Path, typed: str, right: bool) -> None:
    stored = password.change(tmp_path, "correct horse é", CHEAP)
    assert password.is_right(typed, stored) is right


def test_nothing_is_right_where_there_is_no_password(tmp_path: Path) -> None:
    assert password.read(tmp_path) is None
    assert not password.is_right("", None)
    # What it would be compared with is no password of anybody's.
    assert not password.is_right("\0", None)


def test_a_hash_is_compared_with_the_parameters_that_it_was_made_with(tmp_path: Path) -> None:
    password.change(tmp_path, "correct horse", CHEAP)
    stored = password.read(tmp_path)
    assert (
        stored is not None and stored.cost == CHEAP and password.is_right("correct horse", stored)
    )


def test_each_change_is_another_password_and_ends_the_first(tmp_path: Path) -> None:
    password.ensure(tmp_path, is_shown=False)
    before = password.read(tmp_path)
    made = password.reset(tmp_path)
    after = password.read(tmp_path)
    assert before is not None and after is not None and before.id != after.id
    assert password.is_right(made, after) and not password.first_file(tmp_path).exists()
    # The same word once more is another password, too: its sessions end.
    assert password.change(tmp_path, made, CHEAP).id != after.id


@pytest.mark.parametrize("text", ["", "short", "x" * 11, "x" * 1025, "   x   \n" * 1])
def test_what_may_not_be_chosen(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        password.check_choice(text)
    assert caught.value.param == "password"
    assert text == "" or text not in caught.value.message


def sound() -> dict[str, object]:
    return {
        "id": "a",
        "scrypt": {"n": 16, "r": 1, "p": 1},
        "salt": "AAAAAAAAAAA=",
        "hash": "A" * 43 + "=",
    }


def test_the_sound_file_of_the_next_test_is_one(tmp_path: Path) -> None:
    password.password_file(tmp_path).write_text(json.dumps(sound()))
    assert password.read(tmp_path) is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        *(
            json.dumps(sound() | change).encode()
            for change in (
                {"id": ""},
                {"id": 5},
                {"scrypt": {"n": 17, "r": 1, "p": 1}},
                {"scrypt": {"n": 2**30, "r": 8, "p": 1}},
                {"scrypt": {"n": 16, "r": 1, "p": 100_000}},
                {"scrypt": {"n": 0, "r": 1, "p": 1}},
                {"scrypt": None},
                {"salt": "!"},
                {"salt": ""},
                {"hash": "AA=="},
            )
        ),
    ],
)
def test_a_broken_file_lets_nobody_in_and_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    password.password_file(tmp_path).write_bytes(content)
    with pytest.raises(ServerError, match="kronk security password reset --local"):
        password.read(tmp_path)
    assert Watched(tmp_path).current() is None
    # Nobody gets a new one by breaking the old one.
    assert password.ensure(tmp_path, is_shown=True) is None
    password.reset(tmp_path)
    assert password.read(tmp_path) is not None


def test_a_change_is_seen_at_the_next_look(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    assert watched.current() is None
    first = password.change(tmp_path, "correct horse", CHEAP)
    assert watched.current() == first
    second = password.change(tmp_path, "battery staple", CHEAP)
    assert watched.current() == second
    password.password_file(tmp_path).unlink()
    assert watched.current() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes into folders of others")
def test_what_root_writes_belongs_to_the_user_of_the_server(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12346)
    base = BasePath(tmp_path)
    password.ensure(base.keys, is_shown=False)
    with audit.by_operator(base, "change_password"):
        password.reset(base.keys)
    found = [path for folder in (base.keys, base.logs) for path in (folder, *folder.iterdir())]
    assert {path.name for path in found} == {
        *("keys", "password", ".password.lock"),
        *("logs", "audit.jsonl", ".audit.jsonl.lock"),
    }
    assert {(path.stat().st_uid, path.stat().st_gid) for path in found} == {(12345, 12346)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes into folders of others")
def test_a_second_name_of_roots_file_does_not_give_it_away(tmp_path: Path) -> None:
    roots = tmp_path / "roots"
    roots.write_text("")
    theirs = tmp_path / "logs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    (theirs / "audit.jsonl").hardlink_to(roots)
    audit.append(BasePath(tmp_path), Entry("load"))
    assert roots.stat().st_uid == 0
