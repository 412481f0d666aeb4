"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .grants import Grants

# How it is known: nobody is asked in `open`; `anonymous` has sent nothing where something may be
# sent; a token of ours; a login of the browser; the word of another Kronk.
Via = Literal["open", "anonymous", "token", "session", "delegated"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and what that was granted. Verified: nothing in it is the client's word."""

    # A UUID; None for everybody who is nobody in particular.
    subject: str | None
    name: str | None = None
    admin: bool = False
    grants: Grants = field(default_factory=Grants)
    # The id of the key that signed the token.
    key: str | None = None
    # Seconds since the epoch.
    expires: float | None = None
    via: Via = "token"
    # Which of the browser's logins, while a request of it runs.
    session: str | None = field(default=None, repr=False)

    @property
    def sees_all(self) -> bool:
        """Nothing is kept from it."""
        return self.admin or self.via == "open"

    def sees(self, owner: str | None) -> bool:
        """Whether what belongs to `owner` may be seen; None is nobody's in particular."""
        return self.sees_all or owner == self.subject

    @property
    def is_limited(self) -> bool:
        """Whether its calls, tokens or requests at once are counted against a limit."""
        return self.via in ("token", "delegated") and not self.admin

    @property
    def label(self) -> str:
        """What logs call it."""
        return self.name or self.subject or self.via


OPEN = Identity(None, via="open")
ANONYMOUS = Identity(None, via="anonymous")
