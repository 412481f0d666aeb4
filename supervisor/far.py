"""Where workers of other hosts dial in: addresses, and keys that say who they are."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from kronk.shared import exits
from kronk.shared.paths import BasePath
from kronk.shared.wire.codec import Message
from kronk.shared.worker_hosts import KnownHosts, port_of, server_secret

from .births import FarPlane
from .boot import CannotStart
from .control import Control

log = structlog.get_logger()


class Far:
    """The planes' doors to the network. They stay shut where no worker host is known at the
    start."""

    def __init__(self, base: BasePath) -> None:
        self.known = KnownHosts(base)
        self._file = base.workers_file
        self._secret = server_secret(base) if base.workers_file.exists() else None

    @property
    def is_open(self) -> bool:
        """Whether hosts may dial in."""
        return self._secret is not None

    @property
    def data_address(self) -> str:
        """What a worker is told; it puts the server's own name in the place of the star."""
        return f"tcp://*:{port_of(self.known.now().data)}"

    def plane(self) -> FarPlane | None:
        """What the gateway is told at its birth."""
        return None if self._secret is None else FarPlane(self.known.now().data, self._secret)

    def listen(self, control: Control, on_host: Callable[[str, Message], None]) -> None:
        """Open the control plane's; `CannotStart` when its address is taken."""
        if self._secret is None:
            return
        address = self.known.now().control
        try:
            control.listen_far(
                address, self._secret, lambda key: self.known.now().name_of(key), on_host
            )
        except OSError as error:
            raise CannotStart(
                f"cannot listen on {address} for worker hosts ({self._file}): "
                f"{(error.strerror or str(error)).lower()}",
                exits.ADDRESS_IN_USE,
            ) from error
        log.info("listening for worker hosts", control=address, data=self.known.now().data)
