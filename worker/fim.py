"""Fill-in-the-middle: a prompt whose gap the model fills, by the tokens it was trained with."""

from __future__ import annotations

from kronk.shared.errors import InvalidArgument

from .model import Model


def fill_prompt(model: Model, before: str, after: str) -> list[int]:
    """Prefix, suffix, then the middle to write: the order most code models were trained on.

    Raises `InvalidArgument` for a model without such tokens.
    """
    marks = [model.special(name) for name in ("fim_pre", "fim_suf", "fim_mid")]
    if None in marks:
        raise InvalidArgument(
            "'suffix': this model has no fill-in-the-middle tokens, so it cannot fill a gap",
            param="suffix",
        )
    pre, suf, mid = (mark for mark in marks if mark is not None)
    bos = [model.special("bos")] if model.adds_bos else []
    return [
        *(token for token in bos if token is not None),
        pre,
        *model.tokenize_part(before),
        suf,
        *model.tokenize_part(after),
        mid,
    ]
