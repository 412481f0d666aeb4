"""Thinking, told apart from the answer that follows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from .base import Dropped, Parser, Reasoning, Segment, Text
from .marker import SPACE, Markers


@dataclass(frozen=True, slots=True)
class Tags:
    """What stands around a model's thinking."""

    open: str
    close: str
    # What to write to end the thinking, spaced as the model would.
    close_text: str
    # The token that begins the opening tag, where more than that one token belongs to the tag.
    first: str | None = None

    @property
    def markers(self) -> tuple[str, str]:
        """Texts of the control tokens that begin and end the thinking."""
        return self.first or self.open, self.close


TAGS = (
    Tags("<think>", "</think>", "\n</think>\n\n"),
    Tags("[THINK]", "[/THINK]", "[/THINK]"),
    Tags("<seed:think>", "</seed:think>", "</seed:think>"),
    Tags("<|START_THINKING|>", "<|END_THINKING|>", "<|END_THINKING|>"),
    # Gemma 4.
    Tags("<|channel>thought", "<channel|>", "\n<channel|>", first="<|channel>"),
    Tags("<thought>", "</thought>", "\n</thought>\n\n"),
    Tags("<thinking>", "</thinking>", "\n</thinking>\n\n"),
)


def supports_thinking(template: str) -> Tags | None:
    """The tags that this chat template's model thinks between; None if it does not think, or marks
    it in a way of its family's own (Harmony's channels)."""
    return next((tags for tags in TAGS if tags.open in template or tags.close in template), None)


def prompt_opens_thinking(rendered_prompt: str, tags: Tags) -> bool:
    """Whether the prompt ends with the opening tag, so that the answer begins as thinking."""
    return rendered_prompt.rstrip(SPACE).endswith(tags.open)


class Phase(Enum):
    """Where in an answer the text stands."""

    # Nothing but white space or a part of the opening tag has come.
    START = auto()
    THINKING = auto()
    ANSWER = auto()


class ReasoningSplitter:
    """A parser (see `base.Parser`) around the one that reads the answer; without an `inner` one all
    of the answer is text.

    Thinking stands at the beginning of an answer; a tag further on is part of the answer. White
    space inside the tags' edges and behind the closing one is no part of either.
    """

    def __init__(self, inner: Parser | None, tags: Tags, open_at_start: bool) -> None:
        self.problems: list[str] = [] if inner is None else inner.problems
        self.phase = Phase.THINKING if open_at_start else Phase.START
        self.close_text = tags.close_text
        self._inner = inner
        self._tags = tags
        self._close = Markers(tags.close)
        self._held = ""
        # White space that comes next belongs to the tag before it.
        self._behind_tag = open_at_start

    @property
    def is_thinking(self) -> bool:
        """Whether the opening tag has come, here or in the prompt, and the closing one has not."""
        return self.phase is Phase.THINKING

    def feed(self, text: str) -> list[Segment]:
        """See `base.Parser`."""
        return self._advance(text, ended=False)

    def finish(self) -> list[Segment]:
        """See `base.Parser`."""
        segments = self._advance("", ended=True)
        return segments if self._inner is None else segments + self._inner.finish()

    def _advance(self, text: str, ended: bool) -> list[Segment]:
        segments: list[Segment] = []
        text, self._held = self._held + text, ""
        if self.phase is Phase.START:
            text = self._start(text, ended, segments)
        if self.phase is Phase.THINKING:
            text = self._think(text, ended, segments)
        if self.phase is Phase.ANSWER:
            self._answer(text, segments)
        return segments

    # Each takes what it can of the text and returns the rest, if another phase comes next.

    def _start(self, text: str, ended: bool, segments: list[Segment]) -> str:
        begun = text.lstrip(SPACE)
        if begun.startswith(self._tags.open):
            rest = begun.removeprefix(self._tags.open)
            segments.append(Reasoning("", len(text) - len(rest)))
            self.phase, self._behind_tag = Phase.THINKING, True
            return rest
        if ended or not self._tags.open.startswith(begun):
            self.phase = Phase.ANSWER
            return text
        self._held = text
        return ""

    def _think(self, text: str, ended: bool, segments: list[Segment]) -> str:
        text = self._trim(text, segments)
        found = self._close.find(text, ended=ended)
        thought = text[: found.at] if ended and not found.marker else text[: found.at].rstrip(SPACE)
        if thought:
            segments.append(Reasoning(thought, len(thought)))
        if found.marker is None:
            self._held = text[len(thought) :]
            return ""
        end = found.at + len(found.marker)
        segments.append(Reasoning("", end - len(thought)))
        self.phase, self._behind_tag = Phase.ANSWER, True
        return text[end:]

    def _answer(self, text: str, segments: list[Segment]) -> None:
        text = self._trim(text, segments)
        if text and self._inner is not None:
            segments += self._inner.feed(text)
        elif text:
            segments.append(Text(text, len(text)))

    def _trim(self, text: str, segments: list[Segment]) -> str:
        if not self._behind_tag:
            return text
        rest = text.lstrip(SPACE)
        if len(rest) < len(text):
            segments.append(Dropped(len(text) - len(rest)))
        self._behind_tag = not rest
        return rest
