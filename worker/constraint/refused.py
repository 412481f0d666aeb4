"""Why a keyword cannot be honoured."""

from __future__ import annotations

from kronk.shared.errors import InvalidArgument


class Refused(Exception):
    """Raised inside this package where the path is not known; the walk over the schema makes an
    `InvalidArgument` of it."""

    def __init__(self, keyword: str, reason: str) -> None:
        super().__init__(keyword, reason)
        self.keyword = keyword
        self.reason = reason


class Unsupported(Refused):
    """The keyword may well be right, and says more than can be enforced here."""


class Unenforceable(InvalidArgument):
    """There is nothing wrong with the schema but that it cannot be enforced here."""
