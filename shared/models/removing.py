"""Takes a model off the disk: its files, what was known of them, and what was kept for it."""

from __future__ import annotations

import contextlib
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kronk.shared.errors import Conflict, InvalidArgument, ServerError
from kronk.shared.files import sync_folder
from kronk.shared.load_spec import cache_folder
from kronk.shared.model_config import ModelConfig
from kronk.shared.paths import BasePath

from . import facts, index, projectors, walk
from .header_cache import HeaderCache
from .headers import headers_of
from .index import ModelEntry
from .walk import Found
from .writers import only_writer


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing a model takes away."""

    id: str
    # Every id that means these files: variants of the configuration too.
    ids: tuple[str, ...]
    files: tuple[Found, ...]

    @property
    def size_bytes(self) -> int:
        """Of the files; a link's file is counted, and stays."""
        return sum(file.size_bytes for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """For an answer."""
        return {
            "model": self.id,
            "files": [str(file.path) for file in self.files],
            "size_bytes": self.size_bytes,
        }


def plan(base: BasePath, configs: Mapping[str, ModelConfig], name: str) -> Removal:
    """What would be removed, and nothing is yet. `NotFound` for a name that means no model,
    `Conflict` where its files are not ours to remove."""
    known = index.scan(base.models, configs)
    entry = index.locate(known, name)
    _check(base, entry)
    ids = tuple(other.id for other in known if other.files == entry.files)
    others = [other for other in known if other.files != entry.files]
    return Removal(entry.id, ids, (*entry.files, *_projector(base, configs, entry, others)))


def remove(base: BasePath, removal: Removal) -> None:
    """Do it. What a crash leaves of it is a model that lacks files, and can be removed again."""
    names = [file.name for file in removal.files]
    with only_writer(base, names):
        # The first file of a split model goes first: nobody loads the rest.
        for file in removal.files:
            try:
                # A link goes, and the file it leads to stays.
                file.path.unlink(missing_ok=True)
            except OSError as error:
                raise ServerError(f"cannot remove {file.path}: {error.strerror}") from error
        _forget(base, removal.files)
    for folder in {file.path.parent for file in removal.files}:
        _prune(base.models, folder)


def _check(base: BasePath, entry: ModelEntry) -> None:
    file = entry.files[0]
    if entry.relative not in (file.relative, file.full_relative):
        of = entry.id.rpartition("/")[0]
        raise InvalidArgument(
            f"{entry.id} is a variant in the model-config file; remove its settings there, or "
            f"remove {of}",
            param="model",
        )
    for file in entry.files:
        if not _is_file(file.path):
            raise Conflict(
                f"{entry.id}: its file cannot be removed by this name ({file.reason}); "
                "move it away by hand"
            )
        folder = file.path.parent
        if not folder.resolve().is_relative_to(base.models.resolve()):
            raise Conflict(
                f"{file.path} lies in {folder.resolve()}, to which a link in the models folder "
                "leads; delete the file there, or the link"
            )


def _is_file(path: Path) -> bool:
    """Whether there is something of that name that can be unlinked."""
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _projector(
    base: BasePath,
    configs: Mapping[str, ModelConfig],
    entry: ModelEntry,
    others: Sequence[ModelEntry],
) -> list[Found]:
    """The projector beside it, where no other model has it."""
    read = headers_of(base).read
    own = projectors.beside(entry.path, read)
    if own is None or _is_configured(own, configs):
        return []
    for other in others:
        if other.path.parent == own.parent and projectors.beside(other.path, read) == own:
            return []
    return [file for file in walk.find_all(base.models) if file.path == own]


def _is_configured(path: Path, configs: Mapping[str, ModelConfig]) -> bool:
    return any(config.projector == str(path) for config in configs.values())


def _forget(base: BasePath, files: Sequence[Found]) -> None:
    """Facts, headers and cached prefixes. None of them is worth an error: they are caches."""
    gone = {file.name for file in files}
    with contextlib.suppress(OSError):
        facts.change(
            base.models, lambda rows: {name: row for name, row in rows.items() if name not in gone}
        )
    headers = HeaderCache(base.headers)
    for file in files:
        headers.forget(file.path)
        shutil.rmtree(cache_folder(base.cache, file.path), ignore_errors=True)


def _prune(models: Path, folder: Path) -> None:
    """Remove folders that have become empty, up to the models folder."""
    with contextlib.suppress(OSError):
        while folder != models and folder.is_relative_to(models):
            folder.rmdir()
            folder = folder.parent
            sync_folder(folder)
