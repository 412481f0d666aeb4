"""Which chat template a model is served with: a file's, one of the GGUF's, or ChatML."""

from __future__ import annotations

from pathlib import Path

import jinja2

from kronk.shared.errors import ModelFailed
from kronk.shared.templates import builtin
from kronk.shared.templates.faults import fault_of
from kronk.shared.wire.loading import TemplateSpec

from . import template
from .model import Model


def choose(model: Model, asked: TemplateSpec) -> template.Choice:
    """`ModelFailed` when a template that the configuration names is missing or not Jinja; without
    one, the GGUF's default or ChatML with the reason why."""
    if asked.path is not None:
        path = Path(asked.path)
        return _named(_read(path), "file", f"chat_template_file {path}")
    if asked.name == builtin.NAME:
        return template.compiled(builtin.CHATML, builtin.NAME)
    if asked.name is not None:
        source = model.chat_template(asked.name)
        if source is None:
            known = ", ".join([*model.template_names(), builtin.NAME])
            raise ModelFailed(
                f"chat_template: neither the GGUF nor the folder templates/ has {asked.name!r};"
                f" there is {known}",
                param="model",
            )
        return _named(source, "model", f"chat_template {asked.name}")
    return template.choose(model.chat_template())


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ModelFailed(
            f"chat_template_file {path}: cannot be read: {reason}", param="model"
        ) from error


def _named(source: str, origin: str, where: str) -> template.Choice:
    try:
        return template.compiled(source, origin)
    except jinja2.TemplateSyntaxError as error:
        fault = fault_of(source, error.lineno, error.message or "")
        raise ModelFailed(f"{where} {fault.words}", param="model") from error
