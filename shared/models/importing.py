"""Brings a GGUF of this machine into the models folder: complete under its name, or not at all."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kronk.shared.errors import Conflict, InvalidArgument, KronkError
from kronk.shared.jobs.kinds import Progress
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings

from . import facts, names, placing, projectors, walk
from .expected import by_catalog
from .fetching import require_room
from .hashing import Digested, Tally, digest
from .headers import headers_of
from .placing import How
from .verifying import judged
from .writers import IMPORTING, only_writer, partial_path

log = logging.getLogger(__name__)

# What a file's name adds to its model's: the type of its weights.
_TYPE = re.compile(r"[-_.](?:i?q\d\w*|f16|bf16|f32|mxfp4\w*)$", re.IGNORECASE)
# The organisation of models that come from nowhere.
_LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Import:
    """Files and where they go, the one that is loaded first."""

    id: str
    folder: str
    files: tuple[Path, ...]

    def relative(self, file: Path) -> str:
        """Where the file goes, below the models folder."""
        return f"{self.folder}/{file.name}"


def check(settings: Settings, params: Mapping[str, Any]) -> None:
    """What is wrong with the parameters and can be told at once."""
    file, _, _ = _asked(params)
    _parts(file)


def run(settings: Settings, params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Import `params["file"]`, an absolute path on this host, as `params["as"]`, ORG/FAMILY, in the
    way that `params["how"]` says. Tells the model's id, its path and its files."""
    file, folder, how = _asked(params)
    base = settings.base
    asked = plan(base, file, folder)
    placed = bring(base, asked, how, progress)
    first = base.models / asked.relative(asked.files[0])
    rows = facts.load(base.models)
    return {
        "model": asked.id,
        "path": str(first),
        "files": [{"file": name, "how": done} for name, done in placed.items()],
        # Of files that the catalog knows under these names, and knows otherwise.
        "damaged": [name for name in placed if name in rows and rows[name].found is not None],
    }


def plan(base: BasePath, file: Path, folder: str | None) -> Import:
    """The file with the further parts of its model and its projector, each looked at;
    `InvalidArgument` says what is wrong with one."""
    files = [*_parts(file)]
    if file.resolve().is_relative_to(base.models.resolve()):
        raise InvalidArgument(f"file: {_shown(file)} is in the models folder already", param="file")
    for one in files:
        _check(base, one)
    own = projectors.beside(files[0], headers_of(base).read)
    if own is not None:
        files.append(own)
    stem, _, _ = walk.split_name(files[0].stem)
    return Import(stem, folder or f"{_LOCAL}/{_family(stem)}", tuple(files))


def bring(base: BasePath, asked: Import, how: How, progress: Progress) -> dict[str, str]:
    """Have all files in the models folder; in what way each came there. A different file of a name
    is never overwritten."""
    relatives = {asked.relative(file): file for file in asked.files}
    _check_ways(base, relatives)
    with only_writer(base, relatives):
        sizes = {name: file.stat().st_size for name, file in relatives.items()}
        tally = Tally("import", sum(sizes.values()), progress)
        if how == "copy":
            require_room(base.downloads, sum(sizes.values()))
        # The file that makes it a model comes last: until then there is none.
        placed = {
            name: _place(base, name, relatives[name], how, tally) for name in reversed(relatives)
        }
    return {name: placed[name] for name in relatives}


def _asked(params: Mapping[str, Any]) -> tuple[Path, str | None, How]:
    file, folder, how = params.get("file"), params.get("as"), params.get("how", "auto")
    if not isinstance(file, str) or "\0" in file or not Path(file).is_absolute():
        raise InvalidArgument("file: expected an absolute path on the server's host", param="file")
    if folder is not None:
        folder = names.folder(str(folder), "as")
    if how not in placing.WAYS:
        raise InvalidArgument(
            f"how: expected one of {', '.join(placing.WAYS)}, got {how!r:.40}", param="how"
        )
    return Path(file), folder, how


