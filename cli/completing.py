"""The shell asks what may come next: `_KRONK_COMPLETE` is set then, and nothing else is done."""

from __future__ import annotations

from typing import Any

import typer.completion
from typer._click.shell_completion import CompletionItem

from . import completers

VARIABLE = "_KRONK_COMPLETE"


def prepare() -> None:
    """Tell the library the names of the shells; it does so itself only for applications that have
    its own flags for that."""
    typer.completion.completion_init()  # type: ignore[attr-defined]  # imported there for us


def attach(command: Any, path: str) -> Any:
    """The command, whose parameters and those of its sub-commands know what they may be."""
    for name, below in getattr(command, "commands", {}).items():
        attach(below, f"{path} {name}")
    for parameter in command.params:
        is_option = parameter.param_type_name == "option"
        names = parameter.opts if is_option else [parameter.name]
        known = [found for name in names if (found := completers.propose(path, name))]
        if known:
            # What `shell_complete=` of a parameter would set; the modules of the commands need not
            # import what reads the disk.
            parameter._custom_shell_complete = _completer(known[0])
    return command


def _completer(propose: completers.Propose) -> Any:
    def complete(ctx: Any, parameter: Any, begun: str) -> list[CompletionItem]:
        found = completers.proposals(propose, ctx.params.get("base_path"), begun)
        return [CompletionItem(name, help=note or None) for name, note in found]

    return complete
