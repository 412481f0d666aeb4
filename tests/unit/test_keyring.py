"""Keys in a folder: made whole, seen by all processes at once, trusted only when they are ours."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kronk.shared.database import Database
from kronk.shared.errors import Conflict, InvalidArgument, NotFound, ServerError, Unauthenticated
from kronk.shared.security import tokens
from kronk.shared.security.grants import Grants
from kronk.shared.security.keys import Keyring, folder_fault

NOW = 1_800_000_000.0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None
) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )


@pytest.fixture(scope="module")
def some_key() -> bytes:
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "base" / "keys")


@pytest.fixture(scope="module")
def first_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "keys"
    Keyring(folder).ensure("kronk", NOW)
    return folder


@pytest.fixture
def ready(keyring: Keyring, first_keys: Path) -> Keyring:
    """As after the first start."""
    shutil.copytree(first_keys, keyring.folder)
    return keyring


def test_a_first_start_makes_a_master_key_its_token_and_a_signing_key(keyring: Keyring) -> None:
    made = keyring.ensure("kronk", NOW)
    master, signer = keyring.list()
    assert made == ("master.pem", f"{signer.kid}.pem", "master.jwt")
    assert (master.kid, keyring.newest_signer.kid) == ("master", signer.kid)
    claims = tokens.verify(keyring.admin_file.read_text().strip(), keyring, "kronk", NOW)
    assert (claims.admin, claims.key) == (True, "master")
    assert claims.expires - claims.issued >= 10 * 365 * 86400


def test_only_this_user_may_look_at_keys(ready: Keyring) -> None:
    assert mode(ready.folder) == 0o700
    assert {mode(path) for path in ready.folder.iterdir()} == {0o600}
    assert folder_fault(ready.folder) is None


def test_a_second_start_changes_nothing(ready: Keyring) -> None:
    before = {path.name: path.read_bytes() for path in ready.folder.iterdir()}
    assert ready.ensure("kronk", NOW + 60) == ()
    assert Keyring(ready.folder).ensure("kronk", NOW + 60) == ()
    assert {path.name: path.read_bytes() for path in ready.folder.iterdir()} == before


@pytest.mark.parametrize("damage", [b"", b"not a token", b"\xff\x00", b"a.b.c"])
def test_the_operators_token_is_made_anew_where_it_is_no_use(ready: Keyring, damage: bytes) -> None:
    ready.admin_file.write_bytes(damage)
    assert ready.ensure("kronk", NOW) == ("master.jwt",)
    assert ready.admin_token_fault("kronk", NOW) is None


def test_the_operators_token_is_made_anew_where_it_is_gone_or_over(ready: Keyring) -> None:
    ready.admin_file.unlink()
    assert ready.admin_token_fault("kronk", NOW) == "it is not there"
    assert ready.ensure("kronk", NOW) == ("master.jwt",)
    later = NOW + 11 * 366 * 86400
    assert ready.admin_token_fault("kronk", later) == "expired"
    assert ready.ensure("kronk", later) == ("master.jwt",)


def test_a_new_master_key_comes_with_a_new_token(ready: Keyring) -> None:
    (ready.folder / "master.pem").unlink()
    assert ready.ensure("kronk", NOW) == ("master.pem", "master.jwt")


def test_the_operators_token_of_another_issuer_is_left_and_reported(
    ready: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ready.admin_file.read_bytes()
    assert ready.ensure("elsewhere", NOW) == ()
    assert ready.admin_file.read_bytes() == before
    assert ready.admin_token_fault("elsewhere", NOW) == "another issuer"
    assert "another issuer" in capsys.readouterr().out


def test_a_damaged_master_key_is_never_written_over(ready: Keyring) -> None:
    path = ready.folder / "master.pem"
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ServerError, match="put a copy of it back"):
        Keyring(ready.folder).ensure("kronk", NOW)
    assert b"AAAA" in path.read_bytes()


def test_the_newest_key_signs_even_where_two_have_the_same_time(ready: Keyring) -> None:
    made = [ready.create().kid for _ in range(3)]
    newest = [key.kid for key in ready.list()]
    assert newest[0] == "master" and newest[1:4] == made[::-1]
    for path in ready.folder.glob("*.pem"):
        os.utime(path, ns=(2 * 10**18, 2 * 10**18))
    # Now all are of the future, and the next one is the newest nevertheless.
    assert ready.create().kid == ready.newest_signer.kid


def test_a_key_that_another_process_makes_or_deletes_counts_at_once(ready: Keyring) -> None:
    other = Keyring(ready.folder)
    for _ in range(5):
        stamp = other.stamp
        kid = ready.create().kid
        assert other.get(kid) is not None and other.stamp != stamp
        stamp = other.stamp
        ready.delete(kid)
        assert other.get(kid) is None and other.stamp != stamp


def test_changes_within_one_tick_of_the_clock_are_seen(ready: Keyring, some_key: bytes) -> None:
    other = Keyring(ready.folder)
    kids = [f"00000000-0000-4000-8000-{n:012x}" for n in range(4)]
    stamp = 10**18
    for kid in kids:
        path = ready.folder / f"{kid}.pem"
        path.write_bytes(some_key)
        path.chmod(0o600)
        # The folder's own time says nothing.
        os.utime(ready.folder, ns=(stamp, stamp))
        assert other.get(kid) is not None
    for kid in kids:
        (ready.folder / f"{kid}.pem").unlink()
        os.utime(ready.folder, ns=(stamp, stamp))
        assert other.get(kid) is None


def test_a_folder_that_has_settled_is_asked_for_its_time_only(
    ready: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    other = Keyring(ready.folder, clock=lambda: clock[0])
    stamp = other.stamp
    clock[0] = 2.0
    other.get("master")
    monkeypatch.setattr(os, "scandir", lambda *_: pytest.fail("the folder was read"))
    clock[0] = 2.9
    assert other.get("master") is not None and other.stamp == stamp


def test_a_file_that_is_written_over_is_seen_within_a_second(
    ready: Keyring, some_key: bytes
) -> None:
    clock = [0.0]
    other = Keyring(ready.folder, clock=lambda: clock[0])
    kid = ready.newest_signer.kid
    other.get(kid)
    clock[0] = 2.0
    before = other.get(kid)
    with (ready.folder / f"{kid}.pem").open("r+b") as file:
        file.truncate()
        file.write(some_key)
    clock[0] = 3.0
    assert other.get(kid) is not before


def test_the_master_key_cannot_be_deleted(ready: Keyring) -> None:
    with pytest.raises(InvalidArgument, match="master key cannot be deleted"):
        ready.delete("master")


@pytest.mark.parametrize(
    "kid",
    ["", "..", "../master", "x/../master", "MASTER", "a" * 5000, "\0", ".lock",
     "00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-00000000000\n"],
)  # fmt: skip
def test_what_is_no_key_cannot_be_deleted(ready: Keyring, kid: str) -> None:
    with pytest.raises(NotFound, match="there is no key"):
        ready.delete(kid)


def test_without_a_signing_key_it_is_said_what_to_do(ready: Keyring) -> None:
    ready.delete(ready.newest_signer.kid)
    with pytest.raises(Conflict, match="kronk security key create"):
        tokens.issue(ready, "kronk", duration=60, grants=Grants(), now=NOW)
    assert ready.admin_token_fault("kronk", NOW) is None
    # And a start makes one.
    assert len(ready.ensure("kronk", NOW)) == 1


def test_a_folder_that_is_not_there_has_no_keys(keyring: Keyring) -> None:
    assert keyring.list() == () and keyring.get("master") is None
    with pytest.raises(Conflict):
        _ = keyring.newest_signer
    with pytest.raises(NotFound):
        keyring.delete("00000000-0000-4000-8000-000000000000")
    assert not keyring.folder.exists()


def test_a_folder_that_cannot_be_read_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("a file")
    for act in (
        lambda: Keyring(file).list(),
        lambda: Keyring(file / "below").list(),
        lambda: Keyring(file).create(),
    ):
        with pytest.raises(ServerError, match="cannot"):
            act()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
        (b"x" * 100_000, "too large"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
        (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "1024 bits"),
        (pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), "password"),
    ],
)
def test_a_file_that_is_no_good_as_a_key_is_left_out_and_said_once(
    ready: Keyring, content: bytes, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kid = "00000000-0000-4000-8000-000000000001"
    path = ready.folder / f"{kid}.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    assert ready.get(kid) is None and ready.get("master") is not None
    assert ready.get(kid) is None
    said = capsys.readouterr().out
    assert said.count("is not used as a key") == 1 and why in said


def test_names_that_are_no_ids_and_what_is_no_file_are_left_out(
    ready: Keyring, some_key: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (ready.folder / "backup.pem").write_bytes(some_key)
    (ready.folder / "00000000-0000-4000-8000-00000000000a.pem").mkdir()
    os.mkfifo(ready.folder / "00000000-0000-4000-8000-00000000000b.pem")
    (ready.folder / "00000000-0000-4000-8000-00000000000c.pem").symlink_to("master.pem")
    (ready.folder / "jobs").mkdir()
    assert len(ready.list()) == 2
    said = capsys.readouterr().out
    assert "neither master nor a UUID" in said and "it is a link" in said
    assert said.count("it is not a file") == 2 and "jobs" not in said


def test_permissions_that_are_too_wide_are_repaired_with_a_warning(
    ready: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    kid = ready.newest_signer.kid
    path = ready.folder / f"{kid}.pem"
    path.chmod(0o644)
    ready.folder.chmod(0o755)
    assert folder_fault(ready.folder) == "its mode is 0755, not 0700"
    other = Keyring(ready.folder)
    assert other.get(kid) is not None and mode(path) == 0o600
    other.ensure("kronk", NOW)
    assert mode(ready.folder) == 0o700
    said = capsys.readouterr().out
    assert "others could read or write a secret file" in said and "others could look into" in said


def test_a_key_of_another_user_is_not_trusted(
    ready: Keyring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    kid = ready.newest_signer.kid
    os.chown(ready.folder / f"{kid}.pem", 4711, 4711)
    assert Keyring(ready.folder).get(kid) is None
    assert "another user" in capsys.readouterr().out


def test_what_root_makes_belongs_to_whom_the_folder_belongs_to(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(tmp_path, 4711, 4711)
    Keyring(tmp_path / "keys").ensure("kronk", NOW)
    Database(tmp_path / "db").close()
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {4711}


def test_two_at_once_make_one_of_each(keyring: Keyring) -> None:
    made: list[tuple[str, ...]] = []
    threads = [
        threading.Thread(target=lambda: made.append(Keyring(keyring.folder).ensure("kronk", NOW)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, made)) == [0, 0, 0, 3]
    assert len(keyring.list()) == 2


# Forks a process for each step, which dies before it: where anything touches the disk.
KILLED = """
import os, signal, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric import rsa
from kronk.shared.security.key_files import KID
from kronk.shared.security.keys import Keyring

