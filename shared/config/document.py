"""The model-config file as a whole: its models, by id, with everything that is wrong at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from kronk.shared.errors import InvalidArgument
from kronk.shared.model_keys import KEYS

from . import marks
from .conflicts import conflicts
from .layers import CATALOG, Effective, Layer, effective
from .marks import Item, Marked
from .model import ModelConfig
from .problems import BadFile, Place, Problem, Report
from .said import Said, is_path
from .said import read as read_keys

# What a catalog recommends of each model, by id and as it was written.
Recommended = Mapping[str, Mapping[str, object]]

_MODELS = "models"
# Anchors may be kept below such keys, as in Compose files.
_EXTENSION = "x-"


class Configs(Mapping[str, ModelConfig]):
    """What the file says of each model, by id; and with the catalog's recommendations below it,
    what each model on disk is to be loaded with."""

    def __init__(self, layers: Mapping[str, Layer], recommended: Mapping[str, Layer]) -> None:
        self._layers = layers
        self._recommended = recommended
        self._models = {model: effective([layer]).config for model, layer in layers.items()}

    def __getitem__(self, model: str) -> ModelConfig:
        return self._models[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def place(self, model: str, key: str | None = None) -> Place | None:
        """Where the file says this of a model, or where the model stands in it."""
        said = self._layers[model].said
        return said.places.get(key or "") or said.place

    def over(self, recommended: Recommended) -> Configs:
        """The same file above these recommendations; one that cannot be read is none."""
        return Configs(
            self._layers,
            {
                model: Layer(CATALOG, _read_recommended(keys, model, lambda problem: None))
                for model, keys in recommended.items()
            },
        )

    def effective(self, names: Iterable[str], file: str) -> Effective:
        """Of the model that the file calls by one of `names`, and the catalog by `file`, which is
        the name of the model's file without its ending."""
        below = self._recommended.get(file)
        own = next((self._layers[name] for name in names if name in self._layers), _NOTHING)
        if below is None:
            return effective([own]) if own is not _NOTHING else _DEFAULTS
        recommended = effective([below]).config.sampling_parameters
        return replace(effective([below, own]), recommended=recommended)


_NOTHING = Layer("", Said())
_DEFAULTS = effective([_NOTHING])


def effective_of(configs: Mapping[str, ModelConfig], names: Iterable[str], file: str) -> Effective:
    """`Configs.effective`; a plain map has neither a catalog nor lines."""
    if isinstance(configs, Configs):
        return configs.effective(names, file)
    config = next((configs[name] for name in names if name in configs), ModelConfig())
    return Effective(config, {})


def load_file(path: Path | None) -> Configs:
    """What the file says, without a catalog; `BadFile` names file, line, model and key."""
    return parse_file(read_file(path), path)