def _parts(file: Path) -> Sequence[Path]:
    """All files of the model, the first one first; named by any of them."""
    if not _is_file(file):
        raise InvalidArgument(f"file: {_shown(file)} is no file", param="file")
    if not walk.is_model_name(file.name):
        words = (
            "is a projector by its name: import its model, and it comes along"
            if file.name.lower().endswith(".gguf")
            else "does not end in .gguf"
        )
        raise InvalidArgument(f"file: {_shown(file)} {words}", param="file")
    if not names.is_relative(file.name):
        raise InvalidArgument(
            f"file: {_shown(file)}: its name is hidden, too long or has bytes that cannot be shown",
            param="file",
        )
    stem, _, shards = walk.split_name(file.stem)
    if shards is None:
        return [file]
    every = [
        file.with_name(f"{stem}-{number:05d}-of-{shards:05d}{file.suffix}")
        for number in range(1, min(shards, walk.MOST_SHARDS) + 1)
    ]
    missing = [part.name for part in every if not _is_file(part)]
    if missing or shards > walk.MOST_SHARDS:
        raise InvalidArgument(
            f"file: {stem} is split into {shards} files and lacks {', '.join(missing[:3])}",
            param="file",
        )
    return every


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError as error:
        # A folder that this user may not enter, or a name longer than any file's.
        words = f"file: {names.shown(str(file)[:200])}: {error.strerror}"
        raise InvalidArgument(words, param="file") from error


def _check(base: BasePath, file: Path) -> None:
    try:
        header = headers_of(base).read(file)
    except KronkError as error:
        raise InvalidArgument(f"file: {names.shown(error.message)}", param="file") from error
    if projectors.is_projector(header):
        raise InvalidArgument(
            f"file: {_shown(file)} is a projector and no model; beside its model, with mmproj in "
            "its name, it comes along",
            param="file",
        )


def _check_ways(base: BasePath, relatives: Mapping[str, Path]) -> None:
    """No link of the models folder may lead what is imported out of it."""
    for name in relatives:
        folder = (base.models / name).parent
        if not folder.resolve().is_relative_to(base.models.resolve()):
            raise InvalidArgument(
                f"as: {folder} is a link that leads out of the models folder", param="as"
            )


def _place(base: BasePath, name: str, source: Path, how: How, tally: Tally) -> str:
    target = base.models / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or target.is_symlink():
        return _same(base, name, source, tally)
    temporary = partial_path(base, name).with_suffix(IMPORTING)
    done = placing.place(source, target, temporary, how, tally)
    _record(base, name, source, done.sha256)
    return done.way


def _same(base: BasePath, name: str, source: Path, tally: Tally) -> str:
    """It was imported before, or the name is another file's."""
    target = base.models / name
    found = digest(source, tally)
    is_same = (
        target.is_file()
        and target.stat().st_size == found.size_bytes
        and digest(target, Tally("verify", found.size_bytes, lambda *_: None)).sha256
        == found.sha256
    )
    if not is_same:
        raise Conflict(f"{target} exists and is another file; --as chooses another folder")
    _record(base, name, source, found.sha256)
    return "there already"


def _record(base: BasePath, name: str, source: Path, sha256: str) -> None:
    state = (base.models / name).stat()
    found = Digested(sha256, state.st_size, state.st_mtime_ns)
    row, _ = judged(name, None, by_catalog(base).get(name), found)
    try:
        facts.record(base.models, name, replace(row, source=row.source or f"file:{_shown(source)}"))
    except OSError as error:
        # The model is there all the same.
        log.warning("the index of %s cannot be written: %s", base.models, error.strerror)


def _family(stem: str) -> str:
    """A folder's name of a model's."""
    bare = re.sub(r"[^A-Za-z0-9_.+-]+", "-", _TYPE.sub("", stem))[:100]
    return bare.lstrip("-+.") or "model"


def _shown(file: Path) -> str:
    return names.shown(str(file))
