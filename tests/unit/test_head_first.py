"""An answer's head waits for what follows it, and never for long."""

from __future__ import annotations

import asyncio
from typing import Any

from kronk.gateway.protocol import HeadFirst


class Wire:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def close(self) -> None:
        self.said.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.said


def play(*steps: Any) -> list[Any]:
    """What reaches the wire: bytes are written, None is a turn of the loop, "close" closes."""
    wire: Any = Wire()

    async def scene() -> None:
        head = HeadFirst(wire, asyncio.get_running_loop())
        for step in steps:
            if step is None:
                await asyncio.sleep(0)
            elif step == "close":
                head.close()
            else:
                head.write(step)
        assert head.is_closing() == ("close" in steps)

    asyncio.run(scene())
    said: list[Any] = wire.said
    return said


def test_a_head_leaves_with_the_first_of_its_body() -> None:
    assert play(b"head", b" one", b"two", None) == [b"head one", b"two"]


def test_a_head_that_nothing_follows_leaves_by_itself() -> None:
    assert play(b"head", None, b"late") == [b"head", b"late"]


def test_a_head_whose_client_has_gone_is_not_written() -> None:
    wire: Any = Wire()

    async def scene() -> None:
        head = HeadFirst(wire, asyncio.get_running_loop())
        head.write(b"head")
        wire.close()
        await asyncio.sleep(0)

    asyncio.run(scene())
    assert wire.said == ["closed"]


def test_a_head_leaves_before_its_connection_is_closed() -> None:
    assert play(b"head", "close", None) == [b"head", "closed"]
