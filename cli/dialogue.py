"""The dialogue of `kronk run` on a terminal: question, answer, slash commands."""

from __future__ import annotations

from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from kronk.shared.errors import KronkError
from kronk.shared.paths import BasePath

from .chat import Conversation
from .client import Admin
from .screen import Screen, answer_once
from .slash import Quit, obey


def interactive(admin: Admin, conversation: Conversation, base: BasePath) -> None:
    """Question and answer until Ctrl-D or /bye."""
    screen = Screen()
    session: PromptSession[str] = PromptSession(history=_history(base.root / "chat_history"))
    screen.hint(f"Chat with {conversation.model}. /help lists commands, Ctrl-D ends.")
    while True:
        try:
            text = session.prompt(">>> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        try:
            _turn(admin, conversation, text, screen)
        except Quit:
            return


def _turn(admin: Admin, conversation: Conversation, text: str, screen: Screen) -> None:
    """One line of input; whatever goes wrong with it, the dialogue goes on."""
    try:
        if text.startswith("/"):
            screen.hint(obey(conversation, text))
        elif text:
            answer_once(admin, conversation, text, screen)
    except KeyboardInterrupt:
        screen.hint("(stopped)")
    except KronkError as error:
        screen.error(error.message)


def _history(path: Path) -> History:
    """Kept under the base path for this user alone; in memory where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))
