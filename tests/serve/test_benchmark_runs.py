"""Benchmarks over HTTP, on a real server: they outlive clients, and end with the server."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from fakes.openai_server import Fake, running_fake
from harness.server import Server, kronk, running_server
from harness.waiting import PATIENCE, wait_until

TINY = Path(__file__).parents[1] / "models/tiny-chat-q8_0.gguf"
ROOT = "/api/v1/benchmark"
RUNS = f"{ROOT}/runs"
KEY = "sk-not-for-others-7d1f"
SMALL = {
    "prompt_sizes": [64],
    "concurrency": [1, 2],
    "max_tokens": 4,
    "repetitions": 2,
    "warm_up": 0,
}
ENDLESS = {**SMALL, "model": "endless", "max_tokens": 1000, "concurrency": [1]}


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with running_fake() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("benchmarks")
    with running_server(base, {"tiny/Tiny.gguf": TINY}) as server:
        yield server


@pytest.fixture(scope="module")
def first(server: Server) -> dict[str, Any]:
    """A run of our own model."""
    return ended(server, begin(server, model="Tiny"))


def begin(server: Server, **fields: Any) -> dict[str, Any]:
    answer = httpx.post(f"{server.url}{RUNS}", json=SMALL | fields, timeout=PATIENCE)
    assert answer.status_code == 202, answer.text
    run: dict[str, Any] = answer.json()
    assert run["state"] == "running"
    return run


def of(server: Server, run: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = server.get(f"{RUNS}/{run['id']}")
    return found


def ended(server: Server, run: dict[str, Any]) -> dict[str, Any]:
    wait_until(lambda: of(server, run)["state"] != "running", "the end of the benchmark")
    return of(server, run)


def begin_endless(server: Server, fake: Fake) -> dict[str, Any]:
    """A run in the middle of an answer."""
    fake.streaming.clear()
    run = begin(server, **ENDLESS, base_url=fake.url, api_key=KEY)
    assert fake.streaming.wait(PATIENCE)
    return run


def cancel(server: Server, run: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{server.url}{RUNS}/{run['id']}/cancel", timeout=PATIENCE)


def error(answer: httpx.Response) -> tuple[int, str, str]:
    told = answer.json()["error"]
    return answer.status_code, told["code"], told["message"]


def measuring(server: Server) -> list[psutil.Process]:
    """The processes of runs."""
    found = psutil.Process(server.pid).children(recursive=True)
    return [one for one in found if "kronk.shared.benchmark.child" in one.cmdline()]


def test_a_run_goes_on_by_itself_and_is_kept_with_those_of_the_command(
    server: Server, first: dict[str, Any]
) -> None:
    assert (first["state"], first["error"], first["url"]) == ("complete", None, None)
    assert first["plan"] == {**SMALL, "shared_prefix": 0} and first["preset"] is None
    cells = [
        (each["cell"]["prompt_tokens"], each["cell"]["concurrency"]) for each in first["results"]
    ]
    assert cells == [(64, 1), (64, 2)]
    for each in first["results"]:
        # As our own tokenizer counts them.
        assert each["prompt_tokens"] == 64 and each["failed"] == {}
        assert len(each["rounds"]["tokens_per_second"]) == 2
    assert first["failures"] == 0 and first["tokens_per_second"] > 0
    assert first["measured"][0]["quantization"] == "Q8_0" and first["host"]["cores"] > 0
    listed = server.get(f"{RUNS}?model=Tiny")["data"]
    assert first["id"] in [run["id"] for run in listed]
    assert server.get(f"{RUNS}?model=Other")["data"] == []
    known = kronk("bench", "history", "--json", f"--base-path={server.base}")
    assert first["id"] in [run["id"] for run in json.loads(known.stdout)]
    assert server.get(f"{ROOT}/stats")["models"][0]["best"]["tokens_per_second"] > 0


def test_runs_are_compared_as_the_command_compares_them(
    server: Server, first: dict[str, Any], fake: Fake
) -> None:
    second = ended(server, begin(server, model="Tiny"))
    assert second["previous"] == first["id"]
    ids = f"{first['id']},{second['id']}"
    told = server.get(f"{ROOT}/compare?runs={ids}")
    assert [run["id"] for run in told["runs"]] == [first["id"], second["id"]]
    own = told["comparisons"][0]
    command = ("bench", "compare", first["id"], second["id"], "--json")
    theirs = json.loads(kronk(*command, f"--base-path={server.base}").stdout)
    assert own["differences"] == theirs["differences"] and len(own["differences"]) >= 8
    other = ended(server, begin(server, model="counted", base_url=fake.url))
    beside = server.get(f"{ROOT}/compare?runs={first['id']},{other['id']}")["comparisons"][0]
    assert beside["differences"]
    assert beside["other"] == [f"measured was Tiny, now counted at {fake.url.removesuffix('/v1')}"]


@pytest.mark.parametrize(
    ("runs", "code", "words"),
    [
        ("", 400, "expected 2 to 8 ids"),
        ("one", 400, "expected 2 to 8 ids"),
        ("one,one", 400, "twice"),
        ("one,two", 404, "there is no benchmark 'one'"),
        ("last,two", 404, "there is no benchmark 'last'"),
    ],
)
def test_what_cannot_be_compared_is_said(server: Server, runs: str, code: int, words: str) -> None:
    answer = httpx.get(f"{server.url}{ROOT}/compare?runs={runs}", timeout=PATIENCE)
    assert error(answer)[0] == code and words in error(answer)[2]


def test_one_runs_at_a_time_and_is_stopped(server: Server, fake: Fake) -> None:
    run = begin_endless(server, fake)
    assert of(server, run)["progress"]["phase"] == "measuring"
    again = httpx.post(f"{server.url}{RUNS}", json=SMALL | {"model": "Tiny"}, timeout=PATIENCE)
    status, code, words = error(again)
    assert (status, code) == (409, "conflict") and run["id"] in words
    gone = httpx.delete(f"{server.url}{RUNS}/{run['id']}", timeout=PATIENCE)
    assert error(gone)[0] == 409
    assert server.get(f"{ROOT}/stats")["running"] == run["id"]
    fake.hung_up.clear()
    assert cancel(server, run).json()["state"] == "cancelled"
    assert fake.hung_up.wait(PATIENCE)
    assert measuring(server) == []
    assert error(cancel(server, run))[:2] == (409, "conflict")
    # It has no figures to compare.
    pair = f"{ROOT}/compare?runs={run['id']},x"
    assert error(httpx.get(f"{server.url}{pair}", timeout=PATIENCE))[0] == 409
    assert httpx.delete(f"{server.url}{RUNS}/{run['id']}", timeout=PATIENCE).json()["deleted"]
    assert httpx.get(f"{server.url}{RUNS}/{run['id']}", timeout=PATIENCE).status_code == 404


def test_the_key_of_another_server_is_kept_nowhere(server: Server, fake: Fake) -> None:
    fake.keys.clear()
    run = begin_endless(server, fake)
    assert fake.keys == {f"Bearer {KEY}"}
    (process,) = measuring(server)
    assert KEY not in " ".join([*process.cmdline(), *process.environ().values()])
    during = [path for path in server.base.rglob("*") if path.is_file() and has_key(path)]
    cancel(server, run)
    assert during == []
    assert KEY not in json.dumps(of(server, run))
    refused = ended(server, begin(server, model="closed", base_url=fake.url, api_key=KEY))
    assert refused["state"] == "failed" and "who are you" in refused["error"]["message"]
    assert not [path for path in server.base.rglob("*") if path.is_file() and has_key(path)]


def has_key(path: Path) -> bool:
    try:
        return KEY.encode() in path.read_bytes()
    except OSError:
        # Gone by now.
        return False


def test_a_run_ends_with_its_gateway_and_says_so(server: Server, fake: Fake) -> None:
    run = begin_endless(server, fake)
    gateway = server.role_pid("gateway")
    assert gateway is not None
    server.kill(gateway, signal.SIGKILL)

    def lost() -> bool:
        try:
            return bool(of(server, run)["state"] == "failed")
        except httpx.HTTPError:
            return False

    wait_until(lost, "the run to be given up")
    assert of(server, run)["error"]["code"] == "interrupted"
    wait_until(lambda: not measuring(server), "the end of its process")


def test_a_server_that_stops_keeps_what_was_measured(tmp_path: Path, fake: Fake) -> None:
    with running_server(tmp_path, {"tiny/Tiny.gguf": TINY}) as server:
        # So many rounds that it is in the midst of them.
        run = begin(server, model="Tiny", repetitions=100, max_tokens=64, concurrency=[1])
        wait_until(lambda: len(of(server, run)["results"]) > 0, "the first figures")
        assert server.stop() == 0
        server.prove_gone()
    with running_server(tmp_path, {}) as server:
        kept = of(server, run)
        assert kept["state"] == "incomplete" and kept["error"] is None
        assert kept["results"][0]["rounds"]["tokens_per_second"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("guarded")
    with running_server(base, {"tiny/Tiny.gguf": TINY}, None, "--auth-enabled") as server:
        yield server


@pytest.mark.parametrize("way", ["token", "session"])
def test_a_run_asks_with_the_rights_of_who_began_it(guarded: Server, way: str) -> None:
    with httpx.Client(base_url=guarded.url, timeout=PATIENCE) as client:
        client.headers["origin"] = guarded.url
        assert client.post(RUNS, json=SMALL | {"model": "Tiny"}).status_code == 401
        if way == "token":
            token = (guarded.base / "keys" / "master.jwt").read_text().strip()
            client.headers["authorization"] = f"Bearer {token}"
        else:
            # Read once, and gone when somebody has logged in with it.
            password = (guarded.base / "keys" / "first-password").read_text().strip()
            assert client.post("/v1/kronk/login", json={"password": password}).status_code == 200
        run = client.post(RUNS, json=SMALL | {"model": "Tiny", "cold": True}).json()
        where = f"{RUNS}/{run['id']}"
        wait_until(lambda: client.get(where).json()["state"] != "running", "the benchmark")
        found = client.get(where).json()
        assert (found["state"], found["error"], found["failures"]) == ("complete", None, 0)
        # Unloading is for administrators, and it was done.
        assert found["cold"] is True
