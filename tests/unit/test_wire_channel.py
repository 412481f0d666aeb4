"""Frames between two real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import zmq

from kronk.shared.errors import WireError
from kronk.shared.wire import to_worker
from kronk.shared.wire.codec import LARGE_FRAME_BYTES, encode
from kronk.shared.wire.sockets import Channel, bind_router, connect_dealer
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Media, Prompt, Sampling


def seeing(size: int) -> Submit:
    """A request with an image of so many bytes."""
    image = Media("image", bytes(range(256)) * (size // 256), "x")
    return Submit(1, "r", Prompt(text="x", media=(image,)), Sampling(), Answer(), None, (), 8)


def unexpected(peer: bytes, error: WireError) -> None:
    raise AssertionError((peer, error))


async def carried(address: str, messages: list[Submit]) -> list[Any]:
    """What a worker reads of what a gateway sends."""
    context: zmq.Context[Any] = zmq.Context()
    arrived: asyncio.Queue[Any] = asyncio.Queue()
    greeted = asyncio.Event()
    gateway = Channel(
        bind_router(context, address), 3, to_worker.DATA, lambda *_: greeted.set(), unexpected
    )
    worker = Channel(
        connect_dealer(context, address, b"worker-7"),
        7,
        to_worker.DATA,
        lambda peer, generation, message: arrived.put_nowait(message),
        unexpected,
    )
    try:
        async with asyncio.timeout(20):
            await worker.send_when_connected(to_worker.Cancel(1))
            await greeted.wait()
            for message in messages:
                gateway.send(message, to=b"worker-7")
            return [await arrived.get() for _ in messages]
    finally:
        gateway.close()
        worker.close()
        context.term()


def test_frames_of_any_size_arrive_whole_and_in_their_order(tmp_path: Path) -> None:
    sizes = (256, 8 * LARGE_FRAME_BYTES, 0, LARGE_FRAME_BYTES, 512)
    messages = [seeing(size) for size in sizes]
    assert asyncio.run(carried(f"ipc://{tmp_path}/s", messages)) == messages


@pytest.mark.parametrize("size", [0, LARGE_FRAME_BYTES])
def test_what_is_encoded_next_leaves_a_frame_as_it_is(size: int) -> None:
    frame = encode(1, [seeing(size)])
    before = bytes(frame)
    encode(2, [seeing(size)])
    assert bytes(frame) == before
    assert to_worker.DATA.decode(frame) == (1, [seeing(size)])
