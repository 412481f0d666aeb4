"""What only the debug server has to refuse."""

from __future__ import annotations

from kronk.shared.errors import ServerError


class NotPermitted(ServerError):
    """The system does not let us look into a process, or lacks what it takes; says the remedy."""

    status = 501
    code = "not_permitted"
