"""What became of each character of an answer, and how far the current call has come."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from .base import Arguments, CallBegin, CallEnd, Dropped, Retracted, Segment, Text, Tool
from .marker import SPACE

# Longer than any name or header; text that goes on for longer without an end is no call.
MAX_NAME = 256


class _Stage(Enum):
    """How far the call that is being read has come."""

    UNNAMED = auto()
    BEGUN = auto()
    # Its name is not among the tools: it is read to its end, as text.
    REFUSED = auto()


class Book:
    """The books of one answer. Characters are taken from the text; those that were taken belong to
    the next segment that comes out. A call is opened by its marker, begun by its name, and ends."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.problems: list[str] = []
        self.tools = {tool.name: tool for tool in tools}
        self._segments: list[Segment] = []
        # The text that has come, from somewhere before `_at`, where the next character is taken.
        self._text = ""
        self._at = 0
        self._ended = False
        # Characters taken that no segment accounts for yet.
        self._taken = 0
        # What the current call is made of, as far as it has not come out as text.
        self._raw: list[str] = []
        self._stage = _Stage.UNNAMED
        self._begun = 0
        # Arguments that came before the call's name.
        self._early: list[str] = []
        self._has_arguments = False
        # Whether the calls being read were announced by a marker: only then is it worth a word in
        # the log that they are none.
        self._is_marked = False
        # Whether nothing but white space came since a call ended: it is dropped.
        self._behind_call = False

    @property
    def is_named(self) -> bool:
        """Whether the name of the call being read is known, a tool's or not."""
        return self._stage is not _Stage.UNNAMED

    def begin(self, name: str) -> None:
        """The call's name is known."""
        if name not in self.tools:
            self._remark("a call to what is none of the tools")
            self._stage = _Stage.REFUSED
            self._let_through()
            return
        self._stage = _Stage.BEGUN
        self._segments.append(CallBegin(self._begun, name, self._account()))
        self._begun += 1
        self.arguments("".join(self._early))

    def arguments(self, text: str) -> None:
        """The next piece of the call's arguments, as JSON."""
        if not text:
            return
        self._has_arguments = True
        if self._stage is _Stage.UNNAMED:
            self._early.append(text)
        elif self._stage is _Stage.BEGUN:
            self._segments.append(Arguments(self._begun - 1, text, self._account()))

    def end(self) -> None:
        """The call, which has a name, is complete. Another may follow at once."""
        assert self.is_named
        if self._stage is _Stage.BEGUN:
            if not self._has_arguments:
                self.arguments("{}")
            self._segments.append(CallEnd(self._begun - 1, self._account()))
            self._behind_call = True
        self._let_through()
        self._clear()

    def refuse(self, reason: str) -> None:
        """The call is none, but goes on being read, as text, so that nothing in its arguments is
        taken for a call. `end` ends it."""
        self._give_back(reason)
        self._stage = _Stage.REFUSED

    def drop(self) -> None:
        """What was taken since the last call's end belongs to no call and is no text."""
        if self._behind_call:
            if self._taken:
                self._segments.append(Dropped(self._account()))
        else:
            # Around a call that was refused.
            self._emit_text("".join(self._raw))
        self._clear()

    def take(self, count: int) -> str:
        """Takes characters that are there."""
        piece = self._text[self._at : self._at + count]
        self._at += len(piece)
        self._taken += len(piece)
        return piece

    def _keep(self, count: int) -> str:
        piece = self.take(count)
        if piece:
            self._raw.append(piece)
        return piece

    def _account(self) -> int:
        taken, self._taken = self._taken, 0
        return taken

    def _emit_text(self, text: str) -> None:
        assert len(text) == self._taken
        if text:
            self._segments.append(Text(text, self._account()))
            self._behind_call = False

    def _open_call(self, end: int) -> None:
        self._clear()
        self._is_marked = True
        self._keep(end - self._at)

    def _clear(self) -> None:
        self._stage = _Stage.UNNAMED
        self._raw = []
        self._early = []
        self._has_arguments = False

    def _let_through(self) -> None:
        """What a refused call is made of comes out at once."""
        if self._stage is _Stage.REFUSED:
            self._emit_text("".join(self._raw))
            self._raw = []

    def _give_back(self, reason: str) -> None:
        raw = "".join(self._raw)
        if self._stage is _Stage.BEGUN:
            self._segments.append(Retracted(self._begun - 1, raw, reason, self._account()))
            self._behind_call = False
        elif self._behind_call and not raw.strip(SPACE + ",;]}"):
            # What holds a list of calls together, and the list breaks off.
            self.drop()
        else:
            if self._stage is _Stage.UNNAMED:
                self._remark(f"no call: {reason}")
            self._emit_text(raw)
        self._clear()

    def _remark(self, problem: str) -> None:
        if self._is_marked:
            self.problems.append(problem)

    def _drop_space(self, end: int) -> None:
        space = self._text[self._at : end]
        solid = space.lstrip(SPACE)
        if self.take(len(space) - len(solid)):
            self._segments.append(Dropped(self._account()))
        if solid:
            self._behind_call = False
