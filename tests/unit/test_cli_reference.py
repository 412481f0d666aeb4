"""docs/cli.md is made from the commands."""

from __future__ import annotations

import re
from pathlib import Path

from kronk.cli import main, reference

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_as_the_commands_are() -> None:
    assert DOCS.read_text("utf-8") == reference.document(), (
        "run: python -m kronk.cli.reference > docs/cli.md"
    )


def test_every_command_is_there_with_its_options() -> None:
    said = reference.document()
    assert set(re.findall(r"^## kronk ([\w-]+)$", said, re.MULTILINE)) == set(main.COMMANDS)
    assert "`--models-in-cache COUNT`" in said
    assert "### kronk model pull" in said
    # Of the terminal's formatting nothing is left.
    assert "[bold]" not in said
    assert "\b" not in said
