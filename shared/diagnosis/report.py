"""Sections of a report: each is looked at by itself, for so long, and may fail by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kronk.shared.errors import KronkError

from .redaction import Redactor

# A list of objects is a table, an object is a list of facts, anything else is itself.
Content = Any


@dataclass(frozen=True, slots=True)
class Look:
    """What to look at. `seconds` is for how long at most; what takes longer is left behind."""

    name: str
    title: str
    find: Callable[[], Content]
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Section:
    """What was found, or why nothing was."""

    name: str
    title: str
    content: Content = None
    failure: str | None = None
    took: float = 0.0


def looked(look: Look, redactor: Redactor) -> Section:
    """What one look finds. It runs in a thread that is not waited for once its time is over."""
    found: list[tuple[Content, str | None]] = []
    began = time.monotonic()
    thread = threading.Thread(target=lambda: found.append(_tried(look)), daemon=True)
    thread.start()
    thread.join(look.seconds)
    took = time.monotonic() - began
    content, failure = found[0] if found else (None, f"not done in {look.seconds:g} s")
    return Section(
        look.name,
        look.title,
        redactor.value(content, look.name),
        redactor.text(failure) if failure is not None else None,
        round(took, 3),
    )


def sections(looks: Iterable[Look], redactor: Redactor) -> Iterator[Section]:
    """One after the other, as they are done."""
    return (looked(look, redactor) for look in looks)


def _tried(look: Look) -> tuple[Content, str | None]:
    try:
        return look.find(), None
    except KronkError as error:
        return None, error.message
    except Exception as error:
        # Whatever is broken here is what the report is for, and must not end the rest of it.
        return None, f"{type(error).__name__}: {error}"
