"""Which chat template a model would be served with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.shared.gguf import Header
from kronk.shared.model_config import ModelConfig
from kronk.shared.models.headers import headers_of
from kronk.shared.models.resolve import resolve
from kronk.shared.paths import BasePath
from kronk.shared.wire.loading import TemplateSpec

from . import builtin, files, reader

_KEY = "tokenizer.chat_template"
Origin = Literal["model", "file", "folder", "repository", "chatml"]
WORDS: Mapping[Origin, str] = {
    "model": "the GGUF's own",
    "file": "a file",
    "folder": "a file of the folder templates/",
    "repository": "a file of the templates' repository",
    "chatml": "ChatML",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The text, and where it comes from."""

    model: str
    text: str
    origin: Origin
    # Of the file; None where it is in the GGUF, or Kronk's.
    path: str | None
    # By which the GGUF knows it, where that is not its default.
    name: str | None
    # Why it is ChatML and not the model's own.
    reason: str | None
    # How the model writes special tokens.
    special: Mapping[str, str]


def of_model(base: BasePath, configs: Mapping[str, ModelConfig], model: str) -> Chosen:
    """As a load would choose; `ModelFailed` for one that the configuration names and that cannot
    be read, `NotFound` for a name that means no model."""
    spec = resolve(base, configs, model)
    header = headers_of(base).read(Path(spec.path))
    asked = spec.template
    if asked.path is not None:
        return _of_file(base, spec.model, Path(asked.path), header)
    if asked.name == builtin.NAME:
        return _chatml(spec.model, None, header)
    text = _of_gguf(header, asked)
    if text is not None:
        return Chosen(spec.model, text, "model", None, asked.name, None, header.special)
    if asked.name is not None:
        raise ModelFailed(
            f"chat_template: neither the GGUF nor the folder templates/ has {asked.name!r}",
            param="model",
        )
    return _chatml(spec.model, "the GGUF has no chat template", header)


def tried(chosen: Chosen) -> tuple[Chosen, dict[str, Any]]:
    """What `reader.check` says of it. Where the GGUF's own is none that can be used, that is said
    in `reason`, and ChatML stands in as in a load."""
    report = reader.check(chosen.text, chosen.special)
    fault = report["fault"]
    if fault is None or chosen.origin != "model" or chosen.name is not None:
        return chosen, report
    reason = f"the GGUF's chat template {fault['words']}"
    stand_in = Chosen(chosen.model, builtin.CHATML, "chatml", None, None, reason, chosen.special)
    return stand_in, report | {
        key: value
        for key, value in reader.check(stand_in.text, stand_in.special).items()
        if key != "fault"
    }


def as_json(chosen: Chosen) -> dict[str, Any]:
    """For the API and `--json`."""
    return {
        "model": chosen.model,
        "origin": chosen.origin,
        "path": chosen.path,
        "name": chosen.name,
        "reason": chosen.reason,
        "text": chosen.text,
    }


def _of_file(base: BasePath, model: str, path: Path, header: Header) -> Chosen:
    origin: Origin = "file"
    if files.is_fetched(base, path):
        origin = "repository"
    elif path.parent == base.templates:
        origin = "folder"
    return Chosen(model, read(path), origin, str(path), None, None, header.special)


def read(path: Path) -> str:
    """A template's file; `ModelFailed` names it."""
    try:
        with path.open("rb") as file:
            data = file.read(reader.LONGEST_TEMPLATE + 1)
        if len(data) > reader.LONGEST_TEMPLATE:
            raise InvalidArgument(f"{path}: larger than {reader.LONGEST_TEMPLATE} bytes")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ModelFailed(
            f"chat_template_file {path}: cannot be read: {reason}", param="model"
        ) from error


def _of_gguf(header: Header, asked: TemplateSpec) -> str | None:
    key = _KEY if asked.name is None else f"{_KEY}.{asked.name}"
    found = header.metadata.get(key)
    return found if isinstance(found, str) and found.strip() else None


def _chatml(model: str, reason: str | None, header: Header) -> Chosen:
    return Chosen(model, builtin.CHATML, "chatml", None, None, reason, header.special)
