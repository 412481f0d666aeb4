"""The gateway's process."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine

import structlog
import uvloop

from kronk.shared import child, exits, exposure, log, settings, stacks
from kronk.shared.database import Database
from kronk.shared.errors import InvalidArgument, KronkError, Overloaded
from kronk.shared.models.sweep import sweep_of
from kronk.shared.telemetry import statistics_table
from kronk.shared.telemetry.runtime import Meter

from .access.auditing import AuditLog
from .access.build import Access, make_access, make_administration
from .access.live import LiveWatch
from .access.logins import Logins
from .app import make_app
from .batches.files import Files
from .batches.runner import Runner
from .batches.store import Batches
from .benchmarks.runs import Benchmarks
from .configuration import Configuration
from .debug.server import DebugServer, House
from .disk import Disk
from .edge.certificate import Certificate
from .jobs.runner import Runner as JobRunner
from .jobs.secrets import JobSecrets
from .jobs.store import Jobs
from .library.library import make_library
from .link import Link, NoSupervisor
from .live.collector import Collector
from .live.hub import Hub
from .live.latency import RecentLatency
from .mending import mend_all
from .middleware import Activity
from .recovery import Policy
from .responses.store import ResponseStore
from .server import Server, make_server
from .services import Services
from .telemetry.metrics.metrics import Metrics
from .telemetry.statistics import StatisticsKeeper
from .telemetry.telemetry import Telemetry
from .tracing.tracing import Tracing

# How long open streams get to be told why they end when the supervisor is gone.
ORPHAN_SECONDS = 0.7
# Of Python's garbage collector. Its own are for programs that make less: with those it took a
# seventh of the time of short requests.
_GC_THRESHOLD = (2000, 20, 20)
# The kernel's send buffers take what was written last in the meantime.
_FLUSH_SECONDS = 0.05

logger = structlog.get_logger()


def main() -> None:
    """Live from birth to drain."""
    birth = child.read_birth()
    child.die_with_parent(birth.parent, signal.SIGTERM)
    child.raise_oom_score(child.GATEWAY_OOM_SCORE)
    # A loop that hangs is ended by SIGABRT, and says where it hung.
    faulthandler.enable(all_threads=True)
    stacks.offer(birth.run, birth.parent)
    stacks.answer()
    config = settings.from_environment()
    log.configure(process="gateway", level=config.log_level)
    try:
        code = uvloop.run(Process(birth, config).run())
    except NoSupervisor as error:
        logger.error("cannot start", reason=error.message)
        raise SystemExit(exits.NO_SUPERVISOR) from error
    except KronkError as error:
        logger.error("cannot start", reason=error.message)
        is_usage = isinstance(error, InvalidArgument)
        raise SystemExit(exits.USAGE if is_usage else exits.NO_GATEWAY) from error
    raise SystemExit(code)


class Process:
    """Ties the link, the server and the signals together."""

    def __init__(self, birth: child.Birth, config: settings.Settings) -> None:
        self._birth = birth
        self._settings = config
        self._activity = Activity()
        self._telemetry = Telemetry()
        self._meter = Meter()
        self._tracing = Tracing(self._telemetry, config, birth.generation)
        self._configuration = Configuration(config, config.base)
        self._link: Link | None = None
        self._code = exits.OK

    async def run(self) -> int:
        """Serve until drained; returns the exit code."""
        loop = asyncio.get_running_loop()
        listeners = [socket.socket(fileno=handle) for handle in self._birth.listen_fds]
        assert listeners, "the supervisor gives us what to listen on"
        base = self._settings.base
        policy = Policy(self._settings.resume, self._settings.request_crashes)
        link = self._link = Link(
            self._birth,
            base,
            policy,
            self._drain,
            self._configuration.reread,
            self._telemetry,
        )
        child.on_parent_gone(lambda: self._orphaned(loop))
        loop.add_signal_handler(signal.SIGTERM, self._drain)
        # Ctrl-C reaches the whole terminal; the supervisor decides what it means.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        mend_all(base.db, base.files, base.counters)
        database = Database(base.db)
        access = make_access(self._settings, database)
        services = self._services(link, database, access)
        metrics = Metrics(self._telemetry, link, self._activity, self._meter)
        services.jobs.board.observe(metrics.jobs.note)
        certificate = self._certificate()
        server = make_server(
            make_app(services), self._settings, None if certificate is None else certificate.context
        )
        await link.say_hello()
        logger.info("gateway started", generation=self._birth.generation)
        debugging = [socket.socket(fileno=handle) for handle in self._birth.debug_fds]
        names = ([one.getsockname() for one in some] for some in (listeners, debugging))
        for words in exposure.warnings(self._settings, *names):
            logger.warning(words)
        debug = self._debug_server(debugging, link, database, metrics)
        sweep_of(base).start()
        self._tracing.start()
        chores = self._begin_chores(link, services, access, certificate)
        _keep_what_there_is()

        def stop_jobs() -> None:
            services.live.drain()
            services.jobs.board.close()
            services.benchmarks.drain()
            chores["jobs"].cancel()

        stopper = asyncio.create_task(
            self._stop_when_drained(link, server, chores["batches"], stop_jobs), name="stopper"
        )
        try:
            await server.serve(sockets=listeners)
        finally:
            stopper.cancel()
            for chore in chores.values():
                await _end(chore)
            await services.benchmarks.close()
            await services.live.close()
            await services.statistics.write()
            if debug is not None:
                await debug.close()
            await access.close()
            await asyncio.to_thread(services.audit.flush)
            await asyncio.to_thread(self._tracing.close)
            link.close()
        logger.info("gateway stopped")
        return self._code

    def _begin_chores(
        self, link: Link, services: Services, access: Access, certificate: Certificate | None
    ) -> dict[str, asyncio.Task[None]]:
        """What goes on beside requests, in the order in which it ends."""
        chores: dict[str, Coroutine[None, None, None]] = {
            "heart": link.keep_beating(),
            "meter": self._meter.keep_turning(),
            "sweeper": services.responses.keep_swept(),
            "statistics": services.statistics.keep_written(),
            "batches": Runner(services).run(),
            "jobs": JobRunner(services.jobs, self._settings).run(),
            "benchmarks": services.benchmarks.pick_up(),
        }
        if self._settings.mode != "open":
            # Where nobody is asked, nobody's right is ever taken back.
            chores["live"] = LiveWatch(link.exchange, access.control.recheck).run()
        if certificate is not None:
            chores["certificate"] = certificate.keep_current()
        return {name: asyncio.create_task(work, name=name) for name, work in chores.items()}

    def _debug_server(
        self, listeners: list[socket.socket], link: Link, database: Database, metrics: Metrics
    ) -> DebugServer | None:
        self._meter.start(asyncio.get_running_loop())
        if not listeners:
            return None
        house = House(
            self._birth, self._settings, database, self._meter, link.traffic, metrics.answer
        )
        server = DebugServer(listeners, house)
        server.start()
        return server

    def _certificate(self) -> Certificate | None:
        cert, key = self._settings.tls_cert, self._settings.tls_key
        return None if cert is None or key is None else Certificate(cert, key)

    def _services(self, link: Link, database: Database, access: Access) -> Services:
        base = self._settings.base
        files = Files(base.files, database.table("files"))
        batches = Batches(database.table("batches"), files)
        jobs = Jobs(database.table("jobs"), JobSecrets(base.keys / "jobs"))
        latency = RecentLatency()
        self._telemetry.observe(runs=latency.observe)
        collector = Collector(self._settings, link, jobs, batches, latency)
        return Services(
            settings=self._settings,
            base=base,
            configuration=self._configuration,
            link=link,
            activity=self._activity,
            telemetry=self._telemetry,
            statistics=self._statistics(database, link),
            disk=Disk(),
            database=database,
            responses=ResponseStore(database, self._settings.responses_ttl),
            files=files,
            batches=batches,
            benchmarks=Benchmarks(database, self._settings),
            access=access.control,
            sessions=access.sessions,
            logins=Logins(database.table("logins"), access.sessions),
            audit=AuditLog(base),
            administration=make_administration(self._settings, database),
            remote_calls=access.remote_calls,
            counters=access.limits.counters,
            jobs=jobs,
            live=Hub(collector, lambda: self._configuration.models),
            library=make_library(database),
        )

    def _statistics(self, database: Database, link: Link) -> StatisticsKeeper:
        keeper = StatisticsKeeper(database.table(statistics_table.TABLE), link)
        self._telemetry.observe(runs=keeper.run_ended)
        return keeper

    def _drain(self) -> None:
        if self._link is not None:
            self._link.exchange.drain()

    async def _stop_when_drained(
        self,
        link: Link,
        server: Server,
        runner: asyncio.Task[None],
        stop_jobs: Callable[[], None],
    ) -> None:
        exchange = link.exchange
        await exchange.draining_started.wait()
        logger.info("draining", running=len(exchange))
        if self._birth.listen_shared:
            server.stop_listening()
        # They go on with the next start, and are ended while answers still run.
        stop_jobs()
        # Nobody waits for batches; what they were at begins anew with the next start.
        await _end(runner)
        # Zero is no limit; the supervisor has the last word either way.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.shutdown_timeout or None):
                await exchange.drained.wait()
        exchange.end_all(Overloaded("the server was stopped before the answer was complete"))
        server.stop()

    def _orphaned(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the watch's thread: whatever state the loop is in, this process ends."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        # The loop may be through with everything before we are.
        self._code = exits.ORPHANED
        try:
            loop.call_soon_threadsafe(self._end_all)
            time.sleep(_FLUSH_SECONDS)
            while self._activity.count and time.monotonic() < deadline - _FLUSH_SECONDS:
                time.sleep(0.01)
            time.sleep(_FLUSH_SECONDS)
        finally:
            os._exit(exits.ORPHANED)

    def _end_all(self) -> None:
        if self._link is not None:
            self._drain()
            self._link.exchange.end_all(Overloaded("the server was stopped: its supervisor died"))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _keep_what_there_is() -> None:
    """Modules, routes and tables stay for ever: to look through all of them for garbage again and
    again would hold up every stream for tens of milliseconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