def read_file(path: Path | None) -> str:
    """The file's text, empty without a file; `InvalidArgument` when it cannot be read."""
    if path is None:
        return ""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InvalidArgument(f"model config {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"model config {path}: not YAML: {error}") from error


def parse_file(text: str, path: Path | None) -> Configs:
    """The same of a text that was read from the file at `path` before."""
    if path is None:
        return Configs({}, {})
    configs, problems = examine(text, path)
    if problems:
        raise BadFile(str(path), problems)
    return configs


def examine(text: str, path: Path) -> tuple[Configs, list[Problem]]:
    """What can be had of the file, and all that is wrong with it, from top to bottom."""
    problems: dict[tuple[Place | None, str], Problem] = {}

    def report(problem: Problem) -> None:
        # A map that several models merge is wrong once.
        problems.setdefault((problem.place, problem.message), problem)

    layers = {
        model: Layer(f"file {path.name}", said)
        for model, said in _models(marks.read(text, report), path.absolute().parent, report)
    }
    configs = Configs(layers, {})
    _check_aliases(configs, layers, report)
    return configs, sorted(problems.values(), key=_by_place)


def parse(keys: object, where: str, folder: Path = Path("/")) -> ModelConfig:
    """One model's map of keys; `where` leads each message, relative paths start at `folder`."""

    def report(problem: Problem) -> None:
        raise InvalidArgument(problem.text)

    if not isinstance(keys, dict):
        raise InvalidArgument(f"{where}: expected a map of keys, got {type(keys).__name__}")
    said = read_keys(marks.of(keys), where, folder, report)
    _check(said, where, report)
    return effective([Layer("", said)]).config


def parse_recommended(keys: object, where: str) -> Mapping[str, object]:
    """A catalog's `config` of a model, checked and as it was written. It may say what a model needs
    and not what is the operator's to say: names, residency, paths of this machine."""

    def report(problem: Problem) -> None:
        raise InvalidArgument(problem.text)

    parse(keys, where)
    _read_recommended(keys, where, report)
    assert isinstance(keys, dict)
    return keys


def _read_recommended(keys: object, where: str, report: Report) -> Said:
    said = read_keys(marks.of(keys), where, Path("/"), report)
    refused = {name for name in said.values if KEYS[name].is_operators}
    if is_path(said.values.get("draft_model", "")):
        refused.add("draft_model")
    for name in sorted(refused):
        report(Problem(f"{where}.{name}", "is not for a catalog to say", None, name))
    return said.without(frozenset(refused))


def _models(document: Marked | None, folder: Path, report: Report) -> Iterator[tuple[str, Said]]:
    if document is None or document.value is None:
        return
    if document.items is None:
        report(Problem("", "expected a map with the key `models`", document.place))
        return
    for item in document.items:
        if item.key == _MODELS:
            yield from _listed(item.value, folder, report)
        elif not item.key.startswith(_EXTENSION):
            report(Problem(item.key, _unknown(item), item.place, item.key))


def _unknown(item: Item) -> str:
    if difflib.get_close_matches(item.key.lower(), [_MODELS, "model"], 1):
        return "no such key; did you mean models?"
    return (
        "no such key; settings go below `models`, and maps that are only there to be merged below"
        f" a key such as `x-{item.key.lstrip('.')}`"
    )


def _listed(models: Marked, folder: Path, report: Report) -> Iterator[tuple[str, Said]]:
    if models.value is None:
        return
    if models.items is None:
        report(Problem(_MODELS, "expected a map of models", models.place))
        return
    for item in models.items:
        model, where = item.key, f"{_MODELS}.{item.key}"

        def report_of(problem: Problem, model: str = model) -> None:
            report(replace(problem, model=model))

        said = read_keys(item.value, where, folder, report_of)
        _check(said, where, report_of, item.place)
        yield model, replace(said, place=item.place)


def _check(said: Said, where: str, report: Report, place: Place | None = None) -> None:
    for conflict in conflicts(effective([Layer("", said)]).config):
        key = next((key for key in conflict.keys if key in said.values), conflict.keys[0])
        named = where if conflict.is_of_model else f"{where}.{conflict.keys[0]}"
        at = said.places.get(conflict.keys[0]) or said.places.get(key) or place
        report(Problem(named, conflict.message, at, key))


def _check_aliases(configs: Configs, layers: Mapping[str, Layer], report: Report) -> None:
    """A name means one model. Whether an alias is the id of a file is `index.check_aliases`'s."""
    owners: dict[str, str] = {}
    for model, config in configs.items():
        for alias in config.aliases:
            if alias in configs and alias != model:
                fault = f"{alias!r} is the id of another model of this file"
            elif alias in owners:
                fault = f"{alias!r} is an alias of {owners[alias]} already"
            else:
                owners[alias] = model
                continue
            place = layers[model].said.places.get("aliases")
            where = f"{_MODELS}.{model}.aliases"
            report(Problem(where, fault, place, "aliases", model))


def _by_place(problem: Problem) -> tuple[int, int]:
    place = problem.place
    return (0, 0) if place is None else (place.line, place.column)
