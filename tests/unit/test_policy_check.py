"""Policies are tried before a server uses them, and told apart from those that Kronk comes with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kronk.cli.security_policy import page
from kronk.gateway.access.policy.check import checked
from kronk.gateway.access.policy.folder import shipped

HEAD = "package kronk.authorization\nimport rego.v1\nimport data.kronk.modes\n"
# As shipped, but that nobody may embed anything and monitoring is for all who are known.
OTHER = HEAD + (
    "default allow := false\n"
    'allow if reason == "ok"\n'
    'reason := "no_embeddings" if { known; input.endpoint == "embeddings" }\n'
    'else := "ok" if { known; input.class == "reading" }\n'
    "else := modes.reason\n"
    'known if not modes.reason in {"unauthorized", "invalid_token"}\n'
)


def test_the_shipped_policies_differ_in_nothing_from_themselves(tmp_path: Path) -> None:
    for name, text in shipped().modules.items():
        (tmp_path / name).write_text(text)
    report = checked(tmp_path)
    assert report["error"] is None
    assert report["differs"] == []
    assert report["policy"] == shipped().digest
    assert "as the shipped ones do" in "\n".join(page(report))


def test_a_policy_differs_where_it_does(tmp_path: Path) -> None:
    (tmp_path / "mine.rego").write_text(OTHER)
    report = checked(tmp_path)
    assert report["error"] is None
    differs = report["differs"]
    assert {(one["class"], one["endpoint"]) for one in differs} == {
        ("inference", "embeddings"),
        ("reading", None),
    }
    for one in differs:
        refused = one["class"] == "inference"
        assert one["folder"] == {
            "allow": not refused,
            "reason": "no_embeddings" if refused else "ok",
        }
    lines = list(page(report))
    assert any("the admin" in line and "no: no_embeddings" in line for line in lines)
    line = next(line for line in lines if line.startswith("reading"))
    assert line.endswith("management, authenticated, protected")


@pytest.mark.parametrize(
    ("text", "message"), [("package x\ny := {", "mine.rego:2: "), (HEAD + "x := 1", "`allow`")]
)
def test_a_policy_that_a_server_would_not_start_with_says_why(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "mine.rego").write_text(text)
    assert message in checked(tmp_path)["error"]


def test_the_report_is_one_line_of_json(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "kronk.gateway.access.policy.check", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "has no *.rego" in json.loads(done.stdout)["error"]
    assert done.stderr == ""


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_the_command_ends_with_2_for_policies_that_cannot_be_used(
    tmp_path: Path, flags: list[str]
) -> None:
    (tmp_path / "mine.rego").write_text("package x\ny := {")
    command = [sys.executable, "-P", "-m", "kronk.cli.main", "security", "policy", "check"]
    done = subprocess.run(
        [*command, str(tmp_path), *flags], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    said = json.loads(done.stdout)["error"] if flags else done.stderr
    assert "mine.rego:2: " in said
