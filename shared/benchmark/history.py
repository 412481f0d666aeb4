"""Earlier runs, in a table of the database that any process may write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kronk.shared.database import Database, Table
from kronk.shared.errors import NotFound
from kronk.shared.paths import BasePath

from .report import Report, from_record, to_record

TABLE = "benchmarks"
# Runs that are kept; the oldest goes.
KEPT = 1000
LAST = "last"


class History:
    """Runs by their ids. Blocks for the disk on writes."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, report: Report) -> None:
        """Keep a run."""
        self._table.put(report.id, to_record(report))
        ids = list(self._table.names())
        if extra := ids[:-KEPT]:
            self._table.delete(*extra)

    def __contains__(self, run_id: object) -> bool:
        """Whether there is a run of just that id."""
        return isinstance(run_id, str) and self._table.get(run_id) is not None

    def runs(self, model: str | None = None) -> list[Report]:
        """All runs, or those of a model, the latest first. What cannot be read is left out."""
        found = [from_record(record) for _, record in self._table.items()]
        known = [each for each in found if each is not None]
        return [each for each in reversed(known) if model is None or _is_of(each, model)]

    def find(self, name: str) -> Report:
        """The run of that id, of the only id that begins or ends so, or the `last`; `NotFound`."""
        found = self._id_of(name)
        report = from_record(self._table.get(found) or {})
        if report is None:
            raise NotFound(
                f"the benchmark {found} was made by another version, and cannot be read", param="id"
            )
        return report

    def delete(self, name: str) -> str:
        """Forget a run; its id. `NotFound` when there is none."""
        found = self._id_of(name)
        self._table.delete(found)
        return found

    def _id_of(self, name: str) -> str:
        ids = sorted(self._table.names())
        matches = ids[-1:] if name == LAST else [each for each in ids if each == name]
        if not matches and name:
            matches = [each for each in ids if each.startswith(name) or each.endswith(name)]
        if len(matches) > 1:
            raise NotFound(f"{len(matches)} benchmarks have {name!r} in their id", param="id")
        if not matches:
            raise NotFound(
                f"there is no benchmark {name!r}; `kronk bench history` lists them", param="id"
            )
        return matches[0]

    def before(self, report: Report) -> Report | None:
        """The latest earlier run that asked the same of the same, to its end."""
        earlier = (each for each in self.runs() if each.id < report.id)
        like = (each for each in earlier if each.state == "complete" and each.is_like(report))
        return next(like, None)


@contextmanager
def opened(base: BasePath) -> Iterator[History]:
    """The history of a base path; `ServerError` when its database cannot be opened."""
    database = Database(base.db)
    try:
        yield History(database.table(TABLE))
    finally:
        database.close()


def _is_of(report: Report, model: str) -> bool:
    return any(target.model == model for target in report.targets)
