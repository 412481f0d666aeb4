"""One model of the catalog, and how its keys in a YAML file are read."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kronk.shared import model_config
from kronk.shared.errors import InvalidArgument
from kronk.shared.units import parse_size

from . import sources
from .plan import Role
from .sources import Source
from .walk import PROJECTOR

CATEGORIES = (
    "Audio-Text-to-Text",
    "Embedding",
    "Image-Text-to-Text",
    "Reranking",
    "Text-Generation",
)
ENDPOINTS = ("chat_completion", "embeddings", "rerank")
CAPABILITIES = ("audio", "reasoning", "tools", "vision")

_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_QUANTISATION = re.compile(
    r"[-._](?:UD-)?((?:IQ|Q)\d(?:_[0-9A-Z]+)*|MXFP4(?:_MOE)?|BF16|F16|F32)$", re.IGNORECASE
)
_TEXTS = ("id", "category", "endpoint", "licence", "description")
_MORE_TEXTS = ("folder", "parameters", "web_page")
_OPTIONAL = (*_MORE_TEXTS, "capabilities", "config", "context", "gated", "size")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_FIRST_SHARD = re.compile(r"-00001-of-\d{5}$")
_ROLES: tuple[Role, ...] = ("projector", "draft")


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """One file of a model; digest and exact size are None where nobody has verified them."""

    source: Source
    sha256: str | None = None
    # Enforced: a file of any other size is not the model.
    size_bytes: int | None = None
    # What people say it has, for lists and a first look at the disk.
    about_bytes: int | None = None
    role: Role = "model"

    @property
    def name(self) -> str:
        return self.source.file_name


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One model. `id` is the name of its first file, so that the API calls it the same."""

    id: str
    category: str
    endpoint: str
    licence: str
    description: str
    # Below the models folder: organisation/family.
    folder: str
    files: tuple[CatalogFile, ...]
    capabilities: tuple[str, ...] = ()
    # Recommended settings, by the keys of the model-config file.
    config: Mapping[str, object] = field(default_factory=dict)
    # As its makers count them: `8.2B`, `30.5B, 3.3B active`.
    parameters: str | None = None
    # Tokens it was trained for.
    context: int | None = None
    # Its repository asks who fetches it to accept a licence first.
    gated: bool = False
    web_page: str | None = None
    # Of all files, where people only say that.
    about_all_bytes: int | None = None
    # The file of the user's or of a repository that it comes from; None: it came with Kronk.
    origin: str | None = None

    @property
    def size_bytes(self) -> int | None:
        """Of all files; None where one's is not known exactly."""
        return _sum([file.size_bytes for file in self.files])

    @property
    def about_bytes(self) -> int | None:
        """Of all files, exact or not; None where one's is not known at all."""
        found = _sum([file.size_bytes or file.about_bytes for file in self.files])
        return found if found is not None else self.about_all_bytes

    @property
    def quantisation(self) -> str | None:
        """As the name of the file says it."""
        found = _QUANTISATION.search(self.id)
        return found[1].upper() if found else None


def _sum(sizes: Sequence[int | None]) -> int | None:
    return None if None in sizes else sum(size for size in sizes if size is not None)


def parse(document: object, where: str, origin: str | None = None) -> list[CatalogEntry]:
    """The entries of a YAML document, in its order; `InvalidArgument` names entry and key, and
    begins with `where`."""
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, list):
        raise InvalidArgument(f"{where}: expected a list under the key `models`")
    entries = [
        _entry(model, f"{where}: {_called(model, at)}", origin) for at, model in enumerate(models)
    ]
    seen: set[str] = set()
    for entry in entries:
        if entry.id.lower() in seen:
            raise InvalidArgument(f"{where}: the id {entry.id} occurs twice")
        seen.add(entry.id.lower())
    return entries


def _called(model: object, at: int) -> str:
    name = model.get("id") if isinstance(model, dict) else None
    known = isinstance(name, str) and name and name.isprintable() and len(name) < 200
    return f"models[{at}] ({name})" if known else f"models[{at}]"


