"""The catalog: models that Kronk knows by name, of its own, of a repository and of the user."""

from __future__ import annotations

import functools
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from kronk.shared.errors import InvalidArgument, NotFound
from kronk.shared.paths import BasePath
from kronk.shared.repositories import folder as repository_folder
from kronk.shared.repositories.limits import LARGEST_FILE, MOST_FILES

from . import catalog_foreign
from .catalog_entry import CAPABILITIES, CATEGORIES, ENDPOINTS, CatalogEntry, CatalogFile, parse
from .nearest import hint

__all__ = ["CAPABILITIES", "CATEGORIES", "ENDPOINTS", "CatalogEntry", "CatalogFile", "parse"]

# The model that `make run` fetches.
STARTER = "SmolLM2-135M-Instruct.Q4_1"

SUFFIXES = (".yaml", ".yml")
# Of values and keys, each counted as often as it is referred to.
_MOST_NODES = 200_000

# A sixth of the time. It would not survive what others may write: a million brackets, say.
_QUICK = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_SHIPPED = sorted(Path(__file__).parent.glob("catalog_*.yaml"))


class _State(NamedTuple):
    """A file, and what is another when it has changed."""

    path: str
    # Not of the fetched repository.
    is_own: bool
    modified_ns: int
    size: int
    inode: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """All entries, by category and id, and what is wrong with the files they come from."""

    entries: tuple[CatalogEntry, ...]
    # A line for each file, or entry, that was passed over.
    faults: tuple[str, ...] = ()


def load(path: Path | None = None) -> list[CatalogEntry]:
    """The entries that come with Kronk, or those of a file, by category and id;
    `InvalidArgument` names file, entry and key."""
    return list(_shipped()) if path is None else _sorted(_read(path, None))


@functools.cache
def _shipped() -> tuple[CatalogEntry, ...]:
    found: list[CatalogEntry] = []
    for path in _SHIPPED:
        document = yaml.load(path.read_bytes(), Loader=_QUICK)
        found += parse(document, f"catalog {path.name}", None)
    return tuple(_sorted(found))


def known(base: BasePath) -> list[CatalogEntry]:
    """The entries that a user of this base path sees."""
    return list(catalog_of(base).entries)


def catalog_of(base: BasePath) -> Catalog:
    """What came with Kronk, in its place what the fetched repository has, in its place what the
    user's own files have. Read again when a file has changed; never raises for the user's files."""
    states = tuple(_states(base))
    with _lock:
        if base.catalog in _known and _known[base.catalog][0] == states:
            return _known[base.catalog][1]
    found = _merged(base.catalog, states)
    with _lock:
        _known[base.catalog] = (states, found)
    return found


_lock = threading.Lock()
_known: dict[Path, tuple[tuple[_State, ...], Catalog]] = {}


def find(entries: Sequence[CatalogEntry], model_id: str) -> CatalogEntry:
    """The entry of that id; `NotFound` names the nearest."""
    by_name = {entry.id.lower(): entry for entry in entries}
    wanted = model_id.lower()
    if wanted in by_name:
        return by_name[wanted]
    near = hint(model_id, (entry.id for entry in entries))
    raise NotFound(f"the catalog has no model {model_id!r}{near}", param="id")


def of_category(entries: Sequence[CatalogEntry], category: str | None) -> list[CatalogEntry]:
    """Those of the categories that have this in their names."""
    if category is None:
        return list(entries)
    wanted = categories(category, "category")
    return [entry for entry in entries if entry.category in wanted]


def categories(text: str, where: str) -> set[str]:
    """The categories that have this in their names, in any case: `image`, `Embedding`;
    `InvalidArgument` begins with `where`."""
    found = {name for name in CATEGORIES if text.lower() in name.lower()}
    if not found or not text:
        raise InvalidArgument(
            f"{where}: expected one of {', '.join(CATEGORIES)} or a part of one, got {text!r:.100}",
            param="category",
        )
    return found


def read_text(text: bytes, where: str, origin: str | None) -> list[CatalogEntry]:
    """The entries of a file's bytes; `InvalidArgument` begins with `where`."""
    found = document(text, where)
    if catalog_foreign.is_foreign(found):
        found = catalog_foreign.translated(found)
    return parse(found, where, origin)


def document(text: bytes, where: str) -> Any:
    """A YAML document of somebody else's: no types but YAML's own, and not too much of it."""
    try:
        found = yaml.safe_load(text.decode())
        _count_nodes(found, {})
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidArgument(f"{where}: not YAML: {error}") from error
    except RecursionError as error:
        raise InvalidArgument(f"{where}: not YAML that can be read: nested too deeply") from error
    return found


def _count_nodes(value: Any, counts: dict[int, int | None]) -> int:
    """With aliases a short text can stand for more than any memory holds."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) in counts:
        count = counts[id(value)]
        if count is None:
            raise ValueError("a value that is part of itself")
        return count
    counts[id(value)] = None
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    total = 1 + sum(_count_nodes(part, counts) for part in parts)
    if total > _MOST_NODES:
        raise ValueError(f"more than {_MOST_NODES} values")
    counts[id(value)] = total
    return total


def _states(base: BasePath) -> Iterator[_State]:
    """Of the fetched repository's files first, then of the user's own, by their names."""
    fetched = repository_folder.current(base.catalog)
    for folder, is_own in ((fetched, False), (base.catalog, True)):
        for path in _catalog_files(folder) if folder is not None else ():
            try:
                now = path.stat()
            except OSError:
                # Gone since its folder was read.
                continue
            yield _State(str(path), is_own, now.st_mtime_ns, now.st_size, now.st_ino)


def _catalog_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and Path(at, name) != folder / repository_folder.NAME
        )
        found += [
            Path(at, name)
            for name in sorted(names)
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
        if len(found) > MOST_FILES:
            break
    return found[:MOST_FILES]


def _merged(folder: Path, states: Sequence[_State]) -> Catalog:
    fetched = repository_folder.current(folder)
    repository = repository_folder.about(folder).get("repository")
    entries = {entry.id.lower(): entry for entry in load()}
    faults: list[str] = []
    own: dict[str, str] = {}
    for state in states:
        path = Path(state.path)
        origin = state.path
        if not state.is_own and fetched is not None and repository:
            origin = f"{repository}: {path.relative_to(fetched)}"
        try:
            read = _read(path, origin)
        except InvalidArgument as error:
            faults.append(error.message)
            continue
        for entry in read:
            name = entry.id.lower()
            if name in own:
                faults.append(
                    f"catalog {state.path}: {entry.id} is in {own[name]} too; this one counts"
                )
            if state.is_own:
                own[name] = state.path
            entries[name] = entry
    return Catalog(tuple(_sorted(entries.values())), tuple(faults))


def _read(path: Path, origin: str | None) -> list[CatalogEntry]:
    where = f"catalog {origin or path.name}"
    try:
        with open(path, "rb", opener=_at_once) as file:
            is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            text = file.read(LARGEST_FILE + 1) if is_file else b""
    except OSError as error:
        raise InvalidArgument(f"{where}: {error.strerror}") from error
    if not is_file:
        raise InvalidArgument(f"{where}: is no file")
    if len(text) > LARGEST_FILE:
        raise InvalidArgument(f"{where}: is larger than {LARGEST_FILE} bytes")
    return read_text(text, where, origin)


def _at_once(path: str, flags: int) -> int:
    # Of a pipe, nobody may ever come to write.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _sorted(entries: Iterable[CatalogEntry]) -> list[CatalogEntry]:
    return sorted(entries, key=lambda entry: (entry.category, entry.id.lower()))
