"""What was used is told by the API and by `kronk security usage`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kronk.cli import main as cli
from kronk.cli import security_usage
from kronk.cli.client import Admin
from kronk.shared import exits
from kronk.shared.database import Database
from kronk.shared.errors import ServerError
from kronk.shared.paths import BasePath
from kronk.shared.security.counters import Counters
from kronk.shared.security.grants import UNLIMITED
from kronk.shared.security.usage_report import local_report, report

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
DAY = 86_400
CHAT = "chat-completions"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    counters = Counters(tmp_path / "db/counters")
    for subject, endpoint, age in (("ann", CHAT, 0), ("ann", "rerank", 30), ("bob", CHAT, 0)):
        charge = counters.charge(subject, endpoint, UNLIMITED, NOON - age * DAY)
        counters.add_tokens(charge, 10, 5)
    counters.close()
    registered = {"name": "Ann's laptop", "admin": False, "key": "k", "issued": NOON}
    registered |= {"expires": NOON, "grants": {}, "issued_by": "local"}
    with closing(Database(tmp_path / "db")) as database:
        database.table("tokens").put("ann", registered)
    return tmp_path


@pytest.fixture
def counters(base: Path) -> Iterator[Counters]:
    opened = Counters(base / "db/counters")
    yield opened
    opened.close()


def amounts(calls: int) -> dict[str, int]:
    return {"calls": calls, "prompt_tokens": calls * 10, "completion_tokens": calls * 5}


def test_a_report_has_a_row_for_each_subject_and_endpoint(counters: Counters) -> None:
    told = report(counters, NOON)
    assert (told["day"], told["month"], told["year"]) == ("2026-11-22", "2026-11", "2026")
    assert told["data"] == [
        {
            "subject": subject,
            "name": None,
            "endpoint": endpoint,
            "day": amounts(day),
            "month": amounts(day),
        }
        | {"year": amounts(1)}
        for subject, endpoint, day in (("ann", CHAT, 1), ("ann", "rerank", 0), ("bob", CHAT, 1))
    ]
    assert "days" not in told


def test_of_one_subject_each_day_is_told(counters: Counters) -> None:
    told = report(counters, NOON, "ann")
    assert [row["endpoint"] for row in told["data"]] == [CHAT, "rerank"]
    assert told["days"] == [
        {"day": "2026-10-23", "endpoint": "rerank", **amounts(1)},
        {"day": "2026-11-22", "endpoint": CHAT, **amounts(1)},
    ]


def test_pages_end_between_subjects(counters: Counters) -> None:
    first = report(counters, NOON, limit=1)
    assert ({row["subject"] for row in first["data"]}, first["has_more"]) == ({"ann"}, True)
    second = report(counters, NOON, limit=1, after="ann")
    assert ({row["subject"] for row in second["data"]}, second["has_more"]) == ({"bob"}, False)


def test_where_nothing_was_counted_nothing_was_used(tmp_path: Path) -> None:
    told = local_report(BasePath(tmp_path), NOON)
    assert (told["data"], told["has_more"]) == ([], False)
    assert local_report(BasePath(tmp_path), NOON, "ann")["days"] == []
    assert not (tmp_path / "db").exists()


def test_a_server_and_a_command_may_read_at_the_same_time(base: Path, counters: Counters) -> None:
    # Another process, as LMDB wants it.
    code = "import sys; from pathlib import Path; from kronk.shared.security.usage_report import *"
    code += "; print(len(local_report(BasePath(Path(sys.argv[1])), float(sys.argv[2]))['data']))"
    words = [sys.executable, "-P", "-c", code, str(base), str(NOON)]
    done = subprocess.run(words, capture_output=True, check=True, text=True)
    assert done.stdout == "3\n"


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["kronk", "security", "usage", *words])
    monkeypatch.setattr(security_usage.time, "time", lambda: NOON)
    return cli._call()


def test_the_command_shows_columns_or_json(
    base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--local", "--base-path", str(base))
    assert call(monkeypatch, *words) == exits.OK
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["ann", "Ann's", "laptop", CHAT, "1", "1", "1", "15", "15", "15"]
    assert lines[3][:3] == ["bob", "-", CHAT]
    assert len(lines) == 4
    assert call(monkeypatch, *words, "--subject", "ann", "--json") == exits.OK
    assert len(json.loads(capsys.readouterr().out)["days"]) == 2
    assert call(monkeypatch, *words, "--subject", "ann") == exits.OK
    assert ["2026-10-23", "rerank", "1", "10", "5"] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]
    assert call(monkeypatch, *words, "--subject", "eve") == exits.OK
    assert capsys.readouterr().out == "eve has used nothing yet\n"


def test_the_command_puts_the_servers_pages_together(
    counters: Counters, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def get(_: Admin, path: str, timeout: float = 10.0) -> Any:
        return report(counters, NOON, limit=1, after="ann" if "after=ann" in path else "")

    monkeypatch.setattr(Admin, "get", get)
    assert call(monkeypatch, "--json", "--api-host", "localhost:1") == exits.OK
    told = json.loads(capsys.readouterr().out)
    assert ([row["subject"] for row in told["data"]], told["has_more"]) == (
        ["ann", "ann", "bob"],
        False,
    )


def test_counters_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "db/counters").mkdir(parents=True)
    (tmp_path / "db/counters/data.mdb").write_bytes(b"nothing" * 2000)
    with pytest.raises(ServerError, match="cannot be opened"):
        local_report(BasePath(tmp_path), NOON)
