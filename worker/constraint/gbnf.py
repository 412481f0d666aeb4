"""llama.cpp's grammars (GBNF) in llguidance's Lark dialect."""

from __future__ import annotations

from llguidance.gbnf_to_lark import gbnf_to_lark

from .refused import Refused


def to_lark(source: str) -> str:
    """Raises `Refused` with the place of what is wrong."""
    try:
        return gbnf_to_lark(source)
    # The converter raises bare ones.
    except Exception as error:
        raise Refused("", str(error)) from None
