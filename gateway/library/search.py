"""Finding words in what people have kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BEFORE, _AFTER = 40, 100
_LONGEST_QUERY = 200
_MOST_WORDS = 12
_CUT = "\u2026"


def words_of(query: str | None) -> tuple[str, ...]:
    """What is looked for: a text with all of these in it, anywhere, in whatever case. A phrase in
    quotes is one of them."""
    found = re.findall(r'"([^"]+)"|(\S+)', (query or "")[:_LONGEST_QUERY])
    words = ((phrase or word).strip().strip('"').casefold() for phrase, word in found)
    return tuple(dict.fromkeys(word for word in words if word))[:_MOST_WORDS]


def matches(words: Sequence[str], *texts: str) -> bool:
    """Whether each word is in one of the texts."""
    folded = [text.casefold() for text in texts]
    return all(any(word in text for text in folded) for word in words)


def snippet(words: Sequence[str], text: str) -> str | None:
    """What stands around the first of the words that is in the text; None where none is."""
    for word in words:
        found = re.search(re.escape(word), text, re.IGNORECASE)
        if found is not None:
            start, end = max(found.start() - _BEFORE, 0), found.end() + _AFTER
            around = " ".join(text[start:end].split())
            return (_CUT if start else "") + around + (_CUT if end < len(text) else "")
    return None
