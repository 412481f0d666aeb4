"""What of a model-config file a load would stumble over: what its text alone cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kronk.shared.errors import InvalidArgument, KronkError, NotFound
from kronk.shared.gguf import Header
from kronk.shared.model_config import Configs, ModelConfig, Problem
from kronk.shared.paths import BasePath
from kronk.shared.wire.loading import LoadSpec

from . import catalog, index
from .headers import headers_of
from .index import ModelEntry
from .listing import listing
from .resolve import resolve

_TEMPLATES = "tokenizer.chat_template."
# The one that llama.cpp brings along.
_BUILT_IN_TEMPLATE = "chatml"


def warnings(base: BasePath, configs: Configs) -> list[Problem]:
    """Of each model of the file, in the file's order. No file of a model is changed or loaded; of
    its header is read what is needed."""
    known = listing(base, configs)
    found = [*_clashes(known, configs)]
    for model in configs:
        found += _of_model(base, configs, known, model)
    return found


def _clashes(known: list[ModelEntry], configs: Configs) -> Iterator[Problem]:
    try:
        index.check_aliases(known)
    except InvalidArgument as error:
        # The server refuses such a file, too.
        yield Problem("models", error.message.removeprefix("model config: "), None, "aliases")


def _of_model(
    base: BasePath, configs: Configs, known: list[ModelEntry], model: str
) -> Iterator[Problem]:
    named = [entry for entry in known if model in index.names_of(entry)]
    if not named:
        yield _problem(configs, model, None, _absent(base, known, model))
        return
    entry = named[0]
    if not entry.validated:
        yield _problem(configs, model, None, f"cannot be loaded: {entry.reason}")
        return
    config = index.config_of(entry, configs)
    try:
        spec = resolve(base, configs, entry.id)
    except KronkError as error:
        key = "draft_model" if "draft_model" in error.message else None
        yield _problem(configs, model, key, error.message)
        return
    for key, path in _files(config, spec):
        if not path.is_file():
            yield _problem(configs, model, key, f"there is no file {path}")
    yield from _of_header(base, configs, model, entry, config, spec)


def _absent(base: BasePath, known: list[ModelEntry], model: str) -> str:
    name = model.rpartition("/")[0] if "/" in model else model
    for wanted in dict.fromkeys((model.rpartition("/")[2], name.rpartition("/")[2])):
        try:
            entry = catalog.find(catalog.known(base), wanted)
        except KronkError:
            continue
        return f"is not on disk; `kronk catalog pull {entry.id}` fetches it"
    try:
        index.locate(known, model)
    except NotFound as error:
        return f"is not on disk: {error.message}"
    return "is another name of a model, and settings go below its id"


def _files(config: ModelConfig, spec: LoadSpec) -> Iterator[tuple[str, Path]]:
    if spec.template.path is not None:
        is_named = config.chat_template_file is None
        yield "chat_template" if is_named else "chat_template_file", Path(spec.template.path)
    if config.projector is not None and spec.projector is not None:
        yield "projector", Path(spec.projector)
    for adapter in spec.adapters:
        yield "adapters", Path(adapter.path)
    if spec.speculation.draft_path is not None:
        yield "draft_model", Path(spec.speculation.draft_path)


def _of_header(
    base: BasePath,
    configs: Configs,
    model: str,
    entry: ModelEntry,
    config: ModelConfig,
    spec: LoadSpec,
) -> Iterator[Problem]:
    try:
        header = headers_of(base).read(entry.path)
    except KronkError as error:
        yield _problem(configs, model, None, f"cannot be loaded: {error.message}")
        return
    trained = _trained(header)
    window, scaling = config.context_window, config.rope_scaling
    if trained and window and window > trained and scaling in (None, "none"):
        message = (
            f"{window} tokens, where the model was trained for {trained}; `rope_scaling: yarn`"
            " makes more of them usable"
        )
        yield _problem(configs, model, "context_window", message)
    name = config.chat_template
    is_known = name in (None, _BUILT_IN_TEMPLATE) or f"{_TEMPLATES}{name}" in header.metadata
    if not is_known and spec.template.path is None:
        message = f"neither the model nor {base.templates} has a template {name!r}"
        yield _problem(configs, model, "chat_template", message)


def _trained(header: Header) -> int | None:
    architecture = header.metadata.get("general.architecture")
    found = header.metadata.get(f"{architecture}.context_length")
    return found if isinstance(found, int) else None


def _problem(configs: Configs, model: str, key: str | None, message: str) -> Problem:
    where = f"models.{model}" if key is None else f"models.{model}.{key}"
    return Problem(where, message, configs.place(model, key), key, model)
