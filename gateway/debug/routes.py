"""What each route of the debug server answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import asdict
from typing import Any, Literal, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from kronk.shared import heap, stacks
from kronk.shared.errors import Conflict, KronkError, Overloaded
from kronk.shared.wire.debugging import Heap

from . import heaps, pages, proc, profiles, pyspy
from .board import EVERY_SECONDS, Board
from .errors import NotPermitted
from .link import DebugLink
from .query import Query
from .stacks import Inspector, Report, text_of
from .targets import Target, Targets

Endpoint = Callable[[Request], Awaitable[Response]]
Result = TypeVar("Result")
# The metrics in the form that an Accept header asks for, and its content type. Called on a thread.
Exposition = Callable[[str], tuple[bytes, str]]

_ALL = "all"
_PROFILE_SECONDS = 30.0
_TRACE_SECONDS = 1.0
_HEAP_SECONDS = 5.0
# Beyond the time it measures: snapshots of a large heap take seconds.
_HEAP_GRACE = 30.0
# People who look at the charts at once, and after how long a browser asks anew, so that who may not
# any more does not.
_MOST_WATCHERS = 8
_WATCH_SECONDS = 300.0

ProfileForm = Literal["flamegraph", "speedscope", "raw", "text", "pprof"]
_PROFILE_FORMS: tuple[ProfileForm, ...] = ("flamegraph", "speedscope", "raw", "text", "pprof")
_TEXT_FORMS: tuple[Literal["text", "json"], ...] = ("text", "json")
# An SVG of py-spy's has its own scripts: they run as if from nowhere, and reach nothing.
_SVG_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "sandbox allow-scripts"
)
_MEDIA = {
    "flamegraph": "image/svg+xml",
    "speedscope": "application/json",
    "raw": "text/plain; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "pprof": "application/octet-stream",
}


class Routes:
    """One per debug server. `ending` is set when the server is to
    end, and with it all that takes long."""

    def __init__(
        self,
        targets: Targets,
        inspector: Inspector,
        link: DebugLink,
        board: Board,
        exposition: Exposition,
        ending: asyncio.Event,
    ) -> None:
        self._targets = targets
        self._inspector = inspector
        self._link = link
        self._board = board
        self._exposition = exposition
        self._ending = ending
        self._profiler = pyspy.Profiler()
        self._watchers = 0

    async def index(self, request: Request) -> Response:
        """What there is to see, of which processes."""
        return pages.index(await self._targets.all())

    async def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        accept = request.headers.get("accept", "")
        text, form = await asyncio.to_thread(self._exposition, accept)
        return Response(text, headers={"Content-Type": form})

    # Stacks.

    async def stacks(self, request: Request) -> Response:
        """What the threads of a process are at; of all of them where none is named."""
        return await self._stacks(request, _ALL)

    async def goroutine(self, request: Request) -> Response:
        """The same, of the gateway where none is named."""
        return await self._stacks(request, "gateway")

    async def _stacks(self, request: Request, default: str) -> Response:
        query = Query(request, "process", "format")
        name, form = query.text("process", default), query.one_of("format", _TEXT_FORMS, "text")
        targets = await self._targets.all() if name == _ALL else [await self._targets.find(name)]
        found = await asyncio.gather(*(self._look(one, name == _ALL) for one in targets))
        if form == "json":
            return JSONResponse({"processes": [_row(one) for one in found]})
        return PlainTextResponse("\n\n".join(_text(one) for one in found))

    async def _look(self, target: Target, is_one_of_many: bool) -> Report | tuple[Target, str]:
        try:
            return await self._inspector.look(target)
        except KronkError as error:
            if not is_one_of_many:
                raise
            return target, error.message

    # Profiles.

    async def profile(self, request: Request) -> Response:
        """Where processor time goes."""
        query = Query(request, "process", "seconds", "format", "native", "idle")
        target = await self._targets.find(query.text("process", "gateway"))
        seconds = query.seconds(_PROFILE_SECONDS, pyspy.MOST_SECONDS)
        default: ProfileForm = "flamegraph"
        if request.headers.get("user-agent", "").startswith("Go-http-client"):
            # `go tool pprof` names no format.
            default = "pprof"
        form = query.one_of("format", _PROFILE_FORMS, default)
        native, idle = query.switch("native"), query.switch("idle")
        return await self._record(request, target, seconds, form, native=native, idle=idle)

    async def trace(self, request: Request) -> Response:
        """What each thread did, in the order of time, waiting included."""
        query = Query(request, "process", "seconds", "native")
        target = await self._targets.find(query.text("process", "gateway"))
        seconds = query.seconds(_TRACE_SECONDS, pyspy.MOST_SECONDS)
        native = query.switch("native")
        return await self._record(request, target, seconds, "speedscope", native=native, idle=True)

    async def _record(
        self,
        request: Request,
        target: Target,
        seconds: float,
        form: ProfileForm,
        *,
        native: bool,
        idle: bool,
    ) -> Response:
        pid = _near(target)
        raw = form in ("text", "pprof")
        made: pyspy.Form = "raw" if form == "text" or form == "pprof" else form
        wish = pyspy.Wish(pid, seconds, made, native=native, idle=idle)
        data = await self._unless_gone(request, self._profiler.record(wish))
        if raw:
            found = profiles.parse(data.decode(errors="replace"))
            if form == "text":
                data = profiles.table(found, pyspy.RATE).encode()
            else:
                data = profiles.pprof(found, pyspy.RATE, seconds)
        headers = {"Content-Type": _MEDIA[form]}
        if form == "flamegraph":
            headers["Content-Security-Policy"] = _SVG_POLICY
        return Response(data, headers=headers)

    # Memory.

    async def heap(self, request: Request) -> Response:
        """What takes memory, and which lines of code took more of it meanwhile."""
        query = Query(request, "process", "seconds", "format")
        target = await self._targets.find(query.text("process", "gateway"))
        seconds = query.seconds(_HEAP_SECONDS, heap.MOST_SECONDS)
        form = query.one_of("format", _TEXT_FORMS, "text")
        found = await self._unless_gone(request, self._measured(target, seconds))
        kernel: dict[str, int] = {}
        if target.pid is not None and target.host is None:
            kernel = await asyncio.to_thread(proc.smaps, target.pid)
        if form == "json":
            return JSONResponse(heaps.document(target, found, kernel))
        return PlainTextResponse(heaps.text(target, found, kernel))

    async def _measured(self, target: Target, seconds: float) -> Heap:
        if target.role == "gateway":
            return await asyncio.to_thread(heap.measure, seconds)
        if target.generation is None:
            raise NotPermitted(
                f"a process for {target.name} cannot be asked about its heap; gateway, supervisor, "
                "spare and models can"
            )
        # It is asked through the supervisor; whoever is stopped would answer when it goes on.
        for one in (target, self._targets.supervisor):
            if one.pid is not None and one.host is None and stacks.is_stopped(one.pid):
                raise Conflict(f"{one.name} is stopped (process {one.pid}) and cannot measure")
        return await self._link.heap(target.generation, seconds, _HEAP_GRACE)

    # Charts.

    async def charts(self, request: Request) -> Response:
        """A page that draws what `events` tells."""
        return pages.page("charts.html")

    async def events(self, request: Request) -> Response:
        """The figures of all processes, each second, as server-sent events."""
        if self._watchers >= _MOST_WATCHERS:
            raise Overloaded("enough people watch already", retry_after=30.0)
        return StreamingResponse(
            self._told(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def _told(self) -> AsyncIterator[bytes]:
        self._watchers += 1
        try:
            for _ in range(int(_WATCH_SECONDS / EVERY_SECONDS)):
                sample = await self._board.sample()
                yield b"data: %s\n\n" % json.dumps(sample, separators=(",", ":")).encode()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_SECONDS):
                        await self._ending.wait()
                        return
        finally:
            self._watchers -= 1

    async def _unless_gone(self, request: Request, work: Coroutine[Any, Any, Result]) -> Result:
        """Do it, unless the client goes away or the server ends: then it is cancelled."""
        task = asyncio.create_task(work, name="work")
        gone = asyncio.create_task(_gone(request), name="gone")
        ending = asyncio.create_task(self._ending.wait(), name="ending")
        try:
            await asyncio.wait({task, gone, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Conflict("the client went away, or the server ends")
            return task.result()
        finally:
            for one in (task, gone, ending):
                one.cancel()
            await asyncio.gather(task, gone, ending, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _near(target: Target) -> int:
    if target.host is not None:
        raise NotPermitted(
            f"{target.name} runs on the worker host {target.host}; "
            f"`py-spy record --pid {target.pid}` there profiles it"
        )
    if target.pid is None:
        raise Conflict(f"{target.name} is just being started")
    return target.pid


def _row(found: Report | tuple[Target, str]) -> dict[str, Any]:
    if isinstance(found, tuple):
        target, why = found
        return {**asdict(target), "error": why}
    row = asdict(found)
    return {**row.pop("target"), **row}


def _text(found: Report | tuple[Target, str]) -> str:
    if isinstance(found, tuple):
        target, why = found
        return f"{target.role} {target.name}, process {target.pid}\n{why}\n"
    return text_of(found)
