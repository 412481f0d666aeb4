"""With `--ignore-integrity-check=false`: a model is loaded only when its files are known to be what
they should be. What is not known is read whole first, in a thread of its own."""

from __future__ import annotations

from pathlib import Path

import structlog

from kronk.shared.errors import KronkError, ModelFailed
from kronk.shared.gguf import other_shards
from kronk.shared.models import facts
from kronk.shared.models.expected import by_catalog
from kronk.shared.models.facts import Facts, State
from kronk.shared.models.hashing import Tally, digest
from kronk.shared.models.headers import headers_of
from kronk.shared.models.listing import note
from kronk.shared.models.verifying import judged
from kronk.shared.paths import BasePath
from kronk.shared.wire.loading import LoadSpec

log = structlog.get_logger()


class Integrity:
    """`missing` is asked by the thread that looks names up, `verify` by another."""

    def __init__(self, base: BasePath) -> None:
        self._base = base
        # What was found out, should the index not take it.
        self._seen: dict[str, Facts] = {}

    def missing(self, spec: LoadSpec) -> tuple[Path, ...]:
        """The files of a load that have no current evidence; `ModelFailed` names both digests of
        one that is damaged. Files outside the models folder have no evidence, and need none."""
        rows = facts.load(self._base.models)
        missing = []
        for path in self._files(spec):
            name = path.relative_to(self._base.models).as_posix()
            states = [self._state(path, row) for row in (rows.get(name), self._seen.get(name))]
            if "verified" in states:
                continue
            if "damaged" in states:
                row = rows[name] if states[0] == "damaged" else self._seen[name]
                raise ModelFailed(
                    f"model {spec.model} cannot be loaded: {path.name}: {note(row, 'damaged')}",
                    param="model",
                )
            missing.append(path)
        return tuple(missing)

    def verify(self, path: Path) -> None:
        """Read a file whole, and remember what came of it."""
        name = path.relative_to(self._base.models).as_posix()
        size = path.stat().st_size
        log.info("verifying a file before its model is loaded", file=name, bytes=size)
        found = digest(path, Tally("verify", size, lambda phase, done, total: None))
        known = facts.load(self._base.models).get(name)
        row, verdict = judged(name, known, by_catalog(self._base).get(name), found)
        self._seen[name] = row
        log.info("a file was verified", file=name, result=verdict.result, sha256=found.sha256)
        try:
            facts.record(self._base.models, name, row)
        except OSError as error:
            log.warning("the index cannot be written", file=name, reason=error.strerror)

    def _files(self, spec: LoadSpec) -> list[Path]:
        first = Path(spec.path)
        beside = (spec.projector, spec.speculation.draft_path)
        paths = [first, *self._others(first), *(Path(one) for one in beside if one is not None)]
        return [path for path in paths if path.is_relative_to(self._base.models)]

    def _others(self, first: Path) -> list[Path]:
        try:
            return list(other_shards(first, headers_of(self._base).read(first)))
        except KronkError:
            # The worker will say what is wrong with it.
            return []

    def _state(self, path: Path, row: Facts | None) -> State:
        try:
            now = path.stat()
        except OSError:
            return "unknown"
        return facts.state_of(row, now.st_size, now.st_mtime_ns)
