"""The debug server in this process: it answers while the main loop hangs, and knows who may ask."""

from __future__ import annotations

import asyncio
import faulthandler
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kronk.gateway.debug import profiles, pyspy, stacks, targets
from kronk.gateway.debug.errors import NotPermitted
from kronk.gateway.debug.server import DebugServer, House
from kronk.shared import exits, settings
from kronk.shared import stacks as asking
from kronk.shared.child import Birth
from kronk.shared.database import Database
from kronk.shared.errors import Internal, NotFound
from kronk.shared.security.keys import Keyring
from kronk.shared.telemetry.runtime import Meter
from kronk.shared.units import Address
from kronk.supervisor import boot

PATIENCE = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """This process answers there, for as long as the test lasts."""
    run = tmp_path / "run"
    run.mkdir()
    asking.offer(run)
    # Without it there is the signal only, of which a process with running threads may die.
    asking.answer()
    yield run
    faulthandler.unregister(asking.SIGNAL)


def while_the_loop_hangs(
    tmp_path: Path, ask: Callable[[str], list[httpx.Response]], host: str, **flags: str
) -> list[httpx.Response]:
    """What is answered to questions to a gateway whose loop does nothing else than wait for the
    answers. There is no supervisor either."""
    listener = socket.create_server((host, 0))
    port = listener.getsockname()[1]
    given = {"base_path": str(tmp_path), "debug_host": f"{host}:{port}", **flags}
    config = settings.resolve(given, {})
    birth = Birth(1, "secret", 1, f"ipc://{tmp_path}/control.sock", run=str(config.base.run))
    answers: list[httpx.Response] = []

    def look(done: threading.Event) -> None:
        try:
            answers.extend(ask(f"http://127.0.0.1:{port}"))
        finally:
            done.set()

    async def hang() -> None:
        done = threading.Event()
        database = Database(config.base.db)
        house = House(
            birth, config, database, Meter(), dict, lambda _: (b"kronk_up 1\n", "text/plain")
        )
        server = DebugServer([listener], house)
        server.start()
        threading.Thread(target=look, args=(done,), daemon=True).start()
        # The fault: a loop that waits for something else.
        assert done.wait(PATIENCE)
        await server.close()

    asyncio.run(hang())
    return answers


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, timeout=PATIENCE)


def test_it_answers_while_the_gateways_loop_hangs(tmp_path: Path, folder: Path) -> None:
    def ask(url: str) -> list[httpx.Response]:
        return [get(f"{url}/debug/stacks?process=gateway"), get(f"{url}/metrics")]

    told, metrics = while_the_loop_hangs(tmp_path, ask, "127.0.0.1")
    assert told.status_code == 200, told.text
    # Where its main thread hangs, and which task that is.
    assert "in hang" in told.text
    assert "[MainThread]" in told.text and "Tasks of its event loop" in told.text
    assert metrics.text == "kronk_up 1\n"


def test_a_heap_is_measured_while_the_loop_hangs(tmp_path: Path, folder: Path) -> None:
    def ask(url: str) -> list[httpx.Response]:
        return [get(f"{url}/debug/pprof/heap?seconds=0.1")]

    (told,) = while_the_loop_hangs(tmp_path, ask, "127.0.0.1")
    assert told.status_code == 200 and "builtins.dict" in told.text


@pytest.mark.parametrize(
    ("host", "path", "known", "status"),
    [
        ("127.0.0.1", "/metrics", False, 200),
        ("127.0.0.1", "/debug/stacks?process=gateway", False, 401),
        ("127.0.0.1", "/debug/stacks?process=gateway", True, 200),
        # Others can connect there: metrics are a matter of the server's state, too.
        ("0.0.0.0", "/metrics", False, 401),
        ("0.0.0.0", "/metrics", True, 200),
        ("0.0.0.0", "/debug/stacks?process=gateway", True, 200),
    ],
)
def test_tokens_are_checked_while_the_loop_hangs(
    tmp_path: Path, folder: Path, host: str, path: str, known: bool, status: int
) -> None:
    keyring = Keyring(tmp_path / "keys")
    keyring.ensure("kronk", time.time())
    token = keyring.admin_file.read_text().strip()

    def ask(url: str) -> list[httpx.Response]:
        headers = {"Authorization": f"Bearer {token}"} if known else {}
        return [get(f"{url}{path}", **headers)]

    (told,) = while_the_loop_hangs(tmp_path, ask, host, auth_enabled="true")
    assert told.status_code == status, told.text


def test_a_process_that_does_not_answer_the_signal_is_not_sent_it(tmp_path: Path) -> None:
    # It would end: nobody here has the handler.
    (tmp_path / "stacks-1").touch()
    assert asking.take(tmp_path, 1).silence == "deaf"
    assert asking.take(tmp_path, 2**22 - 1).silence == "gone"


def test_pipes_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    gone, alive = tmp_path / "stacks-4194303", tmp_path / "stacks-1"
    gone.touch()
    alive.touch()
    assert asking.offering(tmp_path) == [1]
    assert not gone.exists() and alive.exists()


def busy() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_a_default_address_that_is_busy_is_no_reason_not_to_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with busy() as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setattr(boot, "_DEBUG_DEFAULT", address)
        listener, why = boot.debug_listener(settings.resolve({"debug_host": address}, {}))
    assert listener is None
    assert why is not None and "in use" in why and "--debug-host" in why


