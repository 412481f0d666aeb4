"""The supervisor's shell: carries out what the fleet and the front decide, and reports back."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import signal
import time
from collections.abc import Mapping
from dataclasses import replace

import structlog

from kronk import __version__
from kronk.shared import exits, stacks
from kronk.shared.errors import KronkError, Overloaded
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings
from kronk.shared.telemetry.runtime import Meter
from kronk.shared.wire import to_gateway
from kronk.shared.wire.codec import Message
from kronk.shared.wire.debugging import HeapTaken, StacksTaken
from kronk.shared.wire.loading import LoadSpec
from kronk.shared.wire.to_supervisor import (
    Heartbeat,
    Hello,
    HistoryRequest,
    LeaseRequest,
    LeaseReturn,
    Reload,
    StatusRequest,
)

from . import address_file, cause, events, health, keeper, load_times, report
from .actions import Action
from .announce import Phase, Situation, Watchdog
from .births import Births, Listening
from .boot import CannotStart
from .cause import Exit
from .children import AnyChild, Children
from .chronicle import Chronicle
from .commands import Commands, Role
from .configuration import Configuration
from .control import Control
from .far import Far
from .fleet import Fleet, Policy
from .front import Front
from .hands import Hands
from .hosts import Hosts
from .inquiries import Inquiries
from .integrity import Integrity
from .keeper import Keeper
from .lease_log import LeaseLog
from .life import Life, Stage
from .log_sink import Sink
from .memory import Memory
from .model_logs import ModelLogs
from .notify import notifier, watchdog_seconds
from .pace import Pace
from .placing import LOCAL
from .processes import Child, Processes
from .reloader import NOBODY, Reloader
from .resolver import Resolver
from .service import Service

log = structlog.get_logger()


class Supervisor:
    """The methods stand in the order of life."""

    def __init__(
        self,
        settings: Settings,
        listening: Listening,
        sink: Sink,
        configuration: Configuration,
        memory: Memory,
        service_manager: Mapping[str, str],
        commands: Commands | None = None,
    ) -> None:
        self._settings = settings
        self._base = settings.base
        self._listening = listening
        self._sink = sink
        self._configuration = configuration
        self._memory = memory
        self._service_manager = service_manager
        self._commands = commands or Commands()
        self._generations = itertools.count(1)
        self._limits = health.limits(settings.stuck_after)
        policy = Policy(
            settings.models_in_cache,
            settings.cache_ttl,
            settings.spare,
            self._limits,
            memory.budgets,
        )
        self._fleet = Fleet(
            policy,
            self._generations.__next__,
            preload=configuration.preload,
            load_times=_load_times(self._base),
            needs=memory.needs,
        )
        self._life = Life()
        self._failure: CannotStart | None = None
        # What is counted begins here.
        self._since = time.time()
        self._turning: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """From the first process to the last; `CannotStart` when the gateway never came up."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._pace = Pace(self._loop, self._tick)
        self._front = Front(self._now, self._limits.frozen)
        self._chronicle = Chronicle(self._base.history_file)
        self._model_logs = ModelLogs(self._base, self._sink.write)
        self._processes = Processes(self._sink.write, self._on_exit, self._model_logs.put)
        self._far = Far(self._base)
        self._births = Births(
            self._settings,
            self._commands,
            self._listening,
            self._processes,
            far=self._far.plane,
            failed=self._not_started,
        )
        self._hosts = self._far_hosts()
        self._children = Children(self._processes, self._hosts)
        self._control = Control(
            self._births.control, self._children, self._on_message, self._on_inquiry
        )
        self._inquiries = Inquiries(self._control, self._children, self._status)
        self._meter = Meter()
        self._resolver = Resolver(
            self._configuration, self._on_resolved, _integrity(self._settings)
        )
        self._keeper = Keeper(self._base.load_times)
        self._lease_log = LeaseLog(self._loop.time)
        self._hands = Hands(
            self._children,
            self._control,
            self._resolver,
            self._front,
            self._chronicle,
            self._keeper,
            self._lease_log,
            spawn=self._start_worker,
            data_addresses=(self._births.data, self._far.data_address),
        )
        self._reloader = Reloader(
            self._resolver,
            self._fleet,
            clock=lambda: self._now,
            did=self._did,
            tell=self._hands.tell_gateway,
            ended=self._tell_manager,
        )
        self._service = Service(
            notifier(self._service_manager),
            Watchdog(watchdog_seconds(self._service_manager, os.getpid())),
        )
        try:
            self._far.listen(self._control, self._on_host)
            self._startup()
            await self._ended.wait()
        finally:
            self._shutdown()
        if self._failure is not None:
            raise self._failure

    def _startup(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._on_stop_signal, number)
        self._loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        # Of those that died with it.
        stacks.offering(self._base.run)
        if left := self._births.sweep():
            log.warning("killed processes of a supervisor that died", pids=left)
        addresses = address_file.write(self._settings, self._listening, self._since)
        self._memory.start()
        self._meter.start(self._loop)
        self._turning = self._loop.create_task(self._meter.keep_turning(), name="meter")
        log.info("server started", **addresses, base_path=str(self._base.root))
        self._tick()

    # Time.

    @property
    def _now(self) -> float:
        return self._loop.time()

    def _tick(self) -> None:
        """Once a second, and whenever something is due before that."""
        now = self._now
        last = self._pace.begun(now)
        if last is not None and health.slept(last, now, self._limits):
            self._front.postpone(now - last)
            if self._hosts is not None:
                self._hosts.forgive(now)
        if os.getpid() == 1:
            self._processes.reap_stray()
        self._service.tick(now, self._situation())
        if self._life.is_running and self._front.is_due(now):
            self._start_gateway()
        self._watch_gateway(now)
        if self._hosts is not None:
            self._hosts.tick(now)
        self._hands.act(self._fleet.tick(now))
        self._memory.tick(now, self._fleet, self._processes)
        if stage := self._life.overdue(now):
            self._is_over(stage)
        self._arm()

    def _watch_gateway(self, now: float) -> None:
        generation, cure = self._front.generation, self._front.watch(now)
        if generation is None or cure is None:
            return
        log.error("killing the gateway", generation=generation, cause=cure.words)
        if cure.by == "abort":
            self._processes.abort(generation)
        else:
            self._processes.signal(generation, signal.SIGKILL)

    def _arm(self) -> None:
        """Look at the clock again when the next thing is due that time brings about."""
        gateway = self._front.deadline() if self._life.is_running else None
        self._pace.arm(self._fleet.deadline(), self._life.deadline, gateway)

    # Processes.

    def _start_gateway(self) -> None:
        generation = next(self._generations)
        self._front.started(generation, self._now)
        self._births.start("gateway", generation)

    def _start_worker(self, generation: int, place: str, library: str | None) -> None:
        if place == LOCAL:
            self._births.start("worker", generation, library)
        else:
            assert self._hosts is not None, "the fleet knows no place but those that are connected"
            self._hosts.spawn(place, generation, secrets.token_hex(32), self._now)

    def _not_started(self, role: Role, generation: int, exit: Exit) -> None:
        exited = self._gateway_exited if role == "gateway" else self._worker_exited
        # Not within the event that wanted it started.
        self._loop.call_soon(exited, generation, exit)

    def _on_exit(self, child: Child, exit: Exit) -> None:
        self._control.drain()
        self._births.record()
        stacks.forget(self._base.run, child.pid)
        if child.role == "gateway":
            self._gateway_exited(child.generation, exit)
        else:
            self._worker_exited(child.generation, exit)
        self._loop.call_soon(self._end_if_alone)

    def _worker_exited(self, generation: int, exit: Exit) -> None:
        self._did(self._fleet.exited(self._now, generation, exit))

    def _gateway_exited(self, generation: int, exit: Exit) -> None:
        ours = self._front.ending
        words = cause.long(exit) if ours is None else cause.recorded(exit, ours)
        delay = self._front.exited(self._now)
        self._lease_log.gateway_lost()
        self._did(self._fleet.gateway_lost(self._now))
        if not self._life.is_running:
            log.info("gateway ended", generation=generation, exit=cause.short(exit))
            self._stop_now()
            return
        log.error(
            "gateway died",
            generation=generation,
            cause=words,
            hint=cause.hint(exit, ours=ours is not None),
            restart_in=delay,
        )
        if self._front.is_hopeless:
            # With settings that are wrong another start is of no use to a service manager.
            code = exits.USAGE if exit.returncode == exits.USAGE else exits.NO_GATEWAY
            self._failure = CannotStart(f"the gateway cannot start: {words}", code)
            self._stop_now()
        else:
            # A first death costs no delay at all.
            self._tick()

    # Workers on other hosts.

    def _far_hosts(self) -> Hosts | None:
        if not self._far.is_open:
            return None
        return Hosts(
            self._far.known,
            str(self._base.root),
            tell=lambda host, message: self._control.tell_host(host, message),
            on_up=lambda host, models: self._did(self._fleet.host_up(self._now, host, models)),
            on_down=lambda host: self._did(self._fleet.host_down(self._now, host)),
            on_exit=lambda child, exit: self._worker_exited(child.generation, exit),
        )

    def _on_host(self, host: str, message: Message) -> None:
        assert self._hosts is not None
        if isinstance(message, StacksTaken):
            self._inquiries.answered(message)
        else:
            self._hosts.on_message(self._now, host, message)

    # What the gateway's debug server asks, past the gateway.

    def _on_inquiry(self, peer: bytes, message: Message) -> None:
        self._inquiries.ask(peer, message)

    def _status(self, ask: int) -> to_gateway.Status:
        facts = report.status(
            ask,
            self._now,
            self._fleet,
            self._memory,
            self._processes,
            self._hosts,
            self._front.generation,
            draining=not self._life.is_running,
            since=self._since,
            departures=self._chronicle.count,
        )
        return replace(facts, runtime=self._meter.read())

    # What children say.

    def _on_message(self, child: AnyChild, message: Message) -> None:
        match message:
            case StatusRequest(ask):
                self._control.send(child, self._status(ask))
            case HeapTaken():
                self._inquiries.answered(message, child.generation)
            case HistoryRequest(ask, model):
                departures = self._chronicle.latest(model)
                self._control.send(child, to_gateway.History(ask, departures))
            case Hello():
                self._on_hello(child, message)
            case Reload(ask):
                self._reload(ask)
            case Heartbeat() if child.role == "gateway":
                self._front.beat(self._now)
                self._service.gateway_beat(self._now)
                self._tell_manager()
            case LeaseRequest(lease):
                self._lease_log.asked(message)
                self._did(events.apply(self._fleet, self._now, child, message))
                self._lease_log.has_waited(lease)
            case _:
                if isinstance(message, LeaseReturn):
                    self._lease_log.returned(message.lease)
                self._did(events.apply(self._fleet, self._now, child, message))

    def _on_hello(self, child: AnyChild, hello: Hello) -> None:
        if hello.version != __version__:
            log.warning("a process of another version", role=child.role, version=hello.version)
        if child.role == "worker":
            self._did(self._fleet.hello(self._now, child.generation))
            return
        self._front.said_hello(self._now)
        log.info("gateway is up", generation=child.generation)
        if self._life.stage is Stage.DRAINING:
            self._control.send(child, to_gateway.Drain())

    def _on_resolved(self, name: str, answer: LoadSpec | KronkError) -> None:
        if isinstance(answer, KronkError):
            self._did(self._fleet.unresolved(self._now, name, answer))
        else:
            self._did(self._fleet.resolved(self._now, name, answer))

    def _did(self, actions: list[Action]) -> None:
        """After each event: act, and look at the clock anew."""
        self._hands.act(actions)
        self._arm()

    # What operators and the service manager want.

    def _on_hangup(self) -> None:
        log.info("reloading", signal="SIGHUP")
        self._reload(NOBODY)

    def _reload(self, ask: int | None) -> None:
        if self._life.is_running:
            self._reloader.ask(ask)
            self._tell_manager()
        elif ask is not None:
            error = Overloaded("the server is stopping")
            answer = to_gateway.Reloaded(ask, code=error.code, message=error.message)
            self._hands.tell_gateway(answer)

    def _situation(self) -> Situation:
        phase: Phase = "running"
        if not self._life.is_running:
            phase = "stopping" if self._life.is_stopping else "draining"
        elif not self._service.was_served:
            phase = "starting"
        elif self._reloader.is_busy:
            phase = "reloading"
        loaded, running = self._fleet.view.census
        return Situation(phase, self._front.is_up, loaded, running)

    def _tell_manager(self) -> None:
        self._service.tell(self._situation())

    # The end.

    def _on_stop_signal(self, number: signal.Signals) -> None:
        if not self._life.is_running:
            log.warning("stopping at once", signal=signal.Signals(number).name)
            self._stop_now()
            return
        log.info("stopping", signal=signal.Signals(number).name)
        self._life.drain(self._now, self._settings.shutdown_timeout)
        self._listening.close()
        self._tell_manager()
        self._did(self._fleet.drain(self._now))
        self._hands.tell_gateway(to_gateway.Drain())
        if self._front.generation is None:
            self._stop_now()

    def _stop_now(self) -> None:
        """Tell everything to exit, the gateway too if it still runs. Idempotent."""
        if self._life.stop(self._now):
            self._tell_manager()
        if self._front.generation is not None:
            self._processes.signal(self._front.generation, signal.SIGTERM)
        self._did(self._fleet.stop(self._now))
        self._end_if_alone()

    def _is_over(self, stage: Stage) -> None:
        if stage is Stage.DRAINING:
            log.warning("running requests did not end in time")
            self._stop_now()
        # Workers have deadlines of their own in the fleet.
        elif self._front.generation is not None:
            log.warning("killing the gateway", cause="it did not exit when asked to")
            self._processes.signal(self._front.generation, signal.SIGKILL)

    def _end_if_alone(self) -> None:
        if self._life.is_stopping and not self._processes:
            self._ended.set()

    def _shutdown(self) -> None:
        self._pace.close()
        if self._turning is not None:
            self._turning.cancel()
        for child in self._processes:
            # Only after a bug of ours; an orderly end leaves none.
            self._processes.signal(child.generation, signal.SIGKILL)
        self._resolver.close()
        self._keeper.close()
        self._memory.close()
        self._model_logs.close()
        self._control.close()
        self._chronicle.close()
        self._service.close()
        self._listening.close()
        self._births.close()
        for path in (self._base.server_file, self._base.configuration):
            path.unlink(missing_ok=True)
        log.info("server stopped")


def _load_times(base: BasePath) -> load_times.LoadTimes:
    data = keeper.read(base.load_times)
    known = load_times.parse(data)
    if data and known.dump() == load_times.LoadTimes().dump():
        log.warning("measured times of loads were damaged", path=str(base.load_times))
    return known


def _integrity(settings: Settings) -> Integrity | None:
    return None if settings.ignore_integrity_check else Integrity(settings.base)
