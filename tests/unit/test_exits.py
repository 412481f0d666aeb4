"""Every way our processes end on purpose has a code of its own, and users can look it up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kronk.shared import exits

ROOT = Path(__file__).parents[2]
CODES = {name: value for name, value in vars(exits).items() if type(value) is int}
PARTS = ("shared", "supervisor", "gateway", "worker", "cli")
# A probe's child, whose parent only looks whether it lived.
PROBES = {"worker/sandbox/probe.py"}


def test_codes_are_distinct_and_have_a_meaning() -> None:
    assert len(set(CODES.values())) == len(CODES)
    assert set(exits.MEANING) == set(CODES.values())
    assert all(0 <= code < 128 + 64 for code in CODES.values())


def test_the_documentation_has_every_code() -> None:
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert sorted(map(int, rows)) == sorted(CODES.values())


def exits_of(path: Path) -> Iterator[ast.expr]:
    """What is given to each `os._exit`, `sys.exit` and `SystemExit`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.func)
            if name in ("os._exit", "sys.exit", "SystemExit", "typer.Exit"):
                yield node.args[0]


def test_no_process_exits_with_a_number_of_its_own() -> None:
    found = [
        (str(path.relative_to(ROOT)), ast.unparse(code))
        for part in PARTS
        for path in (ROOT / part).rglob("*.py")
        for code in exits_of(path)
        if isinstance(code, ast.Constant)
    ]
    # 1 is what commands say of whatever went wrong.
    found = [one for one in found if one[0] not in PROBES and one[1] != "1"]
    assert found == []
