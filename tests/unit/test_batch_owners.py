"""A batch runs for who made it: what its lines cost, and what may stop them."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.batch_town import BROKEN, BUSY, CHAT, LINES, Town, request
from fakes.gateway_house import House, hang_after, say
from harness.subjects import ADMIN, ANN, ANONYMOUS, BOB, OPEN
from harness.waiting import wait_until
from kronk.gateway.access.control import AccessControl
from kronk.gateway.access.limits import Bill, Limits
from kronk.gateway.batches import attempts, runner
from kronk.gateway.batches.records import Batch, Counts, Event, Status
from kronk.gateway.dialects.responses.ids import RANDOM_BYTES, response_name
from kronk.gateway.dialects.responses.stored import Stored
from kronk.gateway.responses.store import ResponseStore
from kronk.shared.errors import PermissionDenied, Unauthenticated
from kronk.shared.paths import BasePath
from kronk.shared.security import tokens
from kronk.shared.security.counters import Counters
from kronk.shared.security.grants import UNLIMITED, Grants, Limit
from kronk.shared.security.identity import Identity
from kronk.shared.security.keys import Keyring
from kronk.shared.wire.to_gateway import Refused
from kronk.shared.wire.to_worker import Submit


class Rules:
    """Knows who was revoked, and lets those in who have the endpoint's grant."""

    def __init__(self) -> None:
        self.revoked: set[str | None] = set()

    async def identify(self, credential: Any) -> Identity:
        raise NotImplementedError

    async def recheck(self, identity: Identity) -> None:
        if identity.subject in self.revoked:
            raise Unauthenticated

    problem: str | None = None

    async def check(self, gate: Any, identity: Identity, problem: Unauthenticated | None) -> None:
        if problem is not None or identity == ANONYMOUS:
            raise problem or Unauthenticated
        if not identity.admin and gate.access.endpoint not in identity.grants.endpoints:
            raise PermissionDenied("endpoint not authorized")


