"""Which files of a repository a model is: what is asked for, its shards, and what goes with it.

The rule is that of llama.cpp's `-hf`, made more exact where that takes the first of several:

* A quant matches a file whose name or folder ends in it, in any case: `Q4_K_M` is found in
  `m-Q4_K_M.gguf`, `m.q4_k_m-00001-of-00003.gguf` and `Q4_K_M/m.gguf`. A whole match (`UD-Q4_K_XL`)
  comes before one of its end (`Q4_K_XL`).
* Without a quant: `DEFAULT_QUANTS` in their order, then the first file by name.
* Of several models with that quant the one that is named like the repository, then the first.
* The projector is the nearest one above the model's folder, by `projectors.rank`: f16 first, then
  bf16, q8_0 and f32. A draft model comes along where its name says that it is one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kronk.shared.errors import NotFound

from . import projectors
from .plan import Role
from .walk import PROJECTOR

# What is taken when nobody says: good and small, else exact, else what there is, small first.
DEFAULT_QUANTS = (
    "Q4_K_M",
    "Q8_0",
    "Q4_K_XL",
    "Q4_K_S",
    "Q4_0",
    "MXFP4",
    "Q5_K_M",
    "Q6_K",
    "BF16",
    "F16",
)

_QUANT = re.compile(
    r"(?:^|[-_.])((?:UD[-_])?(?:I?Q\d\w*|TQ\d\w*|BF16|F16|FP16|F32|MXFP4\w*|NVFP4\w*))(?=[-.]|$)",
    re.IGNORECASE,
)
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})", re.DOTALL)
# GGUF files that are no models: statistics for quantising, adapters, test vocabularies.
_OTHER = re.compile(
    r"imatrix|ggml-vocab|(?:^|[-_.])(?:lora|adapter|control[-_]vector|cvector)(?=[-_.]|$)",
    re.IGNORECASE,
)
_DRAFT = re.compile(r"^mtp-|(?:^|[-_.])(?:draft|eagle3?|dflash)(?=[-_.]|$)", re.IGNORECASE)
_MOST_LISTED = 40


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository; digest and size are None where the hub does not say."""

    path: str
    size_bytes: int | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def stem(self) -> str:
        """The name without `.gguf` and a shard's number."""
        split = _SHARD.fullmatch(self.name[:-5])
        return split[1] if split else self.name[:-5]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One file to have, and what for."""

    file: RemoteFile
    role: Role


@dataclass(frozen=True, slots=True)
class Offer:
    """One of the models of a repository, by the quant that asks for it."""

    quant: str
    chosen: tuple[Chosen, ...]

    @property
    def size_bytes(self) -> int | None:
        """Of all its files; None where the hub does not say one's."""
        sizes = [one.file.size_bytes for one in self.chosen]
        return None if None in sizes else sum(size for size in sizes if size is not None)


def by_quant(files: Iterable[RemoteFile], quant: str | None, repo: str) -> list[Chosen]:
    """The model of a repository; `NotFound` lists the quants there are."""
    ggufs = _ggufs(files)
    models = _models(ggufs)
    if not models:
        raise NotFound(_no_model(repo, ggufs), param="source")
    return _with_companions(ggufs, _pick(models, quant, repo))


def by_path(files: Iterable[RemoteFile], path: str, repo: str) -> list[Chosen]:
    """One file of a repository with all that belongs to it; `NotFound` names the nearest."""
    ggufs = _ggufs(files)
    found = file_at(ggufs, path, repo)
    if PROJECTOR.search(found.name[:-5]):
        return [Chosen(found, "projector")]
    return _with_companions(ggufs, found)


def file_at(files: Iterable[RemoteFile], path: str, repo: str) -> RemoteFile:
    """The file alone; `NotFound` names the nearest."""
    ggufs = _ggufs(files)
    found = next((file for file in ggufs if file.path == path), None)
    if found is not None:
        return found
    near = [file.path for file in ggufs if file.name.lower() == _name(path).lower()]
    known = _listed(near or [file.path for file in ggufs])
    raise NotFound(f"{repo} has no file {path}; its GGUF files are {known}", param="source")


def quants(files: Iterable[RemoteFile]) -> list[str]:
    """What can be asked for, sorted."""
    return sorted({quant_of(file) or file.stem for file in _models(_ggufs(files))})


def offers(files: Iterable[RemoteFile], repo: str) -> list[Offer]:
    """What can be asked for with its files, the smallest first; a split model that lacks parts is
    no offer."""
    ggufs = _ggufs(files)
    models = _models(ggufs)
    found = []
    for quant in quants(ggufs):
        with contextlib.suppress(NotFound):
            chosen = _with_companions(ggufs, _pick(models, quant, repo))
            found.append(Offer(quant, tuple(chosen)))
    return sorted(found, key=lambda offer: (offer.size_bytes or 0, offer.quant))


def quant_of(file: RemoteFile) -> str | None:
    """The quant by the file's name, else by its folder's."""
    for text in (file.stem, _name(file.folder)):
        found = _QUANT.findall(text)
        if found:
            return str(found[-1])
    return None


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _ggufs(files: Iterable[RemoteFile]) -> list[RemoteFile]:
    found = [file for file in files if file.name.lower().endswith(".gguf")]
    return sorted(found, key=lambda file: file.path)


