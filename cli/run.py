"""`kronk run MODEL`: chat with a model of the running server."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from kronk.shared.errors import InvalidArgument

from .chat import Conversation
from .client import find_base_path, find_server, in_path
from .options import ApiHost, BasePathOption
from .screen import Screen, answer_once

run_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@run_app.command()
def run(
    model: Annotated[str, typer.Argument(help="Id of the model, as `kronk model list` shows it.")],
    prompt: Annotated[
        str | None, typer.Argument(help="Answer this and exit; `-` reads it from stdin.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="System prompt.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Nucleus sampling.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Most likely tokens to choose from.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Least share of the best token.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes an answer repeatable.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer, in tokens.")] = None,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Chat with MODEL; with PROMPT or piped input, answer once and exit."""
    parameters = _given(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        min_p=min_p,
        seed=seed,
        max_tokens=max_tokens,
    )
    conversation = Conversation(model, system, parameters=parameters)
    admin = find_server(api_host, base_path)
    if prompt is None and sys.stdin.isatty():
        # Asked before the first question is typed: no server, or no such model, is said now.
        admin.get(f"/v1/models/{in_path(model)}")
        # Half of the start-up time, and of no use for a single answer.
        from .dialogue import interactive

        interactive(admin, conversation, find_base_path(base_path))
        return
    text = _from_stdin() if prompt is None or prompt == "-" else _as_unicode(os.fsencode(prompt))
    if not text.strip():
        raise InvalidArgument("the prompt is empty", param="prompt")
    answer_once(admin, conversation, text, Screen())


def _given(**parameters: float | None) -> dict[str, Any]:
    """Those the user named; the others are the server's to choose."""
    return {name: value for name, value in parameters.items() if value is not None}


def _from_stdin() -> str:
    return _as_unicode(sys.stdin.buffer.read())


def _as_unicode(text: bytes) -> str:
    """Bytes that are no UTF-8 are marked, and do not end the program."""
    return text.decode(errors="replace")
