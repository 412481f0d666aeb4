"""The model configuration that is in force, and how another one takes its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import structlog

from kronk.shared.config import in_force
from kronk.shared.errors import InvalidArgument, KronkError, NotFound, ServerError
from kronk.shared.files import write_atomically
from kronk.shared.model_config import Configs, ModelConfig, Recommended, parse_file, read_file
from kronk.shared.wire.loading import LoadSpec

from .reload import Found

log = structlog.get_logger()

Models = Mapping[str, ModelConfig]


def read_file_again(file: Path | None) -> str:
    """The text of a file that is in force. One without a word is refused: somebody may just be
    writing it, and all models would lose their settings."""
    text = read_file(file)
    if file is not None and not text.strip():
        raise InvalidArgument(
            f"model config {file}: the file is empty; `models:` alone is a file without settings"
        )
    return text


class Configuration:
    """Used by one thread at a time, the one that looks names up.

    What is in force is kept beside the sockets: a gateway that starts later reads it there and not
    from the operator's file, which may have been edited since, and spoilt. Catalogs too.
    """

    def __init__(
        self,
        file: Path | None,
        in_force: Path,
        look_up: Callable[[Models, str], LoadSpec],
        check: Callable[[Models], None] = lambda models: None,
        unused: Callable[[Models], Sequence[str]] = lambda models: (),
        recommended: Callable[[], Recommended] = dict,
        own: Path | None = None,
    ) -> None:
        """Without a `file` that is named there may be one at `own`, now or later. `check` raises
        what is wrong with a configuration beside the models there are, and `unused` has its names
        that none of them has. `recommended` asks the catalogs."""
        self._named, self._own = file, own
        self._in_force = in_force
        self._look_up = look_up
        self._check = check
        self._unused = unused
        self._recommended = recommended
        self._models: Models = {}

    def review(self) -> None:
        """Tell the log which names of the configuration no model has. They may be of models that
        come later, so they are no error."""
        if unused := self._unused(self._models):
            log.warning("the model-config file names models that are not there", models=unused)

    @property
    def preload(self) -> tuple[str, ...]:
        """Models to be loaded when the server starts."""
        return tuple(name for name, config in self._models.items() if config.preload)

    def take(self) -> None:
        """Read the file for the first time; `InvalidArgument` says what is wrong with it."""
        models, kept = self._read(read_file(self._file()))
        self._keep(kept)
        self._models = models

    def resolve(self, name: str) -> LoadSpec:
        """What the name means now."""
        return self._look_up(self._models, name)

    def retake(self, known: Collection[str], loaded: Collection[str] = ()) -> Found:
        """Read the file again. What is raised says why it cannot be had; then nothing has changed.

        A model of `loaded` that only the new configuration cannot load is a reason too; one that it
        does not have is not. What is wrong with a model's own file is left for its next load.
        """
        models, kept = self._read(read_file_again(self._file()))
        found = {name: self._spec(models, name, is_loaded=name in loaded) for name in known}
        specs = {name: spec for name, spec in found.items() if spec is not None}
        self._keep(kept)
        before, self._models = self._models, models
        names = before.keys() | models.keys()
        changed = (name for name in names if before.get(name) != models.get(name))
        return Found(frozenset(changed), specs, frozenset(self.preload))

    def _file(self) -> Path | None:
        if self._named is not None or self._own is None or not self._own.is_file():
            return self._named
        return self._own

    def _read(self, text: str) -> tuple[Configs, bytes]:
        models = parse_file(text, self._named if self._named is not None else self._own)
        self._check(models)
        recommended = self._recommended()
        return models.over(recommended), in_force.encode(text, recommended)

    def _spec(self, models: Models, name: str, *, is_loaded: bool) -> LoadSpec | NotFound | None:
        try:
            return self._look_up(models, name)
        except NotFound as error:
            return error
        except KronkError:
            if is_loaded and self._resolves(name):
                raise
            return None

    def _resolves(self, name: str) -> bool:
        try:
            self.resolve(name)
        except KronkError:
            return False
        return True

    def _keep(self, data: bytes) -> None:
        try:
            write_atomically(self._in_force, data, 0o600)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ServerError(f"cannot write {self._in_force}: {reason}") from error
