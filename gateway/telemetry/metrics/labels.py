"""Labels whose number is bounded, whatever clients send."""

from __future__ import annotations

from collections import OrderedDict

UNKNOWN = "unknown"
OTHER = "other"
NOBODY = "nobody"
# Who has series of his own; a server with more users than this has them in its records of usage.
MOST_SUBJECTS = 50
# Names by which models were asked for, aliases among them.
_MOST_NAMES = 1000


class ModelNames:
    """Ids of models by the names they were asked for. An id is learned from whom has the model,
    never from a request."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, str] = OrderedDict()

    def learn(self, name: str, model: str) -> None:
        """Who asked for that name was given this model."""
        if self._ids.get(name) != model:
            self._ids[name] = model
            self._ids.setdefault(model, model)
            while len(self._ids) > _MOST_NAMES:
                self._ids.popitem(last=False)

    def label(self, name: str) -> str:
        """The id of the model of that name, as far as is known."""
        return self._ids.get(name, UNKNOWN)


class Subjects:
    """The first so many keep their own labels: a series that changed its meaning with who is
    the most active would be none."""

    def __init__(self, most: int = MOST_SUBJECTS) -> None:
        self._most = most
        self._known: set[str] = set()

    def label(self, subject: str | None) -> str:
        """What to count a subject under."""
        if not subject:
            return NOBODY
        if subject not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(subject)
        return subject
