"""Names that requests use, and the requests that wait until a name is known to mean a model."""

from __future__ import annotations

# Requests for models whose file is still being looked up.
MOST_WAITING = 1000
# Names that were seen to mean a model; beyond it they are looked up again.
MOST_NAMES = 10_000
# How long a request waits for the models folder to answer.
PATIENCE = 60.0


class LookUps:
    """One look-up per name at a time, whoever asks."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        # Name to the leases that wait for it, with the time of their question.
        self._waiting: dict[str, dict[int, float]] = {}

    def id_of(self, name: str) -> str:
        """What the name meant the last time; the name itself when it was never looked up."""
        return self._ids.get(name, name)

    def forget_names(self) -> None:
        """Each name is to be looked up again."""
        self._ids.clear()

    @property
    def is_full(self) -> bool:
        return sum(len(leases) for leases in self._waiting.values()) >= MOST_WAITING

    def ask(self, name: str, lease: int, now: float) -> bool:
        """Let the lease wait for the name; true when nobody asks for the name already."""
        is_new = name not in self._waiting
        self._waiting.setdefault(name, {})[lease] = now
        return is_new

    def forget(self, name: str, lease: int) -> None:
        """The lease does not wait any more. The look-up goes on."""
        self._waiting[name].pop(lease)

    def forget_all(self) -> list[int]:
        """No lease waits any more; returns those that did."""
        leases = [lease for waiting in self._waiting.values() for lease in waiting]
        for waiting in self._waiting.values():
            waiting.clear()
        return leases

    def answered(self, name: str, model: str | None) -> list[int]:
        """The look-up ended; returns the leases that waited for it, oldest first."""
        if model is not None:
            if len(self._ids) >= MOST_NAMES:
                self._ids.clear()
            self._ids[name] = model
        return list(self._waiting.pop(name, ()))

    def impatient(self, now: float) -> list[int]:
        """Forget and return the leases that have waited for too long."""
        late = [
            (name, lease)
            for name, leases in self._waiting.items()
            for lease, asked in leases.items()
            if now - asked >= PATIENCE
        ]
        for name, lease in late:
            self.forget(name, lease)
        return [lease for _, lease in late]
