"""Too many at once: crowds on few slots, models that take each other's place, ends that cross."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.counting_model import counted
from harness.crowd import ask_all
from harness.fault_house import fault_house
from harness.invariants import after_fault, milliseconds_since
from harness.server import Server
from harness.waiting import pause

CLIENTS = 1000
SWAPS = 200
CROSSINGS = 20


def test_a_thousand_clients_on_four_slots_are_all_served(lab: Server) -> None:
    with after_fault(lab, f"{CLIENTS} clients", "4 slots", models=("Crowd",)) as fault:
        begun = time.monotonic()
        answers = ask_all(lab, "Crowd", range(CLIENTS), tokens=5)
        fault.figure("all served after, ms", milliseconds_since(begun))
        assert Counter(answer.status for answer in answers) == {200: CLIENTS}
        assert all(answer.text == counted(answer.start % 900, 5) for answer in answers)


def test_clients_beyond_the_queue_are_told_when_to_come_again(lab: Server) -> None:
    with after_fault(lab, f"{CLIENTS} clients", "8 slots, 160 places", models=("First",)) as fault:
        begun = time.monotonic()
        answers = ask_all(lab, "First", range(CLIENTS), tokens=5)
        fault.figure("all answered after, ms", milliseconds_since(begun))
        statuses = Counter(answer.status for answer in answers)
        fault.figure("served", statuses[200])
        fault.figure("refused", statuses[503])
        assert set(statuses) == {200, 503}
        assert all(answer.retry_after for answer in answers if answer.status == 503)
        assert all(
            answer.text == counted(answer.start % 900, 5)
            for answer in answers
            if answer.status == 200
        )


def test_a_hundred_first_requests_are_one_load(lab: Server) -> None:
    with after_fault(lab, "100 first requests", "one model that is not loaded") as fault:
        begun = time.monotonic()
        answers = ask_all(lab, "Slowly", range(100), tokens=5)
        fault.figure("all served after, ms", milliseconds_since(begun))
        assert Counter(answer.status for answer in answers) == {200: 100}
        assert len(lab.events("load started", model="Slowly")) == 1
        lab.kill(fault.pid("Slowly"))


def test_two_models_that_share_a_place_both_serve(tmp_path: Path) -> None:
    where = f"{SWAPS} alternating requests"
    with (
        fault_house(tmp_path, ("Left", "Right"), flags={"models_in_cache": "2"}) as server,
        after_fault(server, "two models on one place", where, models=("Left",)) as fault,
        ThreadPoolExecutor(24) as pool,
    ):
        begun = time.monotonic()

        def ask(number: int) -> str:
            return server.text(("Left", "Right")[number % 2], f"from {number}", max_tokens=3)

        texts = list(pool.map(ask, range(SWAPS)))
        assert texts == [counted(number, 3) for number in range(SWAPS)]
        fault.figure("all served after, ms", milliseconds_since(begun))
        loads = len(server.events("load started")) - 2
        fault.figure("loads", loads)
        assert loads >= 2


def test_a_ttl_that_ends_as_a_request_arrives_never_takes_it_along(lab: Server) -> None:
    # The state machine alone has 10,000 random runs of this: tests/unit/test_fleet_random.py.
    where = f"{CROSSINGS} crossings"
    with after_fault(lab, "TTL ends as a request arrives", where, refused=False) as fault:
        for crossing in range(CROSSINGS):
            assert fault.whole("Brief", tokens=2, keep_alive=0.05).end() == "done"
            # Around the 50 ms: the pause is what is tried, and nothing is waited for.
            pause(0.04 + 0.001 * (crossing % 20))
        fault.figure("unloads that it met", len(lab.events("model unloads", model="Brief")))