def _entry(model: object, where: str, origin: str | None) -> CatalogEntry:
    keys = _map(model, (*_TEXTS, "files"), _OPTIONAL, where)
    texts = {key: _text(keys[key], f"{where}.{key}") for key in _TEXTS}
    more = {key: _text(keys[key], f"{where}.{key}") for key in _MORE_TEXTS if key in keys}
    _choice(texts["category"], CATEGORIES, f"{where}.category")
    _choice(texts["endpoint"], ENDPOINTS, f"{where}.endpoint")
    capabilities = _list(keys.get("capabilities", []), f"{where}.capabilities")
    for capability in capabilities:
        _choice(capability, CAPABILITIES, f"{where}.capabilities")
    files = _list(keys["files"], f"{where}.files")
    if not files:
        raise InvalidArgument(f"{where}.files: expected at least one file")
    read = tuple(_file(file, f"{where}.files[{at}]", at) for at, file in enumerate(files))
    folder = more.pop("folder", read[0].source.folder)
    if not _FOLDER.fullmatch(folder):
        raise InvalidArgument(f"{where}.folder: expected organisation/family, got {folder!r}")
    entry = CatalogEntry(
        **texts,
        **more,
        folder=folder,
        files=read,
        capabilities=tuple(capabilities),
        config=_config(keys.get("config", {}), f"{where}.config"),
        context=_count(keys.get("context"), "tokens", f"{where}.context"),
        about_all_bytes=_about(keys.get("size"), f"{where}.size"),
        gated=_truth(keys.get("gated", False), f"{where}.gated"),
        origin=origin,
    )
    _check_names(entry, where)
    return entry


def _config(keys: object, where: str) -> Mapping[str, object]:
    """Checked as the model-config file is, and kept as it was written."""
    return model_config.parse_recommended(keys, where)


def _check_names(entry: CatalogEntry, where: str) -> None:
    if entry.files[0].role != "model":
        raise InvalidArgument(
            f"{where}.files[0]: the first file is the model, and this is a {entry.files[0].role}"
        )
    names = [file.name for file in entry.files]
    if len(set(names)) < len(names):
        raise InvalidArgument(f"{where}.files: two files have the same name")
    stem = _FIRST_SHARD.sub("", names[0][: -len(".gguf")])
    if stem != entry.id:
        raise InvalidArgument(f"{where}.id: must be the first file's name {stem}, got {entry.id}")


def _file(file: object, where: str, at: int) -> CatalogFile:
    keys = _map(file, ("source",), ("sha256", "size_bytes", "size", "role"), where)
    try:
        source = sources.parse(_text(keys["source"], f"{where}.source"))
    except InvalidArgument as error:
        raise InvalidArgument(f"{where}.{error.message}") from error
    sha256 = keys.get("sha256")
    if sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        raise InvalidArgument(
            f"{where}.sha256: expected 64 hexadecimal digits, got {reprlib.repr(sha256)}"
        )
    if "role" in keys:
        _choice(keys["role"], _ROLES, f"{where}.role")
    return CatalogFile(
        source,
        sha256,
        _count(keys.get("size_bytes"), "bytes", f"{where}.size_bytes"),
        _about(keys.get("size"), f"{where}.size"),
        keys.get("role") or _role(source.file_name, at),
    )


def _role(name: str, at: int) -> Role:
    if PROJECTOR.search(name[: -len(".gguf")]):
        return "projector"
    if at == 0:
        return "model"
    return "shard" if _SHARD.search(name[: -len(".gguf")]) else "draft"


def _about(value: object, where: str) -> int | None:
    """Bytes of `about 4.2 GB`."""
    if value is None:
        return None
    text = value.removeprefix("about ") if isinstance(value, str) else ""
    try:
        return parse_size(text)
    except ValueError as error:
        raise InvalidArgument(
            f"{where}: expected a size such as `about 4.2 GB`, got {reprlib.repr(value)}"
        ) from error


def _count(value: object, unit: str, where: str) -> int | None:
    if value is not None and (type(value) is not int or value <= 0):
        raise InvalidArgument(f"{where}: expected a number of {unit}, got {reprlib.repr(value)}")
    return value if isinstance(value, int) else None


def _truth(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgument(f"{where}: expected true or false, got {reprlib.repr(value)}")
    return value


def _map(
    value: object, required: Sequence[str], optional: Sequence[str], where: str
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArgument(f"{where}: expected a map of keys, got {type(value).__name__}")
    for key in required:
        if key not in value:
            raise InvalidArgument(f"{where}.{key}: is missing")
    for key in value:
        if key not in (*required, *optional):
            close = difflib.get_close_matches(str(key), (*required, *optional), 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InvalidArgument(f"{where}.{key}: no such key{hint}")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise InvalidArgument(f"{where}: expected a line of text, got {reprlib.repr(value)}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidArgument(f"{where}: expected a list, got {type(value).__name__}")
    return value


def _choice(value: object, choices: Sequence[str], where: str) -> None:
    if value not in choices:
        raise InvalidArgument(
            f"{where}: expected one of {', '.join(choices)}, got {reprlib.repr(value)}"
        )
