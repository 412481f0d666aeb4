"""docs/cli.md: every command with its arguments and options, from the commands themselves.

`python -m kronk.cli.reference > docs/cli.md`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from . import main

_INTRO = """# The command line

`kronk --help` and `kronk COMMAND --help` say the same. Most commands ask the running server; with
`--local` they work on this machine's files. Exit codes are 0, 1 for what failed, 2 for a wrong
command line, and others that the help of a command names.
"""
# Every command has it.
_HELP = "help"
_TAGS = re.compile(r"\[/?[a-z ]+\]")


def document() -> str:
    """The whole page, in Markdown."""
    parts = [_INTRO]
    for name, (_, _, said) in main.COMMANDS.items():
        command = main.load(name)
        # A command says of itself what the list of commands says of it.
        parts.append(f"## kronk {name}\n" + (f"\n{said}\n" if hasattr(command, "commands") else ""))
        parts += _sections(command, ("kronk", name))
    return "\n".join(parts)


def _sections(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    """One for each command that does something, the groups' own among them."""
    context = typer.Context(command, info_name=" ".join(path))
    children = getattr(command, "commands", {})
    if not children or command.invoke_without_command:
        yield _section(command, path, context)
    for name, child in sorted(children.items()):
        if not child.hidden:
            yield from _sections(child, (*path, name))


def _section(command: Any, path: tuple[str, ...], context: Any) -> str:
    shown = [
        one for one in command.params if one.name != _HELP and not getattr(one, "hidden", False)
    ]
    usage = " ".join((*path, *command.collect_usage_pieces(context)))
    heading = f"### {' '.join(path)}\n\n" if len(path) > 2 else ""
    rows = "\n".join(_row(one) for one in shown)
    table = f"\n| | |\n| --- | --- |\n{rows}\n" if rows else ""
    return f"{heading}```shell\n{usage}\n```\n\n{_plain(command.help or '')}\n{table}"


def _row(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    metavar = parameter.metavar or str(parameter.name).upper()
    names = [*parameter.opts, *parameter.secondary_opts]
    if is_argument:
        name = f"`{metavar}`"
    else:
        value = "" if parameter.is_flag else f" {metavar}"
        name = ", ".join(f"`{one}{value}`" for one in sorted(names, key=len))
    return f"| {_cell(name)} | {_cell(_about(parameter))} |"


def _about(parameter: Any) -> str:
    said = [_plain(getattr(parameter, "help", None) or "")]
    default = parameter.default
    shown = parameter.show_default if isinstance(parameter.show_default, str) else None
    if shown is None and isinstance(default, (str, int, float)) and not isinstance(default, bool):
        shown = str(default)
    if shown:
        said.append(f"(default: {shown})")
    return " ".join(part for part in said if part)


def _plain(text: str) -> str:
    """Without the marks of the terminal's formatting, a paragraph a line."""
    paragraphs = (" ".join(part.split()) for part in text.replace("\b", "").split("\n\n"))
    return "\n\n".join(_TAGS.sub("", part) for part in paragraphs if part)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    print(document(), end="")
