"""A server that is measured: how it is asked, and what it says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import kronk
from kronk.shared.errors import KronkError, NotFound, ServerError
from kronk.shared.libraries.versions import MATCHING
from kronk.shared.models.nearest import hint

from .replies import Failure, Reply
from .report import TargetFacts
from .texts import Guess
from .wires import Cost, Endpoint, Stop, exchange

# A model may take minutes to load, or a long prompt to be read, before the first byte.
_PATIENCE = 900.0
_QUESTION_PATIENCE = 30.0
_CHAT = "/v1/chat/completions"
_TOKENIZE = "/v1/tokenize"
# What makes figures comparable, the most wanted first; a server that refuses some gets fewer.
_WISHES: tuple[dict[str, Any], ...] = (
    {"stream_options": {"include_usage": True}, "ignore_eos": True},
    {"stream_options": {"include_usage": True}},
    {},
)
_REFUSED = (400, 422)
BUNDLED = "bundled"
# Of an answer that nobody wants.
_FEW_TOKENS = 4
# Words of the two prompts that show what a word is in tokens.
_FEW_WORDS, _MANY_WORDS = 20, 220


class Stopped(KronkError):
    """Whoever asked for the benchmark wants it to end; never shown."""

    code = "stopped"


@dataclass(frozen=True, slots=True)
class Target:
    """Who is measured. `url` is what to call the place, None for the local Kronk."""

    name: str
    model: str
    where: Endpoint
    url: str | None = None
    # What is added when it wants to know who asks.
    remedy: str = ""


class Server:
    """One target, while it is measured. Every question raises `Stopped` once `stop` says so."""

    def __init__(self, target: Target, stop: Stop) -> None:
        self.target = target
        self._stop = stop
        self._wishes: dict[str, Any] = _WISHES[0]
        self.name: str | None = None
        self.details: dict[str, Any] = {}

    @property
    def is_kronk(self) -> bool:
        """Known once `introduce` has been called."""
        return bool(self.details)

    @property
    def context(self) -> int | None:
        """Tokens of a request, where the server says so and the model is loaded."""
        fitted = self.details.get("fitted") or {}
        return fitted.get("n_ctx")

    def load(self) -> Reply:
        """Have the model loaded, by a request of a few tokens; `ServerError` or `NotFound` with the
        server's words when it is not answered."""
        for wishes in _WISHES:
            self._wishes = wishes
            ((answer,), _) = self.chats(["Hello!"], _FEW_TOKENS)
            failure = answer.failure
            if failure is None or failure.status not in _REFUSED:
                break
        if failure is not None:
            raise self._error(failure)
        self.name = answer.server
        return answer

    def unload(self) -> None:
        """Of a Kronk: end the model's process when its requests have ended; another server is left
        alone."""
        path = f"/v1/kronk/models/{quote(self.target.model)}"
        if self._ask(path).failure is not None:
            return
        answer = self._ask(f"{path}/unload", {}, patience=_PATIENCE)
        if answer.failure is not None and answer.failure.status != 409:
            raise self._error(answer.failure)

    def introduce(self) -> None:
        """What a Kronk knows about the model; of others nothing."""
        answer = self._ask(f"/v1/kronk/models/{quote(self.target.model)}")
        if answer.failure is None and isinstance(answer.body, dict) and "fitted" in answer.body:
            self.details = answer.body

    def facts(self, *, is_exact: bool, cold_seconds: float | None) -> TargetFacts:
        """All that was found out."""
        fitted = self.details.get("fitted") or {}
        integrity = self.details.get("integrity") or {}
        file = self.details.get("file") or {}
        return TargetFacts(
            self.target.name,
            str(self.details.get("id") or self.target.model),
            self.target.url,
            server=self.name,
            llama=_build(fitted.get("library"), self.name),
            digest=integrity.get("sha256"),
            size_bytes=self.details.get("size_bytes"),
            quantization=file.get("quantization"),
            sizing="exact" if is_exact else "approximate",
            cold_seconds=cold_seconds,
        )

    def chats(self, prompts: Sequence[str], max_tokens: int) -> tuple[list[Reply], Cost]:
        """Stream an answer to each prompt, all at once."""
        bodies = [
            {
                "model": self.target.model,
                "messages": [{"role": "user", "content": prompt}],
                "max_tokens": max_tokens,
                "temperature": 0,
                "stream": True,
                **self._wishes,
            }
            for prompt in prompts
        ]
        where = self.target.where
        found = exchange(
            where,
            [where.request(_CHAT, body) for body in bodies],
            self._stop,
            is_stream=True,
            patience=_PATIENCE,
        )
        if self._stop():
            raise Stopped("stopped")
        return found

    def count(self, text: str) -> int | None:
        """Tokens of a prompt with the template around it; None where the server does not count."""
        messages = [{"role": "user", "content": text}]
        answer = self._ask(_TOKENIZE, {"model": self.target.model, "messages": messages})
        tokens = answer.body.get("tokens") if isinstance(answer.body, dict) else None
        return len(tokens) if isinstance(tokens, list) and tokens else None

    def guess(self) -> Guess:
        """What a word is in tokens, from two prompts that it reads."""
        seen = []
        for words in (_FEW_WORDS, _MANY_WORDS):
            ((answer,), _) = self.chats([" ".join(["water"] * words)], _FEW_TOKENS)
            if answer.prompt_tokens is None:
                return Guess()
            seen.append((words, answer.prompt_tokens))
        return Guess.of(seen[0], seen[1])

    def _ask(self, path: str, body: object = None, patience: float = _QUESTION_PATIENCE) -> Reply:
        where = self.target.where
        request = where.request(path, body)
        ((answer,), _) = exchange(where, [request], self._stop, is_stream=False, patience=patience)
        if self._stop():
            raise Stopped("stopped")
        return answer

    def _error(self, failure: Failure) -> KronkError:
        """In the server's words, with what may have been meant."""
        said = f"{self.target.name}: {failure.message}"
        if failure.code == "connection":
            advice = "start one with `kronk server start`" if self.target.url is None else ""
            advice = advice or "is the server running, and the URL right?"
            return ServerError(f"no server answers at {failure.message}; {advice}")
        if failure.status == 401:
            said += self.target.remedy
        if failure.status != 404:
            return ServerError(said if failure.message else f"{self.target.name}: {failure.code}")
        answer = self._ask("/v1/models")
        rows = answer.body.get("data") if isinstance(answer.body, dict) else None
        names = [str(row.get("id")) for row in rows or () if isinstance(row, dict)]
        if "did you mean" not in failure.message:
            said += hint(self.target.model, names)
        return NotFound(said, param="model")


def _build(library: str | None, server: str | None) -> str | None:
    """Which llama.cpp that is. The one that a Kronk of our version came with is ours, too."""
    if library == BUNDLED and server == f"kronk-{kronk.__version__}":
        return f"{MATCHING} ({BUNDLED})"
    return library
