"""Options that commands share: the settings table as flags, and where the server is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from kronk.shared.settings_table import SETTINGS, Setting

ApiHost = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Address of the server. (env: KRONK_WEB_API_HOST; default: the running server's)",
        show_default=False,
    ),
]
BasePathOption = Annotated[
    str | None,
    typer.Option(
        "--base-path",
        metavar="PATH",
        help="Folder the server keeps things in. (env: KRONK_BASE_PATH; default: ~/.kronk)",
        show_default=False,
    ),
]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option per row of `SETTINGS`; it gets the texts given, as `flags`."""

    def called(**given: Any) -> None:
        flags = {setting.name: given.pop(setting.name) for setting in SETTINGS}
        command(flags=flags, **given)

    own = inspect.signature(command, eval_str=True)
    parameters = [
        *(_parameter(setting) for setting in SETTINGS),
        *(parameter for parameter in own.parameters.values() if parameter.name != "flags"),
    ]
    # Typer reads the signature and the annotations; both come from the table.
    called.__dict__["__signature__"] = own.replace(
        parameters=[p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    )
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    called.__name__, called.__doc__ = command.__name__, command.__doc__
    return called


def _parameter(setting: Setting) -> inspect.Parameter:
    names = "/".join((setting.env, *setting.also))
    default = setting.default or "none"
    option = typer.Option(
        setting.flag,
        metavar=setting.metavar.upper(),
        help=f"{setting.help} (env: {names}; default: {default})",
        show_default=False,
    )
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


class WithSwitches(TyperCommand):
    """Lets a switch stand without a value: `--llama-log` is `--llama-log=true`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        switches = {setting.flag for setting in SETTINGS if setting.is_switch}
        return super().parse_args(ctx, list(_spelled_out(args, switches)))


def _spelled_out(args: list[str], switches: set[str]) -> Iterable[str]:
    for arg, following in pairwise([*args, "--"]):
        bare = arg in switches and following.startswith("-")
        yield f"{arg}=true" if bare else arg