class Office:
    """A town in which everybody is asked, and what was counted there."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town = town
        self.rules = Rules()
        self.counters = Counters(folder / "counters")
        self.limits = Limits(self.counters)
        town.access = AccessControl("protected", self.rules, self.rules, self.limits)

    def calls(self, who: Identity = ANN) -> int:
        return sum(row.day.calls for row in self.counters.usage(time.time(), who.subject))

    def tokens(self, who: Identity = ANN) -> int:
        return sum(row.day.tokens for row in self.counters.usage(time.time(), who.subject))

    def errors(self, batch: Batch) -> Counter[tuple[int, str]]:
        """How often each status and code is in the error file."""
        rows = self.town.results(batch)[1].values()
        return Counter(
            (row["response"]["status_code"], row["response"]["body"]["error"]["code"])
            for row in rows
        )


@pytest.fixture
def town(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    usual = attempts.wait_before_retry
    monkeypatch.setattr(
        attempts, "wait_before_retry", lambda *asked: None if usual(*asked) is None else 0.0
    )
    monkeypatch.setattr(runner, "_FIRST_REST", 0.0)
    town = Town(tmp_path / "town", tiny)
    yield town
    town.database.close()


@pytest.fixture
def office(town: Town, tmp_path: Path) -> Iterator[Office]:
    office = Office(town, tmp_path)
    yield office
    office.limits.stop()


def limited(calls: int | None = None, **more: Any) -> Identity:
    limit = UNLIMITED if calls is None else Limit(calls, "day")
    return replace(ANN, grants=Grants({"chat-completions": limit, "batches": UNLIMITED}, **more))


def lines(count: int, **body: Any) -> list[dict[str, Any]]:
    return [request(number, **body) for number in range(1, count + 1)]


def test_lines_beyond_the_limit_are_errors_of_those_lines(office: Office, town: Town) -> None:
    batch = town.finish(town.submit(*lines(5), identity=limited(3)))
    assert (batch.status, batch.counts) == (Status.COMPLETED, Counts(5, 3, 2))
    assert office.errors(batch) == {(429, "rate_limited"): 2}
    (row, _) = town.results(batch)[1].values()
    assert row["response"]["body"]["error"]["type"] == "rate_limit_error"
    assert office.calls() == 3
    assert sum(town.asked.values()) == 3
    # Each answer has 5 tokens of its prompt and 2 of its own.
    assert office.tokens() == 3 * 7


def test_a_limit_is_of_the_lines_endpoint_and_of_the_lines_only(office: Office, town: Town) -> None:
    batch = town.finish(town.submit(*lines(4), identity=limited(4)))
    assert batch.counts == Counts(4, 4, 0)
    (row,) = office.counters.usage(time.time(), ANN.subject)
    assert (row.endpoint, row.day.calls) == ("chat-completions", 4)


def test_an_administrators_lines_have_no_limit(office: Office, town: Town) -> None:
    batch = town.finish(town.submit(*lines(5), identity=ADMIN))
    assert batch.counts == Counts(5, 5, 0)


def test_more_lines_than_requests_at_once_wait_instead_of_failing(
    office: Office, town: Town
) -> None:
    batch = town.finish(town.submit(identity=limited(concurrency=1)))
    assert batch.counts == Counts(LINES, LINES, 0)


def test_a_budget_of_tokens_ends(office: Office, town: Town) -> None:
    batch = town.finish(town.submit(identity=limited(tokens=Limit(8, "day"))))
    # Those in flight together find it open; once it is used up nothing more is let in.
    assert 2 <= batch.counts.completed < LINES
    assert set(office.errors(batch)) == {(429, "rate_limited")}
    assert office.tokens() == 7 * batch.counts.completed


def test_a_model_that_is_not_granted_is_refused_whether_it_is_there_or_not(
    office: Office, town: Town
) -> None:
    told = set()
    for model in ("tiny", "no-such-model"):
        who = limited(models=("other-*",))
        batch = town.finish(town.submit(*lines(2, model=model), identity=who))
        assert (batch.status, batch.counts) == (Status.COMPLETED, Counts(2, 0, 2))
        assert not batch.faults
        told.add(json.dumps([row["response"]["body"] for row in town.results(batch)[1].values()]))
        assert office.errors(batch) == {(403, "permission_denied"): 2}
    assert len(told) == 1
    assert not town.asked
    batch = town.finish(town.submit(*lines(2, model="no-such-model"), identity=limited()))
    assert [fault.code for fault in batch.faults] == ["model_not_found"]


def test_the_grant_of_the_endpoint_is_asked_for_again(office: Office, town: Town) -> None:
    without = replace(ANN, grants=Grants({"batches": UNLIMITED}))
    batch = town.finish(town.submit(*lines(3), identity=without))
    assert office.errors(batch) == {(403, "permission_denied"): 3}


def test_the_batches_of_who_was_revoked_stop(office: Office, town: Town) -> None:
    def revoke(count: int) -> None:
        if count == 4:
            office.rules.revoked.add(ANN.subject)

    town.on_answer = revoke
    name = town.submit(identity=ANN)
    others = town.submit(*lines(3), identity=BOB)
    batch = town.finish(name)
    assert batch.status is Status.COMPLETED
    assert 4 <= batch.counts.completed < LINES
    assert office.errors(batch) == {(401, "unauthenticated"): LINES - batch.counts.completed}
    assert office.calls() == batch.counts.completed
    assert town.finish(others).counts == Counts(3, 3, 0)


def test_a_line_that_waits_does_not_outlive_the_revocation(office: Office, town: Town) -> None:
    def grant(count: int) -> Refused | None:
        if count == 20:
            office.rules.revoked.add(ANN.subject)
        # As long as somebody asks, it is busy.
        return BUSY

    town.grant = grant
    batch = town.finish(town.submit(*lines(3), identity=ANN))
    assert office.errors(batch) == {(401, "unauthenticated"): 3}
    assert not town.asked


@pytest.mark.parametrize("maker", [OPEN, ANONYMOUS], ids=lambda one: one.via)
def test_what_nobody_in_particular_has_left_is_not_done_where_everybody_is_asked(
    office: Office, town: Town, maker: Identity
) -> None:
    batch = town.finish(town.submit(*lines(2), identity=maker))
    assert office.errors(batch) == {(401, "unauthenticated"): 2}


def test_what_was_made_with_limits_runs_without_them_where_nobody_is_asked(
    town: Town, tmp_path: Path
) -> None:
    name = town.submit(*lines(5), identity=limited(1))
    assert town.finish(name).counts == Counts(5, 5, 0)


# What is charged when something goes wrong.


def test_a_line_that_the_server_failed_at_costs_nothing(office: Office, town: Town) -> None:
    def script(prompt: str, attempt: int) -> bool:
        if prompt == "line 5":
            town.kill_worker()
            return False
        return True

    town.script = script
    batch = town.finish(town.submit(identity=limited(LINES)))
    assert batch.counts == Counts(LINES, LINES - 1, 1)
    assert office.errors(batch) == {(503, "model_crashed"): 1}
    assert office.calls() == LINES - 1


def test_a_line_with_a_mistake_costs_what_such_a_request_does(office: Office, town: Town) -> None:
    batch = town.finish(town.submit(request(1, top_p=7), request(2), identity=limited(2)))
    assert office.errors(batch) == {(400, "invalid_argument"): 1}
    assert office.calls() == 2


def test_a_model_that_cannot_be_loaded_costs_nothing(office: Office, town: Town) -> None:
    town.grant = lambda count: BROKEN if count > 10 else None
    batch = town.finish(town.submit(identity=limited(LINES)))
    assert batch.status is Status.FAILED
    assert office.calls() == batch.counts.completed == 10


def test_what_was_running_when_a_batch_is_cancelled_costs_nothing(
    office: Office, town: Town
) -> None:
    name = town.submit(identity=limited(LINES))
    town.script = lambda prompt, _: prompt in ("line 1", "line 2")
    ends: list[Batch] = []

    async def cancel() -> None:
        await until_answered(town, 2)
        await town.batches.advance(name, Event.CANCEL)
        ends.append(await town.end_of(name))

    town.live(cancel)
    assert (ends[0].status, ends[0].counts.completed) == (Status.CANCELLED, 2)
    assert office.calls() == 2


async def until_answered(town: Town, count: int) -> None:
    reached = asyncio.Event()
    town.on_answer = lambda seen: reached.set() if seen >= count else None
    await reached.wait()
    town.on_answer = lambda seen: None


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("seen", [1, 5, 12, LINES])
def test_no_line_is_charged_twice_whenever_a_life_ends(
    office: Office,
    town: Town,
    monkeypatch: pytest.MonkeyPatch,
    seen: int,
    is_killed: bool,
) -> None:
    name = town.submit(identity=limited(LINES))
    with monkeypatch.context() as patch:
        if is_killed:
            # Nothing is done any more.
            patch.setattr(Bill, "settle", lambda self, outcome: None)
        town.live(lambda: until_answered(town, seen))
    assert office.calls() >= (seen if is_killed else seen - 1)
    batch = town.finish(name)
    # One call more, and a line would have been refused.
    assert batch.counts == Counts(LINES, LINES, 0)
    assert office.calls() == LINES


def test_a_gateway_that_is_killed_charges_no_line_twice(tmp_path: Path, tiny: Path) -> None:
    base = BasePath(tmp_path / "kronk")
    base.models.mkdir(parents=True)
    (base.models / "tiny.gguf").symlink_to(tiny)
    keyring = Keyring(base.keys)
    keyring.ensure("kronk", time.time())
    grants = Grants({"chat-completions": Limit(LINES, "day"), "batches": UNLIMITED})
    issued = tokens.issue(keyring, "kronk", duration=3600, grants=grants, now=time.time())
    headers = {"Authorization": f"Bearer {issued.token}"}

    def first_lines(submit: Submit) -> Any:
        prompt = str(submit.prompt.messages[-1]["content"]) if submit.prompt.messages else ""
        script = say("done") if int(prompt.removeprefix("line ")) <= 5 else hang_after()
        return script(submit)

    content = "\n".join(map(json.dumps, lines(LINES))).encode()
    with House(tmp_path, auth_mode="protected") as house:
        house.script = first_lines
        with httpx.Client(base_url=house.url, headers=headers, timeout=20) as http:
            form = {"files": {"file": ("in.jsonl", content)}, "data": {"purpose": "batch"}}
            file = http.post("/v1/files", **form).json()["id"]  # type: ignore[arg-type]
            asked = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
            name = http.post("/v1/batches", json=asked).json()["id"]
            # Five are done, and as many as can be are in flight.
            house.wait_for(Submit, 5 + 8)
        house.process.kill()
        house.process.wait()
    assert calls_of(base, issued.claims.subject) == 5 + 8
    with House(tmp_path, auth_mode="protected") as house:
        with httpx.Client(base_url=house.url, headers=headers, timeout=20) as http:

            def ended() -> Any:
                batch = http.get(f"/v1/batches/{name}").json()
                return batch if batch["status"] == "completed" else None

            batch = wait_until(ended, "the end of the batch")
        counts = {"total": LINES, "completed": LINES, "failed": 0}
        assert batch["request_counts"] == counts
    assert calls_of(base, issued.claims.subject) == LINES


def calls_of(base: BasePath, subject: str) -> int:
    counters = Counters(base.counters)
    try:
        return sum(row.day.calls for row in counters.usage(time.time(), subject))
    finally:
        counters.close()


# What lines see.


def test_lines_continue_the_responses_of_their_maker_only(office: Office, town: Town) -> None:
    store, names = ResponseStore(town.database, 0), dict[str, str]()
    for number, who in enumerate((ANN, BOB), start=1):
        name = response_name(1_700_000_000, number.to_bytes(RANDOM_BYTES))
        parts = [{"type": "input_text", "text": "hello"}]
        said = {"id": f"msg_{number}", "type": "message", "role": "user", "content": parts}
        kept = Stored({"id": name, "output": []}, [said], 1)
        asyncio.run(store.of(who).put(kept))
        names[str(who.name)] = name

    def asks(who: str) -> dict[str, Any]:
        body = {"model": "tiny", "input": who, "previous_response_id": names[who]}
        return {"custom_id": who, "method": "POST", "url": "/v1/responses", "body": body}

    name = town.submit(asks("ann"), asks("bob"), identity=ANN, endpoint="/v1/responses")
    answers, errors = town.results(town.finish(name))
    assert (set(answers), set(errors)) == ({"ann"}, {"bob"})
    assert errors["bob"]["response"]["body"]["error"]["code"] == "previous_response_not_found"
    made = answers["ann"]["response"]["body"]["id"]
    assert store.of(ANN).find(made) is not None
    assert store.of(BOB).find(made) is None
