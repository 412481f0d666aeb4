"""`kronk completion`: how shells learn what may come next on a command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
import typer.completion

from kronk.shared.errors import InvalidArgument
from kronk.shared.files import write_atomically

from .completing import VARIABLE

completion_app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)

SHELLS = ("bash", "zsh", "fish")


@completion_app.command("bash")
def bash() -> None:
    """Print the script for bash: `source <(kronk completion bash)` in ~/.bashrc."""
    print(script("bash"))


@completion_app.command("zsh")
def zsh() -> None:
    """Print the script for zsh: `source <(kronk completion zsh)` in ~/.zshrc, after compinit."""
    print(script("zsh"))


@completion_app.command("fish")
def fish() -> None:
    """Print the script for fish: `kronk completion fish | source` in config.fish."""
    print(script("fish"))


@completion_app.command("install")
def install(
    shell: Annotated[
        str | None,
        typer.Option(metavar="|".join(SHELLS), help="Which shell. (default: by $SHELL)"),
    ] = None,
) -> None:
    """Put the script where the shell looks for such, and say what is left to do."""
    wanted = shell if shell is not None else Path(os.environ.get("SHELL", "")).name
    if wanted not in SHELLS:
        raise InvalidArgument(
            f"--shell: expected one of {', '.join(SHELLS)}, got {wanted!r}", param="shell"
        )
    path = target(wanted, os.environ, Path.home())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{script(wanted)}\n".encode(), 0o644)
    print(f"{path}\n{_NEXT[wanted]}")


_NEXT = {
    "bash": "Works in new shells where the package bash-completion is installed; otherwise put"
    " `source <(kronk completion bash)` into ~/.bashrc.",
    "zsh": "Works in new shells when ~/.zshrc has, before `compinit`: fpath+=(~/.zfunc)",
    "fish": "Works in new shells.",
}


def script(shell: str) -> str:
    """What the shell is to run when it starts."""
    make = typer.completion.get_completion_script  # type: ignore[attr-defined]  # imported for us
    text = make(prog_name="kronk", complete_var=VARIABLE, shell=shell)
    assert isinstance(text, str)
    return text


def target(shell: str, environment: Mapping[str, str], home: Path) -> Path:
    """Where the shell looks for a script of this name."""
    match shell:
        case "bash":
            data = environment.get("XDG_DATA_HOME") or home / ".local" / "share"
            return Path(data) / "bash-completion" / "completions" / "kronk"
        case "zsh":
            return home / ".zfunc" / "_kronk"
        case _:
            config = environment.get("XDG_CONFIG_HOME") or home / ".config"
            return Path(config) / "fish" / "completions" / "kronk.fish"
