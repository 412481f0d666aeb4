"""`kronk security token`: tokens are made, listed, looked into and revoked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from kronk.shared.errors import InvalidArgument
from kronk.shared.security.grants import ENDPOINTS
from kronk.shared.security.key_files import UUID
from kronk.shared.security.wishes import RevocationWish, parse_wish

from .columns import aligned
from .local import AsJson, Local
from .options import ApiHost, BasePathOption
from .security_desk import desk
from .security_keys import utc

token_app = typer.Typer(
    help="Make, list, look into and revoke tokens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Duration = Annotated[
    str, typer.Option(metavar="DURATION", help="How long it is good: 24h, 720h, 8760h, ...")
]
Endpoints = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="What it is for, with commas between, each with a limit if it is to have one: "
        f"chat-completions:1000/day,embeddings. There are {', '.join(ENDPOINTS)}; windows are "
        "day, month, year and unlimited.",
    ),
]
IsAdmin = Annotated[bool, typer.Option("--admin", help="It may do everything, without limits.")]
Models = Annotated[
    str | None, typer.Option(metavar="LIST", help="Only for these models; * stands for any text.")
]
Tokens = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER/WINDOW", help="Tokens of prompts and answers together: 100000/day."
    ),
]
Concurrency = Annotated[
    int | None, typer.Option(metavar="NUMBER", help="How many requests at once.")
]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="What lists and logs call it.")]
Subject = Annotated[
    str | None,
    typer.Option(
        metavar="ID",
        help="Somebody who had a token before: files, batches, responses and used limits stay his.",
    ),
]
Token = Annotated[str, typer.Argument(metavar="TOKEN|-", help="The token, or - for stdin.")]
Whose = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT|TOKEN|-",
        help="A subject, as `kronk security token list` shows it, a token, or - for stdin.",
    ),
]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the list.")]

_HEADS = ("SUBJECT", "NAME", "STATE", "EXPIRES", "GRANTS", "ISSUED BY")
_NONE = "-"

Row = dict[str, Any]


@token_app.command()
def create(
    duration: Duration,
    endpoints: Endpoints = None,
    admin: IsAdmin = False,
    models: Models = None,
    tokens: Tokens = None,
    concurrency: Concurrency = None,
    name: Name = None,
    subject: Subject = None,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Make a token and show it; it is kept nowhere."""
    wish = parse_wish(
        duration,
        endpoints=endpoints,
        models=models,
        tokens=tokens,
        concurrency=concurrency,
        admin=admin,
        name=name,
        subject=subject,
    )
    body = {
        "duration": duration,
        "endpoints": _words(endpoints),
        "models": _words(models),
        "tokens": tokens,
        "concurrency": concurrency,
        "admin": admin,
        "name": name,
        "subject": subject,
    }
    with desk(local, api_host, base_path) as found:
        made = found.create_token(body, wish)
    print(json.dumps(made) if as_json else "\n".join(_created(made, wish.duration)))


@token_app.command("list")
def list_tokens(
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show what was issued, by whom, and whether it is still good; the latest first."""
    with desk(local, api_host, base_path) as found:
        rows = found.tokens()
    if as_json:
        print(json.dumps(rows))
    elif not rows:
        print("no tokens were issued yet")
    else:
        print("\n".join(aligned(_HEADS, [_cells(row) for row in rows])))


@token_app.command()
def inspect(
    token: Token,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show what stands in a token, whether it is good and why not; exits with 1 if it is not."""
    text = _text(token)
    with desk(local, api_host, base_path) as found:
        seen = found.inspect(text)
    print(json.dumps(seen) if as_json else "\n".join(_inspected(seen)))
    if not seen["good"]:
        raise typer.Exit(1)


@token_app.command()
def revoke(
    whose: Whose,
    reason: Reason = None,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """End all tokens of a subject, at once and for good."""
    text = _text(whose)
    is_subject = UUID.fullmatch(text) is not None
    wish = RevocationWish(text if is_subject else None, None if is_subject else text, reason)
    with desk(local, api_host, base_path) as found:
        gone = found.revoke(wish)
    if not gone["known"]:
        print("warning: no token of this subject is known here", file=sys.stderr)
    if gone.get("replaced"):
        print("warning: it was the operator's own; keys/master.jwt is another one", file=sys.stderr)
    words = f"revoked {gone['subject']}; its tokens are worth nothing"
    print(json.dumps(gone) if as_json else words)


def _text(argument: str) -> str:
    text = sys.stdin.readline().strip() if argument == "-" else argument.strip()
    if not text:
        raise InvalidArgument("expected a token or a subject, got nothing", param="token")
    return text


def _words(text: str | None) -> list[str] | None:
    return None if text is None else text.split(",")


def _created(made: Row, duration: float) -> Iterator[str]:
    """As the manual has it; further lines where more was asked for."""
    yield "Token create"
    yield f"  Duration: {in_go(duration)}"
    yield f"  Endpoints: {_map(made['endpoints'])}"
    more = {
        "Admin": "true" if made["admin"] else None,
        "Models": made["models"] and ",".join(made["models"]),
        "Tokens": made["tokens"] and _limit(made["tokens"]),
        "Concurrency": made["concurrency"],
        "Name": made["name"],
    }
    for name, value in more.items():
        if value is not None:
            yield f"  {name}: {value}"
    yield "TOKEN:"
    yield made["token"]


def in_go(seconds: float) -> str:
    """`720h0m0s`."""
    whole = round(seconds)
    hours, minutes, left = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"


def _map(endpoints: dict[str, Row]) -> str:
    each = (f"{name}:{{{limit['limit']} {limit['window']}}}" for name, limit in endpoints.items())
    return f"map[{' '.join(sorted(each))}]"


def _limit(limit: Row) -> str:
    is_unlimited = limit["window"] == "unlimited"
    return "unlimited" if is_unlimited else f"{limit['limit']}/{limit['window']}"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["subject"],
        row["name"] or _NONE,
        row["state"],
        utc(row["expires"]),
        _grants(row),
        row["issued_by"],
    )


def _grants(row: Row) -> str:
    """`chat-completions:1000/day,embeddings models:Qwen3-* tokens:100000/day concurrency:4`."""
    if row["admin"]:
        return "admin"
    endpoints = (
        name if limit["window"] == "unlimited" else f"{name}:{_limit(limit)}"
        for name, limit in row["endpoints"].items()
    )
    words = [",".join(endpoints)]
    if row["models"] is not None:
        words.append(f"models:{','.join(row['models'])}")
    if row["tokens"] is not None:
        words.append(f"tokens:{_limit(row['tokens'])}")
    if row["concurrency"] is not None:
        words.append(f"concurrency:{row['concurrency']}")
    return " ".join(words)


def _inspected(seen: Row) -> Iterator[str]:
    yield "good" if seen["good"] else f"not good: {_safe(seen['reason'])}"
    if seen["key"] is not None:
        yield f"  key: {_safe(seen['key'])}"
    for name, value in (seen["claims"] or {}).items():
        is_time = name in ("iat", "nbf", "exp") and isinstance(value, int) and 0 <= value < 2**37
        yield f"  {_safe(name)}: {utc(value) if is_time else _safe(value)}"


def _safe(value: object) -> str:
    """What anybody may have written, so that it cannot steer a terminal."""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(each if each.isprintable() else "?" for each in text)
