"""How an answer looks on the terminal and in a pipe."""

from __future__ import annotations

import os
import sys
import unicodedata
from contextlib import AbstractContextManager, closing, nullcontext
from itertools import chain

from rich.console import Console
from rich.markup import escape

from .chat import Answer, Conversation, Piece, ask
from .client import Admin

_DIM, _RED, _PLAIN = "\x1b[2m", "\x1b[31m", "\x1b[0m"


class Screen:
    """Where an answer goes: text to stdout, everything about it to stderr."""

    def __init__(self) -> None:
        self._colour_out = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._colour_err = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        self._shown: Piece | None = None

    def waiting(self, model: str) -> AbstractContextManager[object]:
        """Something moves while the model loads or reads the prompt; on a terminal only."""
        console = Console(stderr=True, highlight=False)
        if not (console.is_terminal and sys.stdout.isatty()):
            return nullcontext()
        return console.status(f"[dim]{escape(model)} ...", spinner="dots")

    def show(self, piece: Piece) -> None:
        """Append a piece of the answer at once; thoughts are dim, and left out of a pipe."""
        if piece.kind == "thought" and not sys.stdout.isatty():
            return
        if self._shown is not None and piece.kind != self._shown.kind:
            sys.stdout.write("\n\n")
        self._shown = piece
        text = printable(piece.text) if sys.stdout.isatty() else piece.text
        dim = piece.kind != "answer" and self._colour_out
        sys.stdout.write(f"{_DIM}{text}{_PLAIN}" if dim else text)
        sys.stdout.flush()

    def end(self, answer: Answer) -> None:
        """Close the answer's last line and say how fast it came."""
        self.newline()
        if line := footer(answer):
            self._note(line, _DIM)

    def newline(self) -> None:
        """The answer is over; what comes next starts a line of its own."""
        if self._shown is not None and not self._shown.text.endswith("\n"):
            print(flush=True)
        self._shown = None

    def error(self, message: str) -> None:
        self._note(f"error: {message}", _RED)

    def hint(self, message: str) -> None:
        self._note(message, _DIM)

    def _note(self, line: str, style: str) -> None:
        print(f"{style}{line}{_PLAIN}" if self._colour_err else line, file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Without control characters: what a model says must not steer the user's terminal."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


def footer(answer: Answer) -> str:
    """`42 tokens · 31.5 tokens/s · first after 0.12 s`; what is not known is left out."""
    parts = []
    if answer.completion_tokens is not None:
        parts.append(f"{answer.completion_tokens} tokens")
    if (rate := answer.tokens_per_second) is not None:
        parts.append(f"{rate:.1f} tokens/s")
    if answer.first_token_after is not None:
        parts.append(f"first after {answer.first_token_after:.2f} s")
    if answer.finish == "length":
        parts.append("cut off: longest answer or context reached")
    return " · ".join(parts)


def answer_once(admin: Admin, conversation: Conversation, text: str, screen: Screen) -> None:
    """Show the answer to `text` and remember both; an error leaves as the exception it is."""
    conversation.messages.append({"role": "user", "content": text})
    answer = Answer()
    try:
        with closing(ask(admin, conversation, answer)) as pieces:
            with screen.waiting(conversation.model):
                first = next(pieces, None)
            for piece in chain([first] if first else [], pieces):
                screen.show(piece)
    except BaseException:
        screen.newline()
        _remember(conversation, answer)
        raise
    screen.end(answer)
    _remember(conversation, answer)


def _remember(conversation: Conversation, answer: Answer) -> None:
    """A stopped answer stays as far as it came; a question without any is taken back."""
    if answer.text:
        conversation.messages.append({"role": "assistant", "content": answer.text})
    elif answer.finish is None:
        conversation.messages.pop()
