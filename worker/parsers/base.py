"""The contract every parser keeps.

A parser gets the answer's text piece by piece, however it was cut, and returns segments. Each
character it was fed is accounted for by exactly one segment: `chars` counts the characters of the
input that the segment took up, markers included, so that the caller can tell which token belongs to
which segment. What could still become a marker is held back, with the white space before it, and
nothing else. However the text was cut, the segments joined are the same.

A call to a name that is not among the tools, or one that is malformed before its name is known, was
never begun: its raw text is `Text`, and a line in `problems` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Text:
    """Content, as the client shall see it."""

    text: str
    chars: int


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Thinking, without its tags. An empty text with `chars` is a tag."""

    text: str
    chars: int


@dataclass(frozen=True, slots=True)
class CallBegin:
    """A tool call whose name is known. `index` counts the calls of one answer from 0."""

    index: int
    name: str
    chars: int


@dataclass(frozen=True, slots=True)
class Arguments:
    """The next piece of a call's arguments. All pieces joined are one JSON object."""

    index: int
    text: str
    chars: int


@dataclass(frozen=True, slots=True)
class CallEnd:
    """The call is complete and well-formed."""

    index: int
    chars: int


@dataclass(frozen=True, slots=True)
class Retracted:
    """The call that was begun is none: cut off, or malformed. `text` is all it was made of, as the
    model wrote it, from the white space before its marker on; it goes to the client as content.

    `chars` counts only what `CallBegin` and `Arguments` of this call have not counted. `reason` is
    for the log, in a few words.
    """

    index: int
    text: str
    reason: str
    chars: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """Characters that no client sees: markers, and white space around them."""

    chars: int


Segment = Text | Reasoning | CallBegin | Arguments | CallEnd | Retracted | Dropped


class Parser(Protocol):
    """One answer's parser. Never raises, whatever it is fed."""

    # For the log: why text that looks like a call is none. Whoever reads it empties it.
    problems: list[str]

    def feed(self, text: str) -> list[Segment]:
        """What became certain with this piece; often empty."""

    def finish(self) -> list[Segment]:
        """No more text comes. What was held back comes out, and a call that is still open is
        retracted, so that at the end all characters are accounted for."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call."""

    name: str
    # JSON schema of the arguments; `{"type": "object"}` where the client gave none.
    parameters: dict[str, Any]
    description: str = ""
    # What the client calls its parameters, for errors.
    param: str = "tools"
    # The client insists on the schema: one that cannot be enforced is an error.
    is_strict: bool = False


# The id of the token that is exactly this text, where that token is a control token or one that
# looks like it (`<...>`, user-defined), so that a grammar cannot spell it as text. Else None.
TokenOf = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Family:
    """How one family of models writes tool calls: `FAMILY` in each family's module."""

    name: str
    # Texts of control tokens that the parser must see; all other control tokens stay invisible.
    markers: tuple[str, ...]
    # Whether a model with this chat template and GGUF architecture writes this way.
    recognises: Callable[[str, str], bool]
    # A parser for one answer, from its first character after any thinking.
    parser: Callable[[Sequence[Tool]], Parser]
    # A grammar (llguidance's Lark dialect) of one call to one of the tools, or, with the second
    # argument true, of one call or several; arguments follow each tool's schema. The parser reads
    # everything the grammar can write.
    grammar: Callable[[Sequence[Tool], bool, TokenOf], str]
    # The system text that presents the tools, for templates that do not take `tools`.
    instructions: Callable[[Sequence[Tool]], str] | None = None
