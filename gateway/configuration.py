"""The model configuration that is in force, as the gateway knows it."""

from __future__ import annotations

import asyncio

import structlog

from kronk.shared.config import in_force
from kronk.shared.errors import InvalidArgument
from kronk.shared.model_config import Configs, parse_file
from kronk.shared.models.configured import configured
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings

log = structlog.get_logger()


class Configuration:
    """Read by routes, replaced whole when the supervisor says so."""

    def __init__(self, settings: Settings, base: BasePath) -> None:
        self._settings = settings
        self._base = base
        self._rereading: asyncio.Task[None] | None = None
        self.models = self._read()

    def reread(self) -> None:
        """Take what the supervisor took; `settled` waits for it."""
        self._rereading = asyncio.create_task(self._reread(), name="reread")

    async def settled(self) -> None:
        """Returns when what was to be read last is in force."""
        if self._rereading is not None:
            await asyncio.shield(self._rereading)

    async def _reread(self) -> None:
        self.models = await asyncio.to_thread(self._read)

    def _read(self) -> Configs:
        # What the supervisor took, not what the operator's file and the catalogs say by now.
        named = self._settings.model_config_file
        file = named if named is not None else self._base.model_config
        try:
            if not self._base.configuration.exists():
                return configured(self._settings)
            text, recommended = in_force.decode(self._base.configuration.read_bytes())
            return parse_file(text, file).over(recommended)
        except (InvalidArgument, OSError) as error:
            # The supervisor took a good one. One that was spoilt since must not keep a restarted
            # gateway from serving; only variants are missing in its lists.
            log.error("cannot read the model configuration", reason=str(error))
            return parse_file("", None)
