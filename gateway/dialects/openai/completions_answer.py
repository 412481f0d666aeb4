"""OpenAI's Completions answer: from a worker's events to chunks or one object."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from kronk.gateway.dialects.figures import head, timings, usage
from kronk.gateway.dialects.logprobs import finite
from kronk.gateway.dialects.sse import quoted
from kronk.gateway.run import Event
from kronk.shared.errors import Internal
from kronk.shared.wire.to_gateway import Delta, Done, Finished, ScoredDelta, Started
from kronk.shared.wire.values import TokenLogprob

from .chunks import ChoiceChunks, unfinished

_KIND = "text_completion"


class CompletionChunks(ChoiceChunks):
    """The server-sent events of one answer. `openings` has what each choice begins with, `choices`
    how many of them each prompt has."""

    before_text = '"text":'
    after_text = ""

    def __init__(
        self,
        name: str,
        model: str,
        created: int,
        openings: Sequence[str],
        choices: int,
        include_usage: bool,
    ) -> None:
        super().__init__(head(name, _KIND, created, model), len(openings), include_usage)
        self._openings = openings
        self._per_prompt = choices
        self._scores = [LegacyLogprobs() for _ in openings]

    def opening(self) -> bytes:
        """The prompts, where they are echoed."""
        return b"".join([self._text(at, text) for at, text in enumerate(self._openings)])

    def event(self, event: Event) -> bytes:
        """The chunk of one event, which may be empty."""
        match event:
            case Delta(choice=choice, text=text):
                return self._text(choice, text)
            case ScoredDelta(choice=choice, text=text, logprobs=logprobs):
                if not text and not logprobs:
                    return b""
                scores = self._scores[choice].add(logprobs)
                return self._chunk(_choice(choice, text, scores, None))
            case Finished():
                return self._finished(event)
            case Started(choice=first, echo=echo):
                return b"".join(
                    [self._text(at, echo) for at in range(first, first + self._per_prompt)]
                )
        raise _misplaced(event)

    def finish_choice(self, event: Finished) -> dict[str, Any]:
        """The last choice object of a choice."""
        return _choice(event.choice, "", None, event.reason)

    def _text(self, index: int, text: str) -> bytes:
        return f"{self._before[index]}{quoted(text)}{self._after}".encode() if text else b""


class CompletionWhole:
    """Collects the events of all choices. `scored` when log-probabilities were asked for."""

    def __init__(
        self,
        name: str,
        model: str,
        created: int,
        openings: Sequence[str],
        choices: int,
        scored: bool,
    ) -> None:
        self._head = head(name, _KIND, created, model)
        self._texts = [[text] for text in openings]
        self._per_prompt = choices
        self._logprobs: list[list[TokenLogprob]] = [[] for _ in openings]
        self._finished: dict[int, Finished] = {}
        self._scored = scored

    def add(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case Delta(choice=choice, text=text):
                self._texts[choice].append(text)
            case ScoredDelta(choice=choice, text=text, logprobs=logprobs):
                self._texts[choice].append(text)
                self._logprobs[choice] += logprobs
            case Finished(choice=choice):
                self._finished[choice] = event
            case Started(choice=first, echo=echo):
                for texts in self._texts[first : first + self._per_prompt]:
                    texts.append(echo)
            case _:
                raise _misplaced(event)

    def body(self, done: Done) -> dict[str, Any]:
        """The whole answer."""
        choices = [self._choice(index) for index in range(len(self._texts))]
        return {
            **self._head,
            "choices": choices,
            "usage": usage(done),
            "timings": timings(done, len(choices)),
        }

    def _choice(self, index: int) -> dict[str, Any]:
        if index not in self._finished:
            raise unfinished()
        logprobs = LegacyLogprobs().add(self._logprobs[index]) if self._scored else None
        text, reason = "".join(self._texts[index]), self._finished[index].reason
        return _choice(index, text, logprobs, reason)


class LegacyLogprobs:
    """One choice's log-probabilities in the form of this API: four lists side by side."""

    def __init__(self) -> None:
        # Characters so far, in which an unfinished one counts from its last byte on.
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
        """Those of the next tokens."""
        return {
            "tokens": [_token(token.piece) for token in tokens],
            "token_logprobs": [finite(token.logprob) for token in tokens],
            "top_logprobs": [_top(token) for token in tokens],
            "text_offset": [self._advance(token.piece) for token in tokens],
        }

    def _advance(self, piece: bytes) -> int:
        start = self._offset
        self._offset += len(self._decoder.decode(piece))
        return start


def _top(token: TokenLogprob) -> dict[str, float]:
    """The most likely tokens, and the one that was taken."""
    top = {_token(other.piece): finite(other.logprob) for other in token.top}
    return top | {_token(token.piece): finite(token.logprob)}


def _token(piece: bytes) -> str:
    """A token's text; OpenAI's form for a part of a character is its bytes in hexadecimal."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)


def _choice(
    index: int, text: str, logprobs: dict[str, Any] | None, reason: str | None
) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


def _misplaced(event: Event) -> Internal:
    return Internal(f"the model's process answered a completion with {type(event).__name__}")
