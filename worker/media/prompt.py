"""A rendered chat with markers in it, as tokens with the files in the markers' places."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .clip import Clip, MediaFile, Span

_MARKER = "<__media_{}_{}__>"


class Markers:
    """What stands in a chat for its files until it is tokenised.

    New ones for each request and not to be guessed: no text of a client's is taken for one.
    """

    def __init__(self, count: int) -> None:
        key = secrets.token_hex(8)
        self.texts = tuple(_MARKER.format(key, number) for number in range(count))
        self._pattern = re.compile(_MARKER.format(key, r"(\d+)"))

    def missing(self, text: str) -> int | None:
        """The first file that has no place in the text."""
        return next((at for at, marker in enumerate(self.texts) if marker not in text), None)

    def named(self, text: str) -> str:
        """The text with mtmd's own marker in the files' places: for people to read."""
        return self._pattern.sub("<__media__>", text)

    def split(self, text: str) -> Iterator[str | int]:
        """Texts and numbers of files, by turns; texts at both ends, which may be empty."""
        for at, part in enumerate(self._pattern.split(text)):
            yield int(part) if at % 2 else part


@dataclass(frozen=True, slots=True)
class _Part:
    """Tokens for a part of the rendered text."""

    text: str
    tokens: Sequence[int]
    # The text is a marker: all of the tokens stand for it.
    is_file: bool


@dataclass(slots=True)
class PromptTokens:
    """A prompt's tokens, and where images and recordings stand among them."""

    ids: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    _parts: list[_Part] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Cells it takes in a context."""
        return len(self.ids) + sum(span.clip.rows - len(span.clip.ids) for span in self.spans)

    @property
    def words(self) -> list[int]:
        """The tokens that the vocabulary has."""
        return [token for token in self.ids if token >= 0] if self.spans else self.ids

    def add_text(self, text: str, tokens: Sequence[int]) -> None:
        """Append a part of the text."""
        self._add(_Part(text, tokens, is_file=False))

    def add_file(self, marker: str, file: MediaFile) -> None:
        """Append a file that stands where the marker is."""
        tokens: list[int] = []
        for piece in file.pieces:
            if isinstance(piece, Clip):
                self.spans.append(Span(len(self.ids) + len(tokens), piece, file))
            tokens += piece.ids if isinstance(piece, Clip) else piece
        self._add(_Part(marker, tokens, is_file=True))

    def _add(self, part: _Part) -> None:
        self.ids += part.tokens
        self._parts.append(part)

    def ends(self, ends_of: Callable[[str, Sequence[int]], Sequence[int]]) -> list[int]:
        """For each token the byte of the rendered text that it ends at; `ends_of` says it of the
        tokens of a part. No place within a file is an end."""
        ends: list[int] = []
        start = 0
        for part in self._parts:
            stop = start + len(part.text.encode())
            if part.is_file:
                ends += [stop] * len(part.tokens)
            else:
                ends += [start + end for end in ends_of(part.text, part.tokens)]
            start = stop
        return ends


class Tokenizer(Protocol):
    """What a model's vocabulary makes of a text."""

    def tokenize(self, text: str) -> list[int]:
        """Of a whole prompt, or its beginning."""

    def tokenize_part(self, text: str) -> list[int]:
        """Of a text in the middle of a prompt."""


def compose(
    text: str, markers: Markers, files: Sequence[MediaFile], tokenizer: Tokenizer
) -> PromptTokens:
    """The tokens of a rendered chat."""
    prompt = PromptTokens()
    for number, part in enumerate(markers.split(text)):
        if isinstance(part, int):
            prompt.add_file(markers.texts[part], files[part])
        elif not number:
            # May be empty, and still have a token that prompts begin with.
            prompt.add_text(part, tokenizer.tokenize(part))
        elif part:
            prompt.add_text(part, tokenizer.tokenize_part(part))
    return prompt
