"""Control tokens in grammars that parser families write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

# A string, or a regular expression or comment, in which a quote begins no string.
_LEXEMES = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/(?:[^/\\\n]|\\.)+/|#[^\n]*')
# A shorter one may be text, too.
_SHORTEST = 3


def with_controls(lark: str, controls: Mapping[str, int]) -> str:
    """`lark` with the texts of control tokens in its strings replaced by the tokens.

    As text, such a marker could only be spelled in pieces, as the model never does.
    """
    texts = sorted((text for text in controls if len(text) >= _SHORTEST), key=len, reverse=True)
    if not texts:
        return lark
    marker = re.compile("(" + "|".join(map(re.escape, texts)) + ")")

    def replaced(match: re.Match[str]) -> str:
        lexeme = match[0]
        if not lexeme.startswith('"') or not marker.search(lexeme):
            return lexeme
        parts = marker.split(json.loads(lexeme))
        items = [
            f"<[{controls[part]}]>" if at % 2 else json.dumps(part)
            for at, part in enumerate(parts)
            if part
        ]
        return f"({' '.join(items)})"

    return _LEXEMES.sub(replaced, lark)
