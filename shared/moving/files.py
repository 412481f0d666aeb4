"""Which files a model on this machine is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kronk.shared.errors import ServerError
from kronk.shared.jobs.kinds import Progress
from kronk.shared.model_config import NO_PROJECTOR, ModelConfig
from kronk.shared.models import facts, index, projectors, verifying, walk
from kronk.shared.models.facts import Rows
from kronk.shared.models.headers import headers_of
from kronk.shared.models.listing import listing
from kronk.shared.models.plan import Role
from kronk.shared.models.walk import Found
from kronk.shared.paths import BasePath


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model. The digest is None where nobody has verified the file as it is."""

    found: Found
    role: Role
    sha256: str | None

    @property
    def path(self) -> Path:
        return self.found.path

    @property
    def relative(self) -> str:
        """Below the models folder."""
        return self.found.name

    @property
    def size_bytes(self) -> int:
        return self.found.size_bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model, the file that is loaded first."""

    id: str
    files: tuple[ModelFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def bundle(base: BasePath, configs: Mapping[str, ModelConfig], model: str) -> Bundle:
    """The model of that id with all its shards and its projector; errors as `index.pick`."""
    entries = listing(base, configs)
    picked = index.pick(entries, model, configs)
    entry = index.locate(entries, model)
    found: list[tuple[Found, Role]] = [
        (file, "shard" if at else "model") for at, file in enumerate(entry.files)
    ]
    projector = _projector(base, picked)
    if projector is not None:
        found.append((projector, "projector"))
    rows = facts.load(base.models)
    return Bundle(
        entry.id, tuple(ModelFile(file, role, _known(file, rows)) for file, role in found)
    )


def _projector(base: BasePath, model: index.ResolvedModel) -> Found | None:
    """None too where it lies outside the models folder: it has no name elsewhere then."""
    named = model.config.projector
    if named == NO_PROJECTOR:
        return None
    path = Path(named) if named else projectors.beside(model.path, headers_of(base).read)
    return next((file for file in walk.find_all(base.models) if file.path == path), None)


def _known(file: Found, rows: Rows) -> str | None:
    row = rows.get(file.name)
    state = facts.state_of(row, file.size_bytes, file.modified_ns)
    return row.sha256 if row is not None and state == "verified" else None


def digested(base: BasePath, model: Bundle, progress: Progress) -> Bundle:
    """With the digests that are not known yet, which takes reading the files; they are known from
    then on. `ServerError` where a file is not what it should be."""
    unknown = [file.found for file in model.files if file.sha256 is None]
    if not unknown:
        return model
    verdicts = verifying.verify(base, unknown, progress, verifying.judged)
    for verdict in verdicts:
        if verdict.result in ("damaged", "unreadable"):
            why = verdict.reason or "it is not the file that was verified when it came"
            raise ServerError(f"{verdict.file}: {why}; `kronk model verify` says more")
    return replace(model, files=_filled(model.files, {one.file: one.sha256 for one in verdicts}))


def _filled(files: Sequence[ModelFile], found: Mapping[str, str | None]) -> tuple[ModelFile, ...]:
    return tuple(replace(file, sha256=file.sha256 or found.get(file.relative)) for file in files)
