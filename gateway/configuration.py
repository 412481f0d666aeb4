"""The model configuration that is in force, as the gateway knows it."""

from __future__ import annotations

import asyncio

import structlog

from kronk.shared.errors import InvalidArgument
from kronk.shared.model_config import ModelConfig, parse_file, read_file
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings

log = structlog.get_logger()


class Configuration:
    """Read by routes, replaced whole when the supervisor says so."""

    def __init__(self, settings: Settings, base: BasePath) -> None:
        self._file = settings.model_config_file
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

    def _read(self) -> dict[str, ModelConfig]:
        # What the supervisor took, not what the operator's file says by now.
        in_force = self._base.configuration
        try:
            source = in_force if in_force.exists() else self._file
            return parse_file(read_file(source), self._file)
        except InvalidArgument as error:
            # The supervisor took a good one. One that was spoilt since must not keep a restarted
            # gateway from serving; only variants are missing in its lists.
            log.error("cannot read the model configuration", reason=error.message)
            return {}
