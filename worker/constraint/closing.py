"""Bringing a constrained answer to a valid end before its tokens run out."""

from __future__ import annotations

from collections.abc import Sequence

from .matcher import Matcher

# Places in the known ending at which the answer may have gone on.
_NEAR = 32
# Tokens by whose text it is seen first whether an ending begins with them.
_FIRST = 8


class Closer:
    """Decides, token by token, whether an answer must be brought to its end now.

    Invariant: `_ending` ends the answer validly from where it is and, spelled, takes at most
    `_left` tokens. A token is taken only when there is such an ending after it. Usually the known
    ending, or a part of it, still is one; that is checked in a few microseconds.
    """

    def __init__(self, matcher: Matcher, budget: int) -> None:
        """`budget` is the tokens the rest of the answer may have.

        Fewer than the shortest ending takes are for whoever admits a request to refuse; here they
        mean that the answer is cut like any other.
        """
        self._matcher = matcher
        self._left = budget
        ending = matcher.ending()
        fits = ending is not None and matcher.fits(ending, budget)
        self._ending = ending if fits else None
        # What `_next` found for a token, until one is taken. The search has a limit in time and may
        # not find again what it found before; what `refuses` said has to stay true.
        self._found: dict[int, list[int] | None] = {}

    def after(self, token: int) -> list[int] | None:
        """What to do with a sampled token, before the matcher accepts it.

        None: take it. A list, which is not empty: take these tokens instead; they complete the
        answer. Where it is complete already that is a token that ends generation.
        """
        if self._ending is None or self._matcher.is_end(token):
            return None
        ending = self._next(self._ending, token)
        if ending is None:
            return self._closing(self._ending)
        self._ending = ending
        self._left -= 1
        self._found.clear()
        return None

    def refuses(self, token: int) -> bool:
        """Whether `after` would give a list. Changes nothing."""
        if self._ending is None or self._matcher.is_end(token):
            return False
        return self._next(self._ending, token) is None

    def may_be_closing(self, tokens: Sequence[int]) -> bool:
        """Whether these are what `after` would give for a token that it does not take, or the
        beginning of it."""
        known = self._ending
        if known is None or len(tokens) > max(1, len(known)):
            return False
        # The text shows in a few microseconds what spelling a long ending takes a millisecond for.
        if known and not self._matcher.is_spelling(tokens[:_FIRST], known):
            return False
        return list(tokens) == self._closing(known)[: len(tokens)]

    def _closing(self, ending: list[int]) -> list[int]:
        return self._matcher.spelled(ending) or [self._matcher.end]

    def _next(self, known: list[int], token: int) -> list[int] | None:
        """An ending for after `token` that is not too long."""
        if token not in self._found:
            self._found[token] = self._find(known, token)
        return self._found[token]

    def _find(self, known: list[int], token: int) -> list[int] | None:
        left = self._left - 1
        ending = self._remains(known, token)
        if ending is not None and len(ending) <= left:
            return ending
        if ending is not None and self._matcher.fits(ending, left):
            return ending
        after = self._matcher.fork()
        after.accept(token)
        ending = after.ending()
        return ending if ending is not None and after.fits(ending, left) else None

    def _remains(self, known: list[int], token: int) -> list[int] | None:
        """The known ending, or what is left of it after `token`; None when it does not show."""
        # The token was content, was the ending's own beginning, or came out somewhere near it.
        size = self._matcher.size(token)
        for start in (0, size, *range(1, min(len(known), _NEAR))):
            if self._matcher.ends_with([token, *known[start:]]):
                return known[start:]
        return None
