"""Downloads belong to the server: they outlive pages, terminals and gateways."""

from __future__ import annotations

import json
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest

from fakes.hub import FileServer, Served, serving
from fakes.hub_api import publish
from harness.server import KRONK, Server, free_port, kronk, running_server
from harness.terminal import Terminal
from harness.waiting import PATIENCE, wait_until
from kronk.shared import exits
from kronk.shared.models.partial import BLOCK

TINY = Path(__file__).parents[1] / "models/tiny-chat-q8_0.gguf"
BODY = TINY.read_bytes()
TOKEN, SIGNATURE = "hf_not_for_others", "s1gnature"
# Of the slow ones, by 16 KiB.
SLOW = 0.1
JOBS = "/v1/kronk/jobs"


@pytest.fixture(scope="module")
def hub() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def server(hub: FileServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_TOKEN", TOKEN)
        base = tmp_path_factory.mktemp("jobs")
        with running_server(base, {"tiny/Tiny.gguf": TINY}) as server:
            yield server


def offer(hub: FileServer, name: str, body: bytes = BODY, **served: Any) -> tuple[Served, str]:
    """A model at an address of its own."""
    path = f"/files/{name}.gguf"
    hub.files[path] = Served(body, **served)
    return hub.files[path], f"{hub.url}{path}?sig={SIGNATURE}"


@contextmanager
def downloading(server: Server, hub: FileServer, name: str) -> Iterator[tuple[dict[str, Any], str]]:
    """A job in the middle of its download, which goes on quickly when the block ends."""
    served, url = offer(hub, name, seconds_per_chunk=SLOW)
    try:
        job = begin(server, url)
        wait_until(lambda: of(server, job)["done_bytes"] > 0, f"the download of {name}")
        yield job, url
    finally:
        served.seconds_per_chunk = 0.0


def begin(server: Server, wanted: str) -> dict[str, Any]:
    answer = server.http().post(JOBS, json={"kind": "pull", "params": {"wanted": wanted}})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def of(server: Server, job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = server.get(f"{JOBS}/{job['id']}")
    return found


def end_of(server: Server, job: dict[str, Any]) -> dict[str, Any]:
    wait_until(
        lambda: of(server, job)["state"] in ("done", "failed", "cancelled"),
        lambda: f"the end of {of(server, job)}",
    )
    return of(server, job)


def command(server: Server, *words: str) -> Any:
    return kronk(*words, f"--base-path={server.base}", mark=server.mark)


def starts(hub: FileServer, name: str) -> list[int]:
    """Where each download of it began."""
    asked = hub.ranges(f"/files/{name}.gguf")
    return [int((text or "bytes=0-")[len("bytes=") :].partition("-")[0]) for text in asked]


def test_a_model_of_the_hub_is_pulled_and_answers_at_once(server: Server, hub: FileServer) -> None:
    publish(hub, "some/models", {"Fetched-Q8_0.gguf": BODY})
    done = command(server, "model", "pull", "some/models:Q8_0")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == BODY
    assert "100% of 3.6 MiB" in done.stderr
    assert server.chat("Fetched-Q8_0", "Hello!", max_tokens=2).status_code == 200
    # Again: it is there, and nothing is fetched.
    asked = len(hub.ranges("/some/models/resolve/main/Fetched-Q8_0.gguf"))
    again = command(server, "model", "pull", "some/models:Q8_0", "--json")
    job = json.loads(again.stdout)
    assert (again.returncode, job["state"]) == (0, "done")
    assert job["result"]["model"] == "Fetched-Q8_0"
    assert len(hub.ranges("/some/models/resolve/main/Fetched-Q8_0.gguf")) == asked


def test_a_page_that_is_closed_ends_nothing(server: Server, hub: FileServer) -> None:
    with downloading(server, hub, "Page") as (job, _):
        path = f"{server.url}{JOBS}/{job['id']}/events"
        with httpx.stream("GET", path, timeout=PATIENCE) as page:
            assert page.headers["content-type"].startswith("text/event-stream")
            first = next(line for line in page.iter_lines() if line)
            assert json.loads(first.removeprefix("data: "))["state"] == "running"
    ended = end_of(server, job)
    assert (ended["state"], ended["attempts"]) == ("done", 1)


def test_the_events_of_a_job_end_with_its_end(server: Server, hub: FileServer) -> None:
    with (
        downloading(server, hub, "Events") as (job, _),
        httpx.stream("GET", f"{server.url}{JOBS}/{job['id']}/events", timeout=PATIENCE) as page,
    ):
        seen: list[dict[str, Any]] = []
        for line in page.iter_lines():
            if line == "data: [DONE]":
                break
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: ")))
                hub.files["/files/Events.gguf"].seconds_per_chunk = 0.0
    assert seen[-1]["state"] == "done"
    assert seen[-1]["result"]["model"] == "Events"
    assert [one["state"] for one in seen[:-1]] == ["running"] * (len(seen) - 1)
    assert all(one["total_bytes"] == len(BODY) for one in seen[:-1])


def test_a_download_goes_on_when_its_gateway_is_killed(server: Server, hub: FileServer) -> None:
    # What was on the disk for sure: whole blocks. The line is silent after the first.
    reached = BLOCK + 2**20
    body = BODY + bytes(BLOCK)
    _, url = offer(hub, "Killed", body, stalls=deque([reached]))
    job = begin(server, url)
    parts = server.base / "models/.downloads"
    wait_until(
        lambda: [file.stat().st_size for file in parts.glob("Killed*.part")] == [reached],
        lambda: f"the first block of {of(server, job)}",
    )
    words = [KRONK, "jobs", "watch", job["id"], f"--base-path={server.base}"]
    with Terminal(words, server.mark) as watching:
        watching.wait_for("download")
        pid = server.role_pid("gateway")
        assert pid is not None
        server.kill(pid, signal.SIGKILL)
        wait_until(lambda: alive(server) not in (None, pid), "the next gateway")
        assert end_of(server, job)["state"] == "done"
        # Who watched is told by the next gateway.
        watching.wait_for("model: Killed")
        assert watching.process.wait(PATIENCE) == exits.OK
    assert of(server, job)["attempts"] == 2
    # Its process may have had the time to save the rest of what came.
    first, second = starts(hub, "Killed")
    assert (first, second in (BLOCK, reached)) == (0, True)
    assert Path(of(server, job)["result"]["path"]).read_bytes() == body
    assert server.chat("Killed", "Hello!", max_tokens=2).status_code == 200


def alive(server: Server) -> int | None:
    try:
        return server.role_pid("gateway")
    except httpx.HTTPError:
        return None


def test_two_pulls_at_once_are_one_download(server: Server, hub: FileServer) -> None:
    with downloading(server, hub, "Twice") as (job, url):
        second = begin(server, url)
        assert (job["joined"], second["joined"], second["id"]) == (False, True, job["id"])
        started = command(server, "model", "pull", url, "--detach")
        assert started.stdout.strip() == job["id"]
    waited = command(server, "jobs", "wait", job["id"])
    assert (waited.returncode, waited.stderr) == (0, "")
    assert starts(hub, "Twice") == [0]


def test_cancel_keeps_what_is_fetched_and_the_next_pull_goes_on_from_it(
    server: Server, hub: FileServer
) -> None:
    with downloading(server, hub, "Cancelled") as (job, url):
        done = command(server, "jobs", "cancel", job["id"])
        assert (done.returncode, done.stdout) == (0, f"{job['id']} is cancelled\n")
        waited = command(server, "jobs", "wait", job["id"])
        assert waited.returncode == exits.JOB_CANCELLED
        assert "is kept" in waited.stderr
    again = begin(server, url)
    assert again["id"] != job["id"]
    assert end_of(server, again)["state"] == "done"
    first, second = starts(hub, "Cancelled")
    assert first == 0 < second
    gone = httpx.delete(f"{server.url}{JOBS}/{job['id']}", timeout=PATIENCE)
    assert gone.json() == {"id": job["id"], "object": "kronk.job", "deleted": True}


def test_ctrl_c_leaves_the_download_to_the_server(server: Server, hub: FileServer) -> None:
    with downloading(server, hub, "Left") as (job, url):
        words = [KRONK, "model", "pull", url, f"--base-path={server.base}"]
        with Terminal(words, server.mark) as pulling:
            pulling.wait_for("download")
            pulling.type("\x03")
            pulling.wait_for(f"kronk jobs watch {job['id']}")
            assert pulling.process.wait(PATIENCE) == exits.INTERRUPTED
        assert of(server, job)["state"] == "running"
    assert end_of(server, job)["state"] == "done"


def test_a_failure_says_why(server: Server, hub: FileServer) -> None:
    missing = command(server, "model", "pull", f"{hub.url}/files/Missing.gguf")
    assert missing.returncode == 1
    assert missing.stderr.splitlines()[-1].startswith("error: ")
    assert "404" in missing.stderr
    publish(hub, "some/models", {"Other-Q8_0.gguf": BODY})
    other = command(server, "model", "pull", "some/models:Q2_K")
    assert other.returncode == 1
    assert "has no Q2_K" in other.stderr
    # What can be told without the network is refused before there is a job.
    before = len(server.get(JOBS)["data"])
    assert command(server, "catalog", "pull", "Nope").returncode == 1
    assert len(server.get(JOBS)["data"]) == before
    failed = server.get(f"{JOBS}?state=failed")["data"]
    assert [job["error"]["code"] for job in failed] == ["not_found", "not_found"]
    listed = command(server, "jobs")
    assert listed.stdout.split()[:4] == ["ID", "KIND", "WHAT", "STATE"]
    assert failed[0]["id"] in listed.stdout


def test_ollamas_client_pulls(server: Server, hub: FileServer) -> None:
    publish(hub, "more/models", {"Llama-Q8_0.gguf": BODY})
    client = server.clients.enter_context(ollama.Client(host=server.url))
    parts = list(client.pull("hf.co/more/models:Q8_0", stream=True))
    assert parts[0].status == "pulling manifest"
    assert parts[-1].status == "success"
    (bar,) = {part.digest for part in parts if part.total}
    assert bar is not None
    assert bar.startswith("sha256:")
    assert server.chat("Llama-Q8_0", "Hello!", max_tokens=2).status_code == 200
    assert client.pull("hf.co/more/models:Q8_0").status == "success"
    with pytest.raises(ollama.ResponseError, match="has no Q2_K") as caught:
        client.pull("hf.co/more/models:Q2_K")
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="has no Q2_K"):
        list(client.pull("hf.co/more/models:Q2_K", stream=True))


def test_local_pulls_need_no_server(hub: FileServer, tmp_path: Path) -> None:
    _, url = offer(hub, "Local")
    base = f"--base-path={tmp_path}"
    without = kronk("model", "pull", url, base, f"--api-host=127.0.0.1:{free_port()}")
    assert without.returncode == 1
    assert "--local" in without.stderr
    done = kronk("model", "pull", url, base, "--local", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert Path(answer["result"]["path"]).read_bytes() == BODY
    assert kronk("model", "pull", url, base, "--local", "--detach").returncode == exits.USAGE


def test_no_secret_is_in_the_jobs_or_in_the_log(server: Server, hub: FileServer) -> None:
    _, url = offer(hub, "Signed")
    assert end_of(server, begin(server, url))["state"] == "done"
    jobs = server.http().get(JOBS).text
    assert "/files/Signed.gguf" in jobs
    for secret in (TOKEN, SIGNATURE):
        assert secret not in jobs
        assert secret not in server.log_file.read_text()
        assert secret not in server.output.read_text()
    assert "Traceback" not in server.log_file.read_text()
