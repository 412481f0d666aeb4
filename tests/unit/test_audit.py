"""The audit log: no line is lost or torn, whoever writes, and nothing secret is in it."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from kronk.shared.errors import NotFound
from kronk.shared.paths import BasePath
from kronk.shared.security import audit
from kronk.shared.security.audit import AuditError, Entry

WRITERS, LINES, MOST_BYTES = 8, 60, 40_000


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    return BasePath(tmp_path)


def write_many(root: str, writer: int) -> None:
    base = BasePath(Path(root))
    for number in range(LINES):
        audit.append(base, Entry(f"w{writer}", target=str(number)), MOST_BYTES)


def test_eight_processes_lose_and_tear_no_line_while_the_file_is_rotated(base: BasePath) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=write_many, args=(str(base.root), writer))
        for writer in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    files = sorted(base.logs.glob("audit.jsonl*"))
    assert 2 <= len(files) <= audit.FILES_KEPT, "large enough for all, and rotated in between"
    lines = [line for path in files for line in path.read_bytes().split(b"\n")[:-1]]
    assert all(path.read_bytes().endswith(b"\n") for path in files)
    assert all(path.stat().st_size <= MOST_BYTES for path in files)
    rows = [json.loads(line) for line in lines]
    wanted = {(f"w{writer}", str(number)) for writer in range(WRITERS) for number in range(LINES)}
    assert len(rows) == len(wanted) and {(row["action"], row["target"]) for row in rows} == wanted
    # And a reader finds them all.
    found, has_more = audit.read(base, 1000)
    assert len(found) == len(wanted) and not has_more


def test_lines_come_back_with_the_latest_first_in_pages(base: BasePath) -> None:
    for number in range(25):
        audit.append(base, Entry("load", target=str(number)), most_bytes=3000)
    assert len(list(base.logs.glob("audit.jsonl*"))) > 1
    seen: list[str | None] = []
    after = None
    while True:
        page, has_more = audit.read(base, 10, after)
        seen += [entry.target for entry in page]
        if not has_more:
            break
        after = page[-1].id
    kept = [str(number) for number in range(24, -1, -1)][: len(seen)]
    assert seen == kept and len(seen) >= 20
    assert audit.read(base, 10, "audit-nobody") == ([], False)


def test_only_the_last_files_are_kept(base: BasePath) -> None:
    for number in range(60):
        audit.append(base, Entry("load", target=str(number)), most_bytes=700)
    files = sorted(path.name for path in base.logs.glob("audit.jsonl*"))
    assert files == ["audit.jsonl", *(f"audit.jsonl.{n}" for n in range(1, audit.FILES_KEPT))]
    assert audit.read(base, 1)[0][0].target == "59"


def test_files_are_for_their_owner_alone(base: BasePath) -> None:
    audit.append(base, Entry("load"))
    assert stat.S_IMODE(base.audit_file.stat().st_mode) == 0o600


def test_an_entry_gets_a_time_and_a_name_and_keeps_those_it_has(base: BasePath) -> None:
    entry = audit.append(base, Entry("load"))
    assert entry.time.endswith("Z") and entry.id.startswith("audit-")
    known = replace(entry, id="audit-1", time="2026-01-01T00:00:00Z")
    assert audit.append(base, known) == known


def test_a_long_text_of_a_client_is_cut_and_cannot_forge_a_line(base: BasePath) -> None:
    audit.append(base, Entry("load", target='x"}\n{"action": "forged", "id": "a"}' + "y" * 5000))
    [entry], _ = audit.read(base, 10)
    assert entry.action == "load" and len(entry.target or "") == 300
    audit.append(base, Entry("load", target="half \ud83d"))
    assert len(audit.read(base, 10)[0]) == 2


def test_half_a_line_of_a_power_cut_costs_that_line_alone(base: BasePath) -> None:
    first = audit.append(base, Entry("load"))
    with base.audit_file.open("ab") as file:
        file.write(b'{"action": "unl')
    second = audit.append(base, Entry("pin"))
    assert audit.read(base, 10) == ([second, first], False)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"5",
        b"null",
        b"[" * 90_000,
        b"{}",
        b'{"action": 5, "id": "a"}',
        b'{"action": "a", "id": "b", "status": "c"}',
        b'{"action": "a", "id": "b", "result": null}',
    ],
)
def test_a_damaged_line_is_left_out(base: BasePath, line: bytes) -> None:
    first = audit.append(base, Entry("load"))
    with base.audit_file.open("ab") as file:
        file.write(line + b"\n")
    assert audit.read(base, 10) == ([first], False)


def test_a_line_of_a_later_version_is_read(base: BasePath) -> None:
    row = asdict(audit.append(base, Entry("load"))) | {"colour": "red"}
    base.audit_file.write_text(json.dumps(row) + "\n")
    assert [entry.action for entry in audit.read(base, 10)[0]] == ["load"]


def test_there_is_nothing_to_read_before_there_was_something(base: BasePath) -> None:
    assert audit.read(base, 10) == ([], False)


@pytest.mark.parametrize("obstacle", ["folder", "link", "pipe"])
def test_what_cannot_be_written_is_no_obstacle_and_said_in_the_log(
    base: BasePath, obstacle: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base.logs.mkdir()
    outside = tmp_path / "outside"
    outside.write_text("")
    match obstacle:
        case "folder":
            base.audit_file.mkdir()
        case "link":
            base.audit_file.symlink_to(outside)
        case "pipe":
            os.mkfifo(base.audit_file)
    with pytest.raises(AuditError, match=r"cannot write .*audit\.jsonl"):
        audit.append(base, Entry("load", target="Tiny"))
    with audit.by_operator(base, "remove", "Tiny"):
        pass
    assert "not in the audit log" in caplog.text and "Tiny" in caplog.text
    assert outside.read_text() == ""
    assert audit.read(base, 10) == ([], False)


def test_a_full_disk_leaves_no_part_of_a_line(
    base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = audit.append(base, Entry("load"))
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:20]))
    with pytest.raises(AuditError, match="the disk is full"):
        audit.append(base, Entry("pin"))
    monkeypatch.undo()
    assert base.audit_file.read_bytes().endswith(b"\n")
    assert audit.read(base, 10) == ([first], False)


def test_a_process_that_stands_still_with_the_lock_holds_nobody_up_for_long(
    base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit.append(base, Entry("load"))
    monkeypatch.setattr(audit, "_LOCK_SECONDS", 0.05)
    with (base.logs / ".audit.jsonl.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AuditError):
            audit.append(base, Entry("pin"))
        # Reading takes no lock.
        assert len(audit.read(base, 10)[0]) == 1
    audit.append(base, Entry("pin"))


def test_what_a_command_does_has_the_user_of_the_machine_and_what_became_of_it(
    base: BasePath,
) -> None:
    with audit.by_operator(base, "remove", "Tiny"):
        pass
    with pytest.raises(NotFound), audit.by_operator(base, "remove", "Nope"):
        raise NotFound("there is no model Nope")
    with pytest.raises(KeyboardInterrupt), audit.by_operator(base, "pull", "Large"):
        raise KeyboardInterrupt
    found, _ = audit.read(base, 10)
    told = [(entry.action, entry.target, entry.result, entry.code) for entry in found[::-1]]
    assert told == [
        ("remove", "Tiny", "done", None),
        ("remove", "Nope", "failed", "not_found"),
        ("pull", "Large", "failed", "cancelled"),
    ]
    assert {(entry.via, entry.name) for entry in found} == {("local", audit.operator())}


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(audit.getpass, "getuser", nameless)
    assert audit.operator() == f"uid {os.getuid()}"
