"""Ollama's words for fetching a model. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from kronk.shared.models import spelling

from .name import LATEST

SUCCESS = {"status": "success"}
# How Ollama's tools name a repository of the hub; they take its page's address too.
_HUB = re.compile(r"(?:https?://)?((?:hf\.co|huggingface\.co)/[^/:@]+/[^/:@]+(?::[^/:@]+)?)", re.I)


def is_source(model: str) -> bool:
    """Whether it says where it is fetched from. `owner/repo` alone does not: to Ollama's tools
    that is a name of their own registry's."""
    return _HUB.fullmatch(model) is not None or spelling.is_explicit(model)


def wanted(model: str) -> str:
    """What Kronk calls the model that Ollama's tools name so."""
    found = _HUB.fullmatch(model)
    return found[1] if found is not None else model.removesuffix(LATEST)


def digest(target: str) -> str:
    """What clients tell the bars of one pull apart by. Of the name: the files are not known yet."""
    return f"sha256:{hashlib.sha256(target.encode()).hexdigest()}"


def status(target: str, phase: str | None, done: int, total: int | None) -> dict[str, Any]:
    """A line of a pull that runs."""
    if phase is None:
        return {"status": "pulling manifest"}
    name = digest(target)
    words = {
        "download": f"pulling {name.removeprefix('sha256:')[:12]}",
        "verify": "verifying sha256 digest",
    }
    line: dict[str, Any] = {"status": words.get(phase, phase)}
    # Only of what is fetched: clients add up bars.
    if phase == "download" and total is not None:
        line |= {"digest": name, "total": total, "completed": done}
    return line
