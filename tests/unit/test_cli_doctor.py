"""`kronk doctor`: what each check makes of the facts."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from kronk.cli import checks, key_check
from kronk.cli.checks import Finding, Grade
from kronk.shared import trial
from kronk.shared.confinement import MEASURES, NEEDED
from kronk.shared.paths import BasePath
from kronk.shared.trial import Ended
from kronk.shared.units import Address

GOOD = Ended(
    0,
    "",
    "",
    {
        "ok": True,
        "build": "b1",
        "cpu": "CPU : AVX2 = 1 | AMX_INT8 = 0 | AVX512 = 1 | ",
        "devices": ["CPU"],
    },
)
SEGV = Ended(-11, "", "")
ABORT = Ended(-6, "", "")
REFUSED = Ended(1, "", "x\nno memory\n")
HUNG = Ended(None, "", "")
MIB, GIB = 2**20, 2**30


@pytest.mark.parametrize(
    ("fast", "plain", "grade", "words"),
    [
        (GOOD, None, Grade.OK, "decodes: b1; AVX2 AVX512"),
        (SEGV, GOOD, Grade.WARN, "killed by SIGSEGV; it works without extra buffers"),
        (SEGV, ABORT, Grade.FAIL, "without extra buffers: killed by SIGABRT"),
        (REFUSED, None, Grade.FAIL, "no memory"),
        (HUNG, None, Grade.FAIL, "no result within"),
        (Ended(0, "", "", {"ok": False, "error": "odd"}), None, Grade.FAIL, "odd"),
    ],
)
def test_a_decode_that_dies_is_explained(
    fast: Ended, plain: Ended | None, grade: Grade, words: str
) -> None:
    finding = checks.decode(fast, plain)
    assert finding.grade is grade
    assert words in finding.said
    assert bool(finding.advice) is (grade is not Grade.OK)


@pytest.mark.parametrize(
    ("fast", "plain", "said"),
    [
        (GOOD, None, "CPU"),
        (SEGV, GOOD, "CPU"),
        (Ended(0, "", "", {"ok": True, "devices": [{"name": "CUDA0"}]}), None, "CUDA0"),
        (Ended(0, "", "", {"ok": True}), None, "the CPU only"),
        (SEGV, SEGV, "not known"),
    ],
)
def test_devices_are_what_the_library_reports(fast: Ended, plain: Ended | None, said: str) -> None:
    assert checks.devices(fast, plain).said == said


def probed(leaks: dict[str, str], **facts: Any) -> Ended:
    tried = dict.fromkeys(NEEDED, "done") | {"connect by TCP": "Permission denied"} | leaks
    usual = {"landlock": 7, "measures": list(MEASURES), "missing": {}}
    return Ended(0, "", "", usual | facts | {"tried": tried})


@pytest.mark.parametrize(
    ("tried", "grade", "words"),
    [
        (probed({}), Grade.OK, "only its own files (Landlock 7); ways out that are closed: 1"),
        (
            probed({"connect by TCP": "done"}, missing={"no network": "not built"}),
            Grade.WARN,
            "a hostile model could connect by TCP; no network: not built",
        ),
        (
            probed({"read its model": "Permission denied"}),
            Grade.FAIL,
            "cannot read its model: Permission denied",
        ),
        (None, Grade.WARN, "switched off"),
        (SEGV, Grade.FAIL, "does not run: killed by SIGSEGV"),
    ],
)
def test_what_a_confined_process_could_do_is_said(
    tried: Ended | None, grade: Grade, words: str
) -> None:
    finding = checks.containment(tried)
    assert finding.grade is grade
    assert words in finding.said
    assert bool(finding.advice) is (grade is not Grade.OK)


@pytest.mark.parametrize(
    ("available", "limit", "grade"),
    [
        (8 * GIB, None, Grade.OK),
        (8 * GIB, 16 * GIB, Grade.OK),
        (8 * GIB, GIB, Grade.WARN),
        (8 * GIB, 100 * MIB, Grade.FAIL),
        (100 * MIB, None, Grade.FAIL),
    ],
)
def test_memory_is_the_lesser_of_machine_and_control_group(
    available: int, limit: int | None, grade: Grade
) -> None:
    assert checks.memory(available, limit).grade is grade


@pytest.mark.parametrize(
    ("finding", "grade"),
    [
        (checks.python((3, 11, 0)), Grade.OK),
        (checks.python((3, 10, 9)), Grade.FAIL),
        (checks.library(Ended(0, "0.3.36\n", "")), Grade.OK),
        (checks.library(Ended(1, "", "ImportError: libgomp")), Grade.FAIL),
        (checks.library(Ended(-4, "", "")), Grade.FAIL),
        (checks.cores(1), Grade.WARN),
        (checks.cores(2), Grade.OK),
    ],
)
def test_simple_facts_are_graded(finding: Finding, grade: Grade) -> None:
    assert finding.grade is grade


def test_a_models_folder_that_is_not_there_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "models"
    assert checks.models_folder(folder).grade is not Grade.FAIL
    assert not folder.exists()


def test_a_models_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    assert checks.models_folder(tmp_path / "models").grade is Grade.FAIL


def test_a_port_is_free_taken_or_no_address_at_all(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finding = checks.port(Address("127.0.0.1", port), base)
        assert finding.grade is Grade.FAIL
        assert "in use" in finding.said
    assert checks.port(Address("127.0.0.1", 0), base).grade is Grade.OK
    assert checks.port(Address("192.0.2.1", 8080), base).grade is Grade.FAIL


def test_a_child_that_dies_is_told_by_its_signal() -> None:
    ended = trial.run("-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert (ended.signal, ended.cause) == ("SIGSEGV", "killed by SIGSEGV")


def test_the_last_line_of_a_child_is_its_report() -> None:
    ended = trial.run("-c", "print('noise'); print('{\"ok\": true}')")
    assert ended.facts == {"ok": True}
    assert trial.run("-c", "print('noise')").facts == {}


def key_folder(base: Path, folder_mode: int = 0o700, key_mode: int = 0o600) -> Path:
    folder = base / "keys"
    folder.mkdir(mode=0o700)
    (folder / "master.pem").touch()
    (folder / "master.pem").chmod(key_mode)
    folder.chmod(folder_mode)
    return folder


@pytest.mark.parametrize(
    ("folder_mode", "key_mode", "grade", "word"),
    [
        (0o700, 0o600, Grade.OK, "for their user alone"),
        (0o755, 0o600, Grade.FAIL, "0755"),
        (0o700, 0o644, Grade.WARN, "others may read master.pem"),
    ],
)
def test_keys_are_for_their_user_alone(
    tmp_path: Path, folder_mode: int, key_mode: int, grade: Grade, word: str
) -> None:
    finding = key_check.keys(key_folder(tmp_path, folder_mode, key_mode))
    assert (finding.grade, bool(finding.advice)) == (grade, grade is not Grade.OK)
    assert word in finding.said


def test_where_there_are_no_keys_nothing_is_wrong(tmp_path: Path) -> None:
    assert key_check.keys(tmp_path / "keys").grade is Grade.OK
