"""A request that was let in: by whom, and what it has cost when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from kronk.shared.errors import PermissionDenied
from kronk.shared.model_config import ModelConfig
from kronk.shared.security.grants import Grants
from kronk.shared.security.identity import Identity

from .rules import Access

_NO_CONFIGS: Mapping[str, ModelConfig] = {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request came to."""

    status: int | None
    # The code of the error that ended it, also after its start; None when it went well.
    error: str | None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Bill(Protocol):
    """What a request holds while it runs."""

    def settle(self, outcome: Outcome) -> None:
        """Called once."""
        ...


@dataclass(slots=True)
class Admission:
    """One request of one identity. `settle` is called when the answer is over."""

    identity: Identity
    access: Access
    # Go out with the answer.
    headers: Mapping[str, str] = field(default_factory=dict)
    bill: Bill | None = None
    # What the policy leaves of all models, to whomever; None is all of them.
    models: tuple[str, ...] | None = None

    def allows_model(self, name: str, configs: Mapping[str, ModelConfig] = _NO_CONFIGS) -> bool:
        """Whether the identity may use the model of that name, or of what it is an alias of in
        `configs`: by its grants, and by the policy."""
        is_left = self.models is None or _names(Grants(models=self.models), name, configs)
        return is_left and (
            not self.identity.is_limited or allows_model(self.identity, name, configs)
        )

    def check_model(self, name: str, configs: Mapping[str, ModelConfig] = _NO_CONFIGS) -> None:
        """`PermissionDenied` when the identity may not use that model, whether it exists or
        not."""
        if not self.allows_model(name, configs):
            raise PermissionDenied("model not authorized", param="model")

    def check_unload(self) -> None:
        """`PermissionDenied` when the identity may not unload models, which others may be using."""
        if not self.identity.sees_all:
            raise PermissionDenied("only an administrator may unload a model", param="keep_alive")

    def settle(self, outcome: Outcome) -> None:
        """Give back what a failure of ours has cost, and count what it has used. Idempotent."""
        bill, self.bill = self.bill, None
        if bill is not None:
            bill.settle(outcome)


def allows_model(identity: Identity, name: str, configs: Mapping[str, ModelConfig]) -> bool:
    """Whether what is granted names the model: as it was asked for, or as its configuration does
    that has the asked name for an alias."""
    return _names(identity.grants, name, configs)


def _names(grants: Grants, name: str, configs: Mapping[str, ModelConfig]) -> bool:
    wanted = name[:-5] if name.lower().endswith(".gguf") else name
    if grants.models is None or grants.allows_model(name) or grants.allows_model(wanted):
        return True
    return any(
        name in config.aliases and grants.allows_model(key) for key, config in configs.items()
    )
