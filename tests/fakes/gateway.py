"""A gateway that passes control messages to and from a test, over the API's inherited socket.

Each line of JSON in is a message for the supervisor: `["LeaseRequest", 1, "model"]`; each line
out is one from it, in the same form.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import socket
import sys
from typing import Any

import zmq

from kronk import __version__
from kronk.shared import exits
from kronk.shared.child import die_with_parent, on_parent_gone, read_birth
from kronk.shared.wire import to_gateway, to_supervisor
from kronk.shared.wire.sockets import GATEWAY_IDENTITY, Channel, connect_dealer
from kronk.shared.wire.values import PROTOCOL


async def live() -> None:
    birth = read_birth()
    die_with_parent(birth.parent, signal.SIGTERM)
    on_parent_gone(lambda: os._exit(exits.ORPHANED))
    if "misled" in sys.argv:
        print("policy_dir: /nope cannot be read", file=sys.stderr)
        raise SystemExit(exits.USAGE)
    if "broken" in sys.argv:
        sys.exit("no module named fastapi")
    clients: list[asyncio.StreamWriter] = []
    early: list[bytes] = []

    def receive(_: bytes, __: int, message: Any) -> None:
        if isinstance(message, to_gateway.Drain) and "stubborn" not in sys.argv:
            os._exit(exits.OK)
        fields = [getattr(message, field.name) for field in dataclasses.fields(message)]
        text = json.dumps([type(message).__name__, *fields], default=dataclasses.asdict)
        for client in clients:
            client.write(text.encode() + b"\n")
        if not clients:
            early.append(text.encode() + b"\n")

    context: zmq.Context[Any] = zmq.Context()
    control = Channel(
        connect_dealer(context, birth.control, GATEWAY_IDENTITY),
        birth.generation,
        to_gateway.CONTROL,
        receive,
        lambda peer, error: sys.exit(error.message),
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.append(writer)
        writer.writelines(early)
        async for line in reader:
            name, *fields = json.loads(line)
            control.send(getattr(to_supervisor, name)(*fields))
        clients.remove(writer)

    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (listen_fd,) = birth.listen_fds
    server = await asyncio.start_server(serve, sock=socket.socket(fileno=listen_fd))
    hello = to_supervisor.Hello("gateway", birth.secret, os.getpid(), PROTOCOL, __version__)
    await control.send_when_connected(hello)
    heart = asyncio.create_task(beat(control))
    await server.serve_forever()
    heart.cancel()


async def beat(control: Channel) -> None:
    while True:
        control.send(to_supervisor.Heartbeat(0, False, None))
        await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(live())
