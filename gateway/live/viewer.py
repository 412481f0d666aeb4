"""Who watches, as far as it matters for what is shown: those who may see the same are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kronk.gateway.access.admission import Admission
from kronk.shared.model_config import Configs


@dataclass(frozen=True)
class Viewer:
    """Equal to all others from whom as little is kept."""

    sees_all: bool
    # Patterns of models: what is granted, and what the policy leaves; None is all.
    granted: tuple[str, ...] | None
    left: tuple[str, ...] | None
    admission: Admission = field(compare=False, repr=False)

    @classmethod
    def of(cls, admission: Admission) -> Viewer:
        """Who was let in with that."""
        identity = admission.identity
        granted = identity.grants.models if identity.is_limited else None
        return cls(identity.sees_all, granted, admission.models, admission)

    def may_see(self, model: str, configs: Configs) -> bool:
        """Whether the model is there at all for this one."""
        if self.granted is None and self.left is None:
            return True
        return self.admission.allows_model(model, configs)

    def view(self, state: Mapping[str, Any], configs: Configs) -> Mapping[str, Any]:
        """What there is of the whole state for this one."""
        if self.sees_all and self.left is None:
            return state

        def seen(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [
                row for row in rows if row["model"] is None or self.may_see(row["model"], configs)
            ]

        models = [self._model(row) for row in seen(state["models"])]
        rates = {
            name: rate
            for name, rate in state["throughput"]["models"].items()
            if self.may_see(name, configs)
        }
        return {
            **state,
            "models": models,
            "processes": seen(state["processes"]),
            "queue": [self._queue(row) for row in seen(state["queue"])],
            "throughput": {**state["throughput"], "models": rates},
        }

    def _model(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "slots": [self._anonymous(slot) for slot in row["slots"]]}

    def _queue(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "requests": [self._anonymous(one) for one in row["requests"]]}

    def _anonymous(self, row: dict[str, Any]) -> dict[str, Any]:
        """Whose a request is only administrators see."""
        return row if self.sees_all else {**row, "by": None}