def test_an_address_that_was_chosen_and_is_busy_is_one() -> None:
    with busy() as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(boot.CannotStart) as caught:
            boot.debug_listener(settings.resolve({"debug_host": address}, {}))
    assert caught.value.code == exits.ADDRESS_IN_USE
    assert "--debug-host" in caught.value.message


def test_off_is_no_debug_server() -> None:
    assert boot.debug_listener(settings.resolve({"debug_host": "off"}, {})) == (None, None)


def test_the_default_is_the_manuals() -> None:
    assert settings.resolve({}, {}).debug_host == Address("localhost", 8090)


# Which process is meant.

KNOWN = [
    targets.Target("gateway", "gateway", 10, 1),
    targets.Target("org/Model", "worker", 20, 2),
    targets.Target("Far", "worker", 20, 3, "studio"),
    targets.Target("job", "job", 30, None),
]


@pytest.mark.parametrize(
    ("name", "at"), [("gateway", 0), ("org/Model", 1), ("20", 1), ("Far", 2), ("30", 3)]
)
def test_a_process_is_found_by_name_and_by_pid(name: str, at: int) -> None:
    assert targets.chosen(name, KNOWN) is KNOWN[at]


def test_a_process_that_is_none_of_ours_is_not_found() -> None:
    with pytest.raises(NotFound, match="org/Model"):
        targets.chosen("1", KNOWN)


# Profiles.

RAW = """main (app.py:3);work (app.py:9);sum (lib.c) 3
main (app.py:3);work (app.py:10) 1
thread (12): engine 2
"""


def test_stacks_are_read() -> None:
    first, second, third = profiles.parse(RAW)
    assert first.samples == 3
    assert first.frames[-1] == profiles.Frame("sum", "lib.c", 0)
    assert second.frames[1] == profiles.Frame("work", "app.py", 10)
    assert third.frames == (profiles.Frame("thread (12): engine"),)


def test_a_table_has_own_and_whole_times() -> None:
    lines = profiles.table(profiles.parse(RAW), rate=100).splitlines()
    rows = {line.split("  ")[-1]: line.split() for line in lines[2:]}
    assert rows["sum (lib.c)"][:2] == ["0.03s", "50.00%"]
    assert rows["work (app.py)"][0] == "0.01s" and rows["work (app.py)"][3] == "0.04s"
    assert rows["main (app.py)"][0] == "0.00s" and rows["main (app.py)"][3] == "0.04s"


def fields(data: bytes) -> list[tuple[int, Any]]:
    """Of a message in protobuf's wire format: numbers and bytes."""
    found, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
        else:
            size = varint()
            found.append((key >> 3, data[at : at + size]))
            at += size
    return found


def test_a_profile_for_go_has_every_sample() -> None:
    made = fields(gzip.decompress(profiles.pprof(profiles.parse(RAW), 100, 2.0)))
    texts = [value.decode() for number, value in made if number == 6]
    assert texts[0] == "" and {"cpu", "nanoseconds", "main", "work", "app.py"} <= set(texts)
    samples = [dict(fields(value)) for number, value in made if number == 2]
    counts = [next(iter(sample[2])) for sample in samples]
    assert counts == [3, 1, 2]
    # Innermost first: two stacks share only their outermost place.
    assert samples[0][1][-1] == samples[1][1][-1] and samples[0][1][-2] != samples[1][1][-2]
    functions = [dict(fields(value)) for number, value in made if number == 5]
    assert [texts[one[2]] for one in functions] == ["sum", "work", "main", "thread (12): engine"]
    assert dict(made)[10] == 2_000_000_000


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Error: Permission Denied: Try running again with elevated permissions", NotPermitted),
        ("Error: Operation not permitted (os error 1)\nStack backtrace:\n 0: main", NotPermitted),
        ("ERROR inferno] No stack counts found\nError: ...\nStack backtrace:\n 0: x", NotFound),
        ("Error: Failed to find python version from target process", Internal),
    ],
)
def test_what_keeps_a_profile_from_being_made_is_told_apart(said: str, kind: type) -> None:
    assert type(pyspy.refusal(said)) is kind


def test_threads_get_the_names_that_are_known() -> None:
    text = "Current thread 0x00ab (most recent call first):\n  File x\n\nThread 0x00ac (most"
    named = stacks.named(text, {0xAB: "MainThread"})
    assert named.startswith("Current thread 0x00ab [MainThread] (most")
    assert "Thread 0x00ac (most" in named


# How late a loop is.


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        # What another thread does while it is asked, one after the other.
        self.meanwhile: list[Callable[[], object]] = []

    def __call__(self) -> float:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return self.now


def test_the_worst_delay_is_told_for_some_seconds() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.late(0.2)
    meter.late(0.1)
    assert meter.read().loop_lag == 0.2
    clock.now += 2.5
    assert meter.read().loop_lag == 0.2
    clock.now += 2.5
    assert meter.read().loop_lag == 0.0


def test_a_loop_that_hangs_is_late_before_it_has_its_turn() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.asked()
    clock.now += 3.0
    # Asked again, and still waiting for the first time.
    meter.asked()
    assert meter.read().loop_lag == 3.0
    meter.turned()
    assert meter.read().loop_lag == 3.0


def test_a_loop_may_have_its_turn_while_another_thread_looks_at_it() -> None:
    for moment in range(3):
        clock = Clock()
        meter = Meter(clock)
        meter.asked()
        clock.now += 3.0
        clock.meanwhile = [*[int] * moment, meter.turned]
        assert meter.read().loop_lag == 3.0