def _models(ggufs: Sequence[RemoteFile]) -> list[RemoteFile]:
    """What can be loaded: files and first shards. Drafts only where there is nothing else."""
    possible = [file for file in ggufs if _is_model(file) and _shard_of(file)[0] == 1]
    return [file for file in possible if not _DRAFT.search(file.stem)] or possible


def _is_model(file: RemoteFile) -> bool:
    return not PROJECTOR.search(file.name[:-5]) and not _OTHER.search(file.stem)


def _shard_of(file: RemoteFile) -> tuple[int, int]:
    split = _SHARD.fullmatch(file.name[:-5])
    return (int(split[2]), int(split[3])) if split else (1, 1)


def _pick(models: Sequence[RemoteFile], quant: str | None, repo: str) -> RemoteFile:
    for wanted in DEFAULT_QUANTS if quant is None else (quant,):
        found = _matching(models, wanted)
        if found:
            return min(found, key=lambda file: (not _is_named_like(file, repo), file.path))
    if quant is None:
        return models[0]
    raise NotFound(f"{repo} has no {quant}; it has {_listed(quants(models))}", param="source")


def _matching(models: Sequence[RemoteFile], quant: str) -> list[RemoteFile]:
    wanted = quant.lower()
    exact = [file for file in models if (quant_of(file) or "").lower() == wanted]
    if exact:
        return exact
    # What no list of ours knows is compared as it is: the end of a name, or of a folder.
    end = re.compile(rf"(?:^|[-_.]){re.escape(wanted)}$", re.IGNORECASE)
    texts = {file: (file.stem, _name(file.folder), quant_of(file) or "") for file in models}
    return [file for file in models if any(end.search(text) for text in texts[file])]


def _is_named_like(file: RemoteFile, repo: str) -> bool:
    """Whether it is the repository's own model, where that has others too."""
    own = re.sub(r"[-_.]gguf$", "", repo.rpartition("/")[2], flags=re.IGNORECASE).lower()
    rest = file.stem.lower().removeprefix(own)
    return rest != file.stem.lower() and _QUANT.sub("", rest).strip("-_.") == ""


def _with_companions(ggufs: Sequence[RemoteFile], first: RemoteFile) -> list[Chosen]:
    shards = _shards(ggufs, first)
    chosen = [Chosen(file, "shard" if at else "model") for at, file in enumerate(shards)]
    projector = _projector(ggufs, first)
    draft = _draft(ggufs, first)
    if projector is not None:
        chosen.append(Chosen(projector, "projector"))
    if draft is not None:
        chosen.append(Chosen(draft, "draft"))
    return chosen


def _shards(ggufs: Sequence[RemoteFile], first: RemoteFile) -> list[RemoteFile]:
    """All files of the model that `first` is the first one of."""
    number, count = _shard_of(first)
    if number != 1:
        raise NotFound(
            f"{first.path} is part {number} of a split model; name the first part", param="source"
        )
    group = {
        _shard_of(file)[0]: file
        for file in ggufs
        if (file.folder, file.stem) == (first.folder, first.stem) and _shard_of(file)[1] == count
    }
    missing = next((at for at in range(1, count + 1) if at not in group), None)
    if missing is not None:
        raise NotFound(
            f"{first.path} is split into {count} files, and the repository lacks number {missing}",
            param="source",
        )
    return [group[at] for at in range(1, count + 1)]


def _projector(ggufs: Sequence[RemoteFile], first: RemoteFile) -> RemoteFile | None:
    """Of those in the model's folder or above it the nearest that may be the model's."""
    bases = {_bare(file).lower() for file in _models(ggufs)}
    near: dict[str, list[RemoteFile]] = {}
    for file in ggufs:
        is_above = not file.folder or f"{first.folder}/".startswith(f"{file.folder}/")
        if PROJECTOR.search(file.name[:-5]) and is_above:
            near.setdefault(file.folder, []).append(file)
    for folder in sorted(near, key=len, reverse=True):
        names = {file.name: file for file in near[folder]}
        ranked = projectors.rank(_bare(first), names, is_only=len(bases) <= 1)
        if ranked:
            return names[ranked[0]]
    return None


def _draft(ggufs: Sequence[RemoteFile], first: RemoteFile) -> RemoteFile | None:
    """The draft model that is published with this one, in the same quant if there is one."""
    found = [
        file
        for file in ggufs
        if _is_model(file) and _DRAFT.search(file.stem) and _shard_of(file) == (1, 1)
    ]
    if not found or first in found:
        return None
    wanted = [(quant_of(first) or "").lower(), "q8_0", "q4_0", "bf16", "f16"]

    def order(file: RemoteFile) -> tuple[int, str]:
        quant = (quant_of(file) or "").lower()
        return wanted.index(quant) if quant in wanted else len(wanted), file.path

    return min(found, key=order)


def _bare(file: RemoteFile) -> str:
    """The file's name without its quant, as projectors are named after it."""
    return f"{_QUANT.sub('', file.stem).strip('-_.')}.gguf"


def _no_model(repo: str, ggufs: Sequence[RemoteFile]) -> str:
    if not ggufs:
        return (
            f"{repo} has no GGUF files, which are what Kronk runs; "
            "there is often a repository of the same name with -GGUF"
        )
    return f"{repo} has no model, only {_listed([file.path for file in ggufs])}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more if names else "none"
