"""Bringing a constrained answer to a valid end before its tokens run out."""

from __future__ import annotations

from kronk.shared.errors import InvalidArgument

from .matcher import Matcher

# Places in the known ending at which the answer may have gone on.
_NEAR = 32


class Closer:
    """Decides, token by token, whether an answer must be brought to its end now.

    Invariant: `_ending` ends the answer validly from where it is and, spelled, takes at most
    `_left` tokens. A token is taken only when there is such an ending after it. Usually the known
    ending, or a part of it, still is one; that is checked in a few microseconds.
    """

    def __init__(self, matcher: Matcher, budget: int) -> None:
        """`budget` is the tokens the whole answer may have.

        Raises `InvalidArgument` when they do not suffice for any answer that was found.
        """
        self._matcher = matcher
        self._left = budget
        ending = matcher.ending()
        if ending is None or matcher.fit(ending, budget) is None:
            raise InvalidArgument(
                f"no complete answer was found that takes {budget} tokens or fewer",
                param="max_tokens",
            )
        self._ending = ending

    def after(self, token: int) -> list[int] | None:
        """What to do with a sampled token, before the matcher accepts it.

        None: take it. A list: take these tokens instead; the answer is complete with them.
        """
        if self._matcher.is_end(token):
            return None
        ending = self._next(token)
        if ending is None:
            return self._matcher.fit(self._ending, self._left)
        self._ending = ending
        self._left -= 1
        return None

    def _next(self, token: int) -> list[int] | None:
        """An ending for after `token` that is not too long."""
        left = self._left - 1
        ending = self._known(token)
        if ending is not None and len(ending) <= left:
            return ending
        if ending is not None and self._matcher.fit(ending, left) is not None:
            return ending
        after = self._matcher.fork()
        after.accept(token)
        ending = after.ending()
        return None if ending is None or after.fit(ending, left) is None else ending

    def _known(self, token: int) -> list[int] | None:
        """What is left of the known ending after `token`; None when it does not show."""
        ending = self._ending
        # The token was content, was the ending's own beginning, or came out somewhere near it.
        size = self._matcher.size(token)
        for start in (0, size, *range(1, min(len(ending), _NEAR))):
            if self._matcher.ends_with([token, *ending[start:]]):
                return ending[start:]
        return None
