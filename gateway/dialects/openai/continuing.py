"""`continue_final_message`: the last message is the beginning of the answer, and the model goes on
from there. The field, and `add_generation_prompt` beside it, are vLLM's and SGLang's."""

from __future__ import annotations

from collections.abc import Sequence

from kronk.gateway.dialects.fields import path
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json

CONTINUE = "continue_final_message"
GENERATION_PROMPT = "add_generation_prompt"
_WORDS = {"role", "content", "name"}


def check_place(continues: bool | None, opens: bool | None) -> None:
    """What is said of the place of the answer: either a turn is opened for it, or one goes on."""
    if continues and opens:
        raise InvalidArgument(
            f"'{CONTINUE}' and '{GENERATION_PROMPT}' cannot both be true: an answer either goes on "
            "with the last message or begins a new one",
            param=CONTINUE,
        )
    if opens is False and not continues:
        raise InvalidArgument(
            f"'{GENERATION_PROMPT}': false leaves no place for an answer; to go on with the last "
            f"message, send '{CONTINUE}': true",
            param=GENERATION_PROMPT,
        )


def beginning(said: Sequence[Json], clashes: dict[str, bool]) -> str:
    """What the answer begins with. `clashes` has the fields that decide how answers begin, and
    whether they do so here."""
    where, last = path("messages", len(said) - 1), said[-1]
    problem = None
    if last["role"] != "assistant":
        problem = f"with '{CONTINUE}' the last message must be of the role assistant"
    elif last.keys() - _WORDS or not isinstance(last["content"], str):
        problem = f"with '{CONTINUE}' the last message must have text and nothing else"
    elif not last["content"]:
        problem = f"with '{CONTINUE}' the last message must have text to go on from"
    elif not any(message["role"] in ("user", "tool") for message in said):
        problem = "there is no message of the role user that it answers"
    if problem is not None:
        raise InvalidArgument(f"'{where}': {problem}", param=where)
    for field, clash in clashes.items():
        if clash:
            raise InvalidArgument(
                f"'{CONTINUE}': with '{field}' the answer cannot go on from the assistant's words",
                param=CONTINUE,
            )
    text: str = last["content"]
    return text
