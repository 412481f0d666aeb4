"""Which projector a model has: a GGUF beside it that turns images or sound into embeddings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from kronk.shared.errors import KronkError
from kronk.shared.gguf import Header

from .walk import PROJECTOR, is_model_name

_TYPE = re.compile(r"[-_.]?(f16|bf16|q8_0|f32|q\d\w*|iq\d\w*)$", re.IGNORECASE)
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
# Best first. f16 is what projectors are published in; more is of no use, and less loses detail.
_TYPES = ("f16", "bf16", "q8_0", "f32")
# Names that say nothing of the model.
_ANY = ("", "model")


def is_projector(header: Header) -> bool:
    """Whether a GGUF is a projector, and no model."""
    return header.metadata.get("general.architecture") == "clip"


def beside(model: Path, read: Callable[[Path], Header]) -> Path | None:
    """The projector in the model's folder that is the model's, if there is one; `read` reads the
    headers of those that may be."""
    try:
        names = sorted(path.name for path in model.parent.iterdir())
    except OSError:
        return None
    ggufs = [name for name in names if name.lower().endswith(".gguf")]
    models = {_base(name) for name in ggufs if is_model_name(name)}
    others = [name for name in ggufs if not is_model_name(name)]
    for name in rank(model.name, others, is_only=len(models) <= 1):
        path = model.parent / name
        if _is_sound(path, read):
            return path
    return None


def rank(model: str, projectors: Iterable[str], *, is_only: bool) -> list[str]:
    """The projectors that may be the model's, by their file names, best first.

    One that is named like the model comes before one of no name. One that is named otherwise is
    another model's, unless there is no other model.
    """
    wanted = _base(model)

    def order(name: str) -> tuple[int, int, str] | None:
        base, kind = _parts(name)
        if base in _ANY:
            likeness = 1
        elif wanted.startswith(base) or base.startswith(wanted):
            likeness = -len(base)
        elif is_only:
            likeness = 2
        else:
            return None
        place = _TYPES.index(kind) if kind in _TYPES else len(_TYPES)
        return likeness, place, name

    found = [(place, name) for name in projectors if (place := order(name)) is not None]
    return [name for _, name in sorted(found)]


def _is_sound(path: Path, read: Callable[[Path], Header]) -> bool:
    try:
        return is_projector(read(path))
    except (KronkError, OSError):
        return False


def _base(name: str) -> str:
    """A model's name without what its file's type adds."""
    stem = _SHARD.sub("", name.lower().removesuffix(".gguf"))
    return _TYPE.sub("", stem)


def _parts(projector: str) -> tuple[str, str]:
    """The name of the model it is for, and the type of its weights."""
    stem = projector.lower().removesuffix(".gguf")
    kind = _TYPE.search(stem)
    stem = PROJECTOR.sub("", _TYPE.sub("", stem)).strip("-_.")
    return _base(stem), kind[1] if kind else ""
