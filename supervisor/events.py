"""Which event of the fleet a message of a child is."""

from __future__ import annotations

from kronk.shared.errors import from_code
from kronk.shared.wire.codec import Message
from kronk.shared.wire.to_supervisor import (
    Heartbeat,
    LeaseRequest,
    LeaseReturn,
    LoadFailed,
    LoadProgress,
    Manage,
    Ready,
)

from .actions import Action
from .children import AnyChild
from .fleet import Fleet
from .leases import Claim


def apply(fleet: Fleet, now: float, child: AnyChild, message: Message) -> list[Action]:
    """Tell the fleet; returns what follows from it."""
    generation = child.generation
    match message:
        case Heartbeat():
            fleet.heartbeat(now, generation, message.progress, message.busy, message.stats)
        case LeaseRequest():
            claim = Claim(
                message.lease,
                message.ttl,
                message.priority,
                message.purpose,
                message.alone,
                message.again,
                message.wants,
                message.subject,
                message.name,
                message.trace,
            )
            return fleet.lease_requested(now, claim, message.model)
        case Manage():
            return fleet.manage(now, message)
        case LeaseReturn(lease):
            return fleet.lease_returned(now, lease)
        case LoadProgress(phase, fraction):
            return fleet.load_progress(now, generation, phase, fraction)
        case Ready(fitted, taken):
            child.is_loading = False
            return fleet.ready(now, generation, fitted, taken)
        case LoadFailed(code, text, param):
            return fleet.load_failed(now, generation, from_code(code, text, param))
    return []
