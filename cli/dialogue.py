"""The dialogue of `kronk run` on a terminal: question, answer, slash commands."""

from __future__ import annotations

import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
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
    with _keys_kept(sys.stdin.fileno()):
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


@contextmanager
def _keys_kept(terminal: int) -> Iterator[None]:
    """What is typed while nothing reads it is not shown, and waits for the next prompt as it is.

    A terminal that collects lines (`ICANON`) would make Ctrl-D the end of a line, which the prompt
    reads as a zero byte; and would show the keys in the middle of the answer (`ECHO`).
    """
    before = termios.tcgetattr(terminal)
    local = 3
    changed = list(before)
    changed[local] = before[local] & ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


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
