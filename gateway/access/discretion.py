"""What errors leave out for who may not know of all models: the names of those of others. Pure."""

from __future__ import annotations

from kronk.shared.errors import KronkError, NotFound, Overloaded
from kronk.shared.security.identity import Identity

# What the supervisor says when other models, which it names, have the memory or the places.
_NO_ROOM = "no room for "
_LONGEST = 100


def discreet(error: KronkError, by: Identity, model: str) -> KronkError:
    """The error as `by` is told it who asked for `model`.

    Somebody whose token grants `team-*` may ask for names that no model has, and what he may have
    meant instead, or what is loaded now, are models that he is not to hear of.
    """
    if by.sees_all:
        return error
    if isinstance(error, NotFound) and error.param == "model":
        shown = model if len(model) <= _LONGEST else f"{model[:_LONGEST]}..."
        return NotFound(f"there is no model {shown!a}", param="model")
    if isinstance(error, Overloaded) and error.message.startswith(_NO_ROOM):
        words = f"no room for {model} now: other models are in use"
        return Overloaded(words, param=error.param, retry_after=error.retry_after)
    return error
