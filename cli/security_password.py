"""`kronk security password reset` and `set`: the password of the browser's login."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

from kronk.shared.errors import Internal, InvalidArgument, ServerError
from kronk.shared.security import audit, password

from .client import NoServer, find_base_path, find_server
from .local import AsJson, Local
from .options import ApiHost, BasePathOption

_PATH = "/v1/kronk/security/password"
_ENDED = "all sessions have ended"

password_app = typer.Typer(
    help="Change the password of the browser's login.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@password_app.command()
def reset(
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Make a new random password and show it. All sessions end, and failed logins are forgotten."""
    if local:
        base = find_base_path(base_path)
        with audit.by_operator(base, "change_password"):
            made = password.reset(base.keys)
    else:
        made = str(_ask({}, api_host, base_path)["password"])
    print(json.dumps({"password": made}) if as_json else f"{made}\n{_ENDED}")


@password_app.command("set")
def choose(
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Choose the password: asked for on a terminal, else the first line of stdin. All sessions end,
    and failed logins are forgotten."""
    text = _typed()
    password.check_choice(text)
    if local:
        base = find_base_path(base_path)
        with audit.by_operator(base, "change_password"):
            password.change(base.keys, text)
    else:
        _ask({"password": text}, api_host, base_path)
    print(json.dumps({"changed": True}) if as_json else f"the password is changed; {_ENDED}")


def _typed() -> str:
    if sys.stdin.isatty():
        return str(
            typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
        )
    line = sys.stdin.readline()
    if not line.strip():
        raise InvalidArgument("stdin has no password", param="password")
    return line


def _ask(body: dict[str, Any], api_host: str | None, base_path: str | None) -> dict[str, Any]:
    admin = find_server(api_host, base_path)
    try:
        answer = admin.post(_PATH, body, timeout=30.0)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to change it here") from error
    if not isinstance(answer, dict) or "password" not in answer:
        raise Internal(f"{admin.url} answered {_PATH} in a form this version cannot read")
    return answer
