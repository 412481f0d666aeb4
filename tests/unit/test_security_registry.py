"""What is issued and revoked, and what the API and `--local` say of it."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kronk.shared.database import Database
from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.security.administration import Administration
from kronk.shared.security.keys import Keyring
from kronk.shared.security.registry import Registry
from kronk.shared.security.revoked_copy import RevokedCopy
from kronk.shared.security.tokens import LONGEST_DURATION
from kronk.shared.security.wishes import RevocationWish, parse_wish

NOW = 1_800_000_000.0
DAY = 86_400.0
STRANGER = "00000000-0000-4000-8000-000000000000"
SUBJECT = "11111111-0000-4000-8000-000000000000"
OTHER = "22222222-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    ring = Keyring(tmp_path_factory.mktemp("registry") / "keys")
    ring.ensure("kronk", NOW)
    return ring


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "db")
    yield opened
    opened.close()


@pytest.fixture
def registry(database: Database) -> Registry:
    return Registry(database)


@pytest.fixture
def desk(keyring: Keyring, registry: Registry) -> Administration:
    return Administration(keyring, registry, "kronk")


def wish(**more: str) -> object:
    return parse_wish(**{"duration": "24h", "endpoints": "embeddings:5/day"} | more)  # type: ignore[arg-type]


def make(desk: Administration, now: float = NOW, **more: str) -> dict[str, object]:
    return desk.create_token(wish(**more), "Anna", now)  # type: ignore[arg-type]


def test_what_was_issued_is_listed_without_its_text(desk: Administration) -> None:
    made = make(desk, name="robot", models="Qwen3-*", tokens="100000/day")
    (row,) = desk.tokens(NOW)
    assert row == {
        "object": "kronk.token",
        "subject": made["subject"],
        "name": "robot",
        "admin": False,
        "state": "good",
        "key": made["key"],
        "issued": NOW,
        "expires": NOW + DAY,
        "issued_by": "Anna",
        "endpoints": {"embeddings": {"limit": 5, "window": "day"}},
        "models": ["Qwen3-*"],
        "tokens": {"limit": 100000, "window": "day"},
        "concurrency": None,
    }
    assert made == row | {"token": made["token"]}


def test_tokens_are_listed_the_latest_first(desk: Administration) -> None:
    made = [make(desk, NOW + n)["subject"] for n in range(3)]
    assert [row["subject"] for row in desk.tokens(NOW + 3)] == made[::-1]


def test_a_subject_may_get_another_token(desk: Administration, registry: Registry) -> None:
    first = make(desk, duration="48h")
    again = make(desk, NOW + 60, subject=str(first["subject"]))
    assert again["subject"] == first["subject"] and again["expires"] == NOW + 60 + DAY
    # What it is revoked for lasts as long as the longer one.
    assert registry.revoke(str(first["subject"]), "Anna", None, NOW).expires == NOW + 2 * DAY


def test_a_revoked_subject_gets_no_token(desk: Administration) -> None:
    subject = str(make(desk)["subject"])
    desk.revoke(RevocationWish(subject=subject), "Anna", NOW)
    with pytest.raises(Conflict, match="was revoked"):
        make(desk, subject=subject)


@pytest.mark.parametrize("by", ["subject", "token"])
def test_a_token_is_revoked_by_its_subject_or_its_text(
    desk: Administration, registry: Registry, by: str
) -> None:
    made = make(desk)
    given = RevocationWish(**{by: str(made[by])}, reason="lost")
    gone = desk.revoke(given, "Berta", NOW + 5)
    assert gone == {
        "object": "kronk.revocation",
        "subject": made["subject"],
        "revoked": NOW + 5,
        "by": "Berta",
        "reason": "lost",
        "expires": NOW + DAY,
        "known": True,
        "replaced": False,
    }
    assert registry.is_revoked(str(made["subject"]))
    assert desk.tokens(NOW)[0]["state"] == "revoked"
    inspected = desk.inspect(str(made["token"]), NOW)
    assert (inspected["good"], inspected["reason"]) == (False, "revoked")


def test_a_token_that_is_over_can_be_revoked_by_its_text(desk: Administration) -> None:
    made = make(desk)
    assert desk.revoke(RevocationWish(token=str(made["token"])), "Anna", NOW + 9 * DAY)["known"]


def test_revoking_again_changes_nothing(desk: Administration) -> None:
    subject = str(make(desk)["subject"])
    first = desk.revoke(RevocationWish(subject=subject, reason="lost"), "Anna", NOW)
    assert desk.revoke(RevocationWish(subject=subject), "Berta", NOW + 60) == first
    assert len(desk.revocations()) == 1


def test_somebody_nobody_knows_can_be_revoked_for_as_long_as_a_token_may_live(
    desk: Administration, registry: Registry
) -> None:
    gone = desk.revoke(RevocationWish(subject=STRANGER), "Anna", NOW)
    assert gone["known"] is False and gone["expires"] > NOW + 10 * 365 * DAY
    registry.sweep(NOW + 10 * 365 * DAY)
    assert registry.is_revoked(STRANGER)


@pytest.mark.parametrize("text", ["", "nonsense", "a.b.c", "e30.e30.e30"])
def test_what_is_no_token_of_ours_is_not_revoked(desk: Administration, text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        desk.revoke(RevocationWish(token=text), "Anna", NOW)
    assert refused.value.param == "token" and desk.revocations() == []


def test_a_revocation_is_forgotten_when_its_token_is_over_anyway(
    desk: Administration, registry: Registry
) -> None:
    subject = str(make(desk)["subject"])
    desk.revoke(RevocationWish(subject=subject), "Anna", NOW)
    registry.sweep(NOW + DAY)
    # Its token is good for the leeway of the clocks still.
    assert registry.is_revoked(subject)
    registry.sweep(NOW + DAY + 61)
    assert not registry.is_revoked(subject)
    assert desk.tokens(NOW + 2 * DAY)[0]["state"] == "expired"
    registry.sweep(NOW + 32 * DAY)
    assert desk.tokens(NOW) == []


def test_a_token_whose_key_is_gone_says_so(
    database: Database, tmp_path: Path, keyring: Keyring
) -> None:
    ring = Keyring(tmp_path / "keys")
    desk = Administration(ring, Registry(database), "kronk")
    ring.ensure("kronk", NOW)
    made = make(desk)
    assert desk.delete_key(str(made["key"]))["deleted"]
    assert desk.tokens(NOW)[0]["state"] == "without key"
    assert desk.inspect(str(made["token"]), NOW)["reason"] == "unknown key"


def test_what_another_process_revokes_counts_here_at_once(
    desk: Administration, registry: Registry, tmp_path: Path
) -> None:
    subject = str(uuid.uuid4())
    assert not registry.is_revoked(subject)
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from kronk.shared.database import Database\n"
        "from kronk.shared.security.registry import Registry\n"
        "Registry(Database(Path(sys.argv[1]))).revoke(sys.argv[2], 'other', None, 1.8e9)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "db"), subject], check=True, timeout=60
    )
    assert registry.is_revoked(subject)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"endpoints": "chat-completion"}, "endpoints"),
        ({"endpoints": ""}, "endpoints"),
        ({"duration": "1 day"}, "duration"),
        ({"duration": "0"}, "duration"),
        ({"duration": "200000h"}, "duration"),
        ({"models": ","}, "models"),
        ({"tokens": "many"}, "tokens"),
        ({"concurrency": 0}, "concurrency"),
        ({"name": "a\tb"}, "name"),
        ({"subject": "root"}, "subject"),
        ({"admin": True}, "endpoints"),
        ({"admin": True, "endpoints": None, "tokens": "5/day"}, "tokens"),
        ({"endpoints": None}, "endpoints"),
    ],
)
def test_a_wish_that_cannot_be_granted_names_its_field(more: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        wish(**more)
    assert refused.value.param == field


def test_a_misspelt_endpoint_is_told_the_nearest_name() -> None:
    with pytest.raises(InvalidArgument, match="did you mean chat-completions"):
        wish(endpoints="chat-completion:5/day")


def revoked_twice(copy: RevokedCopy, folder: Path) -> None:
    """Two subjects are revoked, one of them with a token that is soon over."""
    with closing(Database(folder)) as database:
        registry = Registry(database, copy)
        registry.revoke(SUBJECT, "me", "lost", NOW)
        registry.revoke(OTHER, "me", None, NOW - LONGEST_DURATION + 10)


def test_revocations_outlive_the_database_they_were_in(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    copy = RevokedCopy(tmp_path / "keys")
    revoked_twice(copy, tmp_path / "db")
    assert copy.path.stat().st_mode & 0o777 == 0o600
    with closing(Database(tmp_path / "another")) as database:
        registry = Registry(database, copy)
        assert not registry.is_revoked(SUBJECT)
        # The other's tokens are all over by now.
        assert registry.restore(NOW + 60) == 1
        assert [found.subject for found in registry.revocations()] == [SUBJECT]
        assert registry.revocations()[0].reason == "lost"
        assert registry.restore(NOW + 60) == 0


def test_a_copy_that_is_damaged_gives_what_is_whole_of_it(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    copy = RevokedCopy(tmp_path / "keys")
    copy.path.write_bytes(b'\xff\x00\n[1]\n{"subject": 3}\n' + b"[" * 100_000 + b'\n{"sub')
    revoked_twice(copy, tmp_path / "db")
    assert {subject for subject, _ in copy.rows()} == {SUBJECT, OTHER}


def test_a_copy_that_cannot_be_written_keeps_nothing_from_being_revoked(tmp_path: Path) -> None:
    revoked_twice(RevokedCopy(tmp_path / "nowhere"), tmp_path / "db")
    with closing(Database(tmp_path / "db")) as database:
        assert Registry(database).is_revoked(SUBJECT)