NOW = 1_800_000_000.0
a_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
rsa.generate_private_key = lambda **_: a_key
folder = Path(sys.argv[1])

def dying_at(step):
    done = 0
    def dying(real):
        def called(*args, **kwargs):
            nonlocal done
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)
        return called
    for name in ("fsync", "rename", "replace", "open", "unlink", "fchmod", "chmod", "mkdir"):
        setattr(os, name, dying(getattr(os, name)))
    keyring = Keyring(folder)
    keyring.ensure("kronk", NOW)
    keyring.create()

def check():
    for path in folder.glob("[!.]*"):
        assert path.stat().st_mode & 0o777 == 0o600, path
    keyring = Keyring(folder)
    on_disk = {path.stem for path in folder.glob("[!.]*.pem")}
    assert {key.kid for key in keyring.list()} == on_disk
    assert all(KID.fullmatch(kid) for kid in on_disk)
    if keyring.admin_file.exists():
        assert keyring.admin_token_fault("kronk", NOW) is None

for step in range(1, 1000):
    child = os.fork()
    if child == 0:
        dying_at(step)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    check()
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    if step % 3 == 0:
        # Begun anew as well as gone on with.
        for path in folder.glob("*"):
            path.unlink()
assert not list(folder.glob(".*.tmp"))
print(step)
"""


def test_a_process_that_is_killed_at_any_step_leaves_whole_files_or_none(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "keys")], capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout.split()[-1]) > 15


def test_a_deleted_key_ends_its_tokens_in_every_process(ready: Keyring) -> None:
    elsewhere = tokens.Verifier(Keyring(ready.folder), "kronk")
    old = tokens.issue(ready, "kronk", duration=60, grants=Grants(), now=NOW)
    new_key = ready.create()
    new = tokens.issue(ready, "kronk", duration=60, grants=Grants(), now=NOW)
    assert new.claims.key == new_key.kid != old.claims.key
    assert elsewhere.verify(old.token, NOW) == old.claims
    assert elsewhere.verify(old.token, NOW) == old.claims
    ready.delete(old.claims.key)
    with pytest.raises(Unauthenticated) as refused:
        elsewhere.verify(old.token, NOW)
    assert refused.value.reason == "unknown key"
    assert elsewhere.verify(new.token, NOW) == new.claims
