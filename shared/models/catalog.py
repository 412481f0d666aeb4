"""The catalog: models that Kronk knows by name, where their files are and what they are for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kronk.shared import model_config
from kronk.shared.errors import InvalidArgument, NotFound
from kronk.shared.paths import BasePath

from . import sources
from .sources import Source

CATEGORIES = (
    "Audio-Text-to-Text",
    "Embedding",
    "Image-Text-to-Text",
    "Reranking",
    "Text-Generation",
)
ENDPOINTS = ("chat_completion", "embeddings", "rerank")
CAPABILITIES = ("audio", "reasoning", "tools", "vision")

# The model that `make run` fetches.
STARTER = "SmolLM2-135M-Instruct.Q4_1"

_PATH = Path(__file__).with_name("catalog.yaml")
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("id", "category", "endpoint", "licence", "description", "folder")
_SHARD = re.compile(r"-00001-of-\d{5}$")


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """One file of a model; digest and size are None where nobody has verified them."""

    source: Source
    sha256: str | None
    size_bytes: int | None

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

    @property
    def size_bytes(self) -> int | None:
        """Of all files; None where one's is unknown."""
        sizes = [file.size_bytes for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


def load(path: Path = _PATH) -> list[CatalogEntry]:
    """All entries, by category and id; `InvalidArgument` names file, entry and key."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidArgument(f"catalog {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"catalog {path}: not YAML: {error}") from error
    return parse(document, f"catalog {path.name}")


def known(base: BasePath) -> list[CatalogEntry]:
    """The entries that a user of this base path sees."""
    return load()


def parse(document: object, where: str) -> list[CatalogEntry]:
    """`load` of a document already read; `where` leads each message."""
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, list):
        raise InvalidArgument(f"{where}: expected a list under the key `models`")
    entries = [_entry(model, f"{where}: models[{at}]") for at, model in enumerate(models)]
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise InvalidArgument(f"{where}: the id {entry.id} occurs twice")
        seen.add(entry.id)
    return sorted(entries, key=lambda entry: (entry.category, entry.id.lower()))


def find(entries: Sequence[CatalogEntry], model_id: str) -> CatalogEntry:
    """The entry of that id; `NotFound` names the nearest."""
    by_name = {entry.id.lower(): entry for entry in entries}
    wanted = model_id.lower()
    if wanted in by_name:
        return by_name[wanted]
    near = [name for name in by_name if wanted in name][:3] if wanted else []
    near = near or difflib.get_close_matches(wanted, by_name, 3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(by_name[name].id for name in near)}?" if near else ""
    raise NotFound(f"the catalog has no model {model_id!r}{hint}", param="id")


def _entry(model: object, where: str) -> CatalogEntry:
    keys = _map(model, (*_TEXTS, "files"), ("capabilities", "config"), where)
    texts = {key: _text(keys[key], f"{where}.{key}") for key in _TEXTS}
    _choice(texts["category"], CATEGORIES, f"{where}.category")
    _choice(texts["endpoint"], ENDPOINTS, f"{where}.endpoint")
    if not _FOLDER.fullmatch(texts["folder"]):
        raise InvalidArgument(
            f"{where}.folder: expected organisation/family, got {texts['folder']!r}"
        )
    capabilities = _list(keys.get("capabilities", []), f"{where}.capabilities")
    for capability in capabilities:
        _choice(capability, CAPABILITIES, f"{where}.capabilities")
    files = _list(keys["files"], f"{where}.files")
    entry = CatalogEntry(
        files=tuple(_file(file, f"{where}.files[{at}]") for at, file in enumerate(files)),
        capabilities=tuple(capabilities),
        config=_config(keys.get("config", {}), f"{where}.config"),
        **texts,
    )
    _check_names(entry, where)
    return entry


def _config(keys: object, where: str) -> Mapping[str, object]:
    """Checked as the model-config file is, and kept as it was written."""
    return model_config.parse_recommended(keys, where)


def _check_names(entry: CatalogEntry, where: str) -> None:
    if not entry.files:
        raise InvalidArgument(f"{where}.files: expected at least one file")
    names = [file.name for file in entry.files]
    if len(set(names)) < len(names):
        raise InvalidArgument(f"{where}.files: two files have the same name")
    stem = _SHARD.sub("", names[0][: -len(".gguf")])
    if stem != entry.id:
        raise InvalidArgument(f"{where}.id: must be the first file's name {stem}, got {entry.id}")


def _file(file: object, where: str) -> CatalogFile:
    keys = _map(file, ("source",), ("sha256", "size_bytes"), where)
    try:
        source = sources.parse(_text(keys["source"], f"{where}.source"))
    except InvalidArgument as error:
        raise InvalidArgument(f"{where}.{error.message}") from error
    sha256, size = keys.get("sha256"), keys.get("size_bytes")
    if sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        raise InvalidArgument(f"{where}.sha256: expected 64 hexadecimal digits, got {sha256!r}")
    if size is not None and (type(size) is not int or size <= 0):
        raise InvalidArgument(f"{where}.size_bytes: expected a number of bytes, got {size!r}")
    return CatalogFile(source, sha256, size)


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
        raise InvalidArgument(f"{where}: expected a line of text, got {value!r}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidArgument(f"{where}: expected a list, got {type(value).__name__}")
    return value


def _choice(value: object, choices: Sequence[str], where: str) -> None:
    if value not in choices:
        raise InvalidArgument(f"{where}: expected one of {', '.join(choices)}, got {value!r}")
