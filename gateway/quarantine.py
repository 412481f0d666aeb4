"""Requests that are known to kill the process of their model, and are refused for a while.

A request is known by the hash of what the model is asked, without how it samples: text of prompts
is not kept.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import OrderedDict
from typing import Any

from kronk.shared.errors import PromptQuarantined
from kronk.shared.wire.to_worker import Embed, Inspect, Rank, Submit
from kronk.shared.wire.values import Media, Prompt

from .job import Job

# Clients that repeat themselves have given up by then, and a wrong suspicion is forgotten.
LASTS = 600.0
MOST = 1000

# Nothing of the model depends on them, or not what it is asked.
_NOT_ASKED = frozenset({"media", "param", "session", "tool_params"})


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    # As requests call it, and its id.
    names: tuple[str, str]
    cause: str
    until: float


class Quarantine:
    """The refused ones; of too many, those that were not asked for the longest are forgotten."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, job: Job, model: str, cause: str, now: float) -> str:
        """Refuse this from now on; returns the hash it is known by. `model` is the model's id."""
        key = digest(job)
        self._entries[key] = _Entry((job.model, model), cause, now + LASTS)
        self._entries.move_to_end(key)
        if len(self._entries) > MOST:
            self._entries.popitem(last=False)
        return key

    def check(self, job: Job, now: float) -> None:
        """Raise `PromptQuarantined` for what is refused."""
        if not self._entries:
            return
        key = digest(job)
        entry = self._entries.get(key)
        if entry is None:
            return
        if now >= entry.until:
            del self._entries[key]
            return
        self._entries.move_to_end(key)
        raise PromptQuarantined(
            f"this request has ended the process of {entry.names[1]} too often; it is not tried "
            f"again for {entry.until - now:.0f} s: {entry.cause}"
        )

    def clear(self, model: str) -> None:
        """The model was repaired; by its id or the name that requests use."""
        for key in [key for key, entry in self._entries.items() if model in entry.names]:
            del self._entries[key]


def digest(job: Job) -> str:
    """The same for all requests that ask a model for the same."""
    asked, media = _asked(job)
    text = json.dumps([job.model, type(job.ask).__name__, asked], sort_keys=True)
    known = hashlib.sha256(text.encode())
    for one in media:
        known.update(hashlib.sha256(one.data).digest())
    return known.hexdigest()


def _asked(job: Job) -> tuple[Any, tuple[Media, ...]]:
    match job.ask:
        case Submit(prompt=prompt, answer=answer):
            constraint = answer.constraint
            source = None if constraint is None else [constraint.kind, constraint.source]
            return [_plain(prompt), source], prompt.media
        case Inspect(prompt=prompt):
            return _plain(prompt), prompt.media
        case Embed(inputs=inputs):
            return inputs, ()
        case Rank(query=query, documents=documents):
            return [query, documents], ()
        case None:
            return None, ()


def _plain(prompt: Prompt) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(prompt)]
    return {name: getattr(prompt, name) for name in names if name not in _NOT_ASKED}
