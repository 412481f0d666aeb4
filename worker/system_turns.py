"""System messages where a chat template does not take them.

Clients put system messages anywhere in a conversation; Claude Code has one behind the user's words
in each of its requests. Many templates take one at the start only and refuse the others, or pass
over them in silence; some take none at all. What they would not take is said in the user's turn at
the place where it stood: moved to the start, it would change the prefix of every next request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kronk.shared.errors import InvalidArgument

Message = dict[str, Any]


def render_any(
    render: Callable[[list[Message]], str], messages: list[Message]
) -> tuple[str, list[Message]]:
    """The chat as text, and the messages it is made of; their contents are strings.

    `InvalidArgument` is the template's refusal of the messages as they were sent.
    """
    refusal: InvalidArgument | None = None
    for attempt in _attempts(messages):
        try:
            text = render(attempt)
        except InvalidArgument as error:
            refusal = refusal or error
        else:
            if all(late["content"].strip() in text for late in _late(attempt)):
                return text, attempt
    assert refusal is not None, "only late system messages can be passed over"
    raise refusal


def _attempts(messages: list[Message]) -> Iterator[list[Message]]:
    yield messages
    leading = _leading(messages)
    if leading > 1 or _late(messages):
        first = _joined(messages[:leading])
        yield _said_by_users([*first, *messages[leading:]], len(first))
    if leading:
        yield _said_by_users([*_joined(messages[:leading]), *messages[leading:]], 0)


def _said_by_users(messages: list[Message], kept: int) -> list[Message]:
    """The messages behind the first `kept`, without system messages among them.

    What users say before and after becomes one turn with it: some templates insist that roles
    alternate.
    """
    found, is_mixed = messages[:kept], False
    for at, message in enumerate(messages[kept:], kept):
        is_system = _is_system(message)
        turn = _as_users(message, is_first=at == 0) if is_system else message
        if (
            turn["role"] == "user"
            and found
            and found[-1]["role"] == "user"
            and (is_system or is_mixed)
        ):
            found[-1] = found[-1] | {"content": f"{found[-1]['content']}\n\n{turn['content']}"}
            is_mixed = True
        else:
            found.append(turn)
            is_mixed = is_system
    return found


def _as_users(message: Message, *, is_first: bool) -> Message:
    content = message["content"]
    if not is_first:
        # As Claude Code itself marks such words where it puts them into the user's turn.
        content = f"<system-reminder>\n{content}\n</system-reminder>"
    return {"role": "user", "content": content}


def _joined(messages: list[Message]) -> list[Message]:
    """Several system messages as one."""
    if len(messages) < 2:
        return messages
    return [messages[0] | {"content": "\n\n".join([one["content"] for one in messages])}]


def _late(messages: list[Message]) -> list[Message]:
    """The system messages that stand behind others."""
    return [message for message in messages[_leading(messages) :] if _is_system(message)]


def _leading(messages: list[Message]) -> int:
    """How many system messages the chat begins with."""
    return next((at for at, one in enumerate(messages) if not _is_system(one)), len(messages))


def _is_system(message: Message) -> bool:
    return bool(message["role"] == "system")
