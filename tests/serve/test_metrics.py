"""After known traffic, a scrape of a real server says just that, and so do its statistics."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.counting_model import counted
from harness.server import SMALL, Server, chat_body, free_port, kronk, running_server
from harness.stream import DONE
from harness.waiting import PATIENCE, wait_until
from kronk.gateway.telemetry.metrics.catalog import ALL

COUNT, RANK, BROKEN = "Count", "Rank", "Broken"
CANARY = "xylophone-canary-7391"


@dataclass
class Scrape:
    """One, by name and labels."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]
    types: dict[str, str]

    def of(self, name: str, **labels: str) -> float | None:
        return self.values.get((name, frozenset(labels.items())))

    def every(self, name: str, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
        """All samples of that name that have these labels, by their other ones."""
        wanted = frozenset(labels.items())
        return {
            having - wanted: value
            for (found, having), value in self.values.items()
            if found == name and wanted <= having
        }


def scrape(server: Server, port: int) -> tuple[str, Scrape]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    families = list(text_string_to_metric_families(text))
    values = {
        (one.name, frozenset(one.labels.items())): one.value
        for family in families
        for one in family.samples
    }
    return text, Scrape(values, {family.name: family.type for family in families})


@dataclass
class Traffic:
    """What was sent, and what the answers said of it."""

    server: Server
    port: int
    tokens: Counter[tuple[str, str]] = field(default_factory=Counter)
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    finishes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    text: str = ""
    found: Scrape = field(default_factory=lambda: Scrape({}, {}))
    statistics: dict[str, Any] = field(default_factory=dict)

    def note_usage(self, model: str, endpoint: str, usage: dict[str, Any]) -> None:
        self.done[model, endpoint] += 1
        self.tokens[model, "prompt"] += usage["prompt_tokens"]
        self.tokens[model, "completion"] += usage.get("completion_tokens", 0)
        details = usage.get("prompt_tokens_details") or {}
        self.tokens[model, "cached"] += details.get("cached_tokens", 0)

    def chat(self, prompt: str, **more: Any) -> None:
        self.ask("/v1/chat/completions", "chat-completions", chat_body(COUNT, prompt, **more))

    def ask(self, path: str, endpoint: str, body: dict[str, Any]) -> None:
        answer = httpx.post(f"{self.server.url}{path}", json=body, timeout=PATIENCE)
        self.statuses[path, answer.status_code] += 1
        if answer.status_code != 200:
            return
        said = answer.json()
        self.note_usage(body["model"], endpoint, said["usage"])
        self.finishes.update(one["finish_reason"] for one in said.get("choices", ()))

    def stream(self, prompt: str, count: int) -> None:
        options = {"stream_options": {"include_usage": True}}
        with self.server.stream(COUNT, prompt, max_tokens=count, **options) as stream:
            stream.wait_for_end()
            assert stream.text == counted(7, count)
        usage = next(one["usage"] for one in stream.events if one != DONE and one.get("usage"))
        self.note_usage(COUNT, "chat-completions", usage)
        self.finishes["length"] += 1
        self.statuses["/v1/chat/completions", 200] += 1


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory, counting: Path) -> Iterator[Traffic]:
    base, port = tmp_path_factory.mktemp("metered"), free_port()
    ranking = Path(__file__).parents[1] / "models" / "tiny-rerank-q8_0.gguf"
    files = {
        "test/fam/Count.gguf": counting,
        "test/fam/Rank.gguf": ranking,
        "test/fam/Broken.gguf": ranking,
    }
    # More positions than it has cannot be.
    config = {RANK: SMALL | {"context_window": 512}}
    flags = (f"--debug-host=127.0.0.1:{port}", "--cache-ttl=0", "--models-in-cache=1")
    with running_server(base, files, config, *flags) as server:
        made = Traffic(server, port)
        send(made)
        yield made


def send(made: Traffic) -> None:
    server = made.server
    made.chat(f"from 7 {CANARY}", max_tokens=3)
    made.chat("from 7", max_tokens=4)
    made.stream("from 7", 5)
    made.chat("from 7", temperature="hot")
    for number in range(3):
        body = chat_body(f"made-up-{number}", "hi", max_tokens=1)
        made.ask("/v1/chat/completions", "chat-completions", body)
    assert httpx.get(f"{server.url}/no/such/route").status_code == 404
    # Nobody has killed it but us.
    server.kill(server.row(COUNT)["pid"])
    wait_until(lambda: server.row(COUNT)["state"] == "backoff", "the end to be noticed")
    made.chat("from 7", max_tokens=2)
    # One place: each goes for the next.
    documents = {"query": "what", "documents": ["a cat", "a dog"]}
    for model in (RANK, BROKEN):
        made.ask("/v1/rerank", "rerank", documents | {"model": model})
    with server.stream(COUNT, "from 7", max_tokens=100_000) as stream:
        stream.wait_for_pieces(3)
    server.wait_for_row(COUNT, active_streams=0)
    made.text, made.found = scrape(server, made.port)
    rows = server.get("/v1/kronk/statistics")["data"]
    made.statistics = {row["model"]: row for row in rows}


def id_of(traffic: Traffic, name: str) -> str:
    """What a model is counted as."""
    return next(model for model in traffic.statistics if model.endswith(name))


def test_requests_are_counted_by_model_endpoint_and_outcome(traffic: Traffic) -> None:
    found = traffic.found
    for (model, endpoint), count in traffic.done.items():
        labels = {"model": id_of(traffic, model), "endpoint": endpoint, "outcome": "done"}
        assert found.of("kronk_requests_total", **labels) == count, labels
    cut = {"model": id_of(traffic, COUNT), "endpoint": "chat-completions"}
    assert found.of("kronk_requests_total", **cut, outcome="cancelled") == 1
    # A model that is there, and cannot be loaded.
    broken = {"model": BROKEN, "endpoint": "rerank", "outcome": "model_failed"}
    assert found.of("kronk_requests_total", **broken) == 1
    made_up = {"model": "unknown", "endpoint": "chat-completions", "outcome": "not_found"}
    assert found.of("kronk_requests_total", **made_up) == 3
    assert sum(found.every("kronk_requests_total").values()) == traffic.done.total() + 5
    assert found.of("kronk_lease_refusals_total", code="not_found") == 3


def test_http_requests_are_counted_by_route_and_status(traffic: Traffic) -> None:
    found = traffic.found
    for (path, status), count in traffic.statuses.items():
        labels = {"route": path, "method": "POST", "status": str(status)}
        assert found.of("kronk_http_requests_total", **labels) == count, labels
    left = {"route": "/v1/chat/completions", "method": "POST", "status": "499"}
    assert found.of("kronk_http_requests_total", **left) == 1
    nowhere = {"route": "none", "method": "other", "status": "404"}
    assert found.of("kronk_http_requests_total", **nowhere) == 1
    every = found.every("kronk_http_requests_total")
    assert found.of("requests") == sum(every.values())
    wrong = [value for labels, value in every.items() if dict(labels)["status"] >= "400"]
    assert found.of("errors") == sum(wrong)
    assert found.of("panics") == 0


def test_tokens_are_those_that_the_answers_told(traffic: Traffic) -> None:
    count, found = id_of(traffic, COUNT), traffic.found
    cancelled = traffic.statistics[count]
    for kind in ("cached", "reasoning"):
        told = traffic.tokens[COUNT, kind]
        assert found.of("kronk_tokens_total", model=count, kind=kind) == told
    # Of what was cut off, as much as had come here.
    prompt = found.of("kronk_tokens_total", model=count, kind="prompt")
    completion = found.of("kronk_tokens_total", model=count, kind="completion")
    assert prompt == cancelled["prompt_tokens"] > traffic.tokens[COUNT, "prompt"]
    assert completion == cancelled["completion_tokens"]
    assert completion >= traffic.tokens[COUNT, "completion"] + 3
    spread = traffic.done[COUNT, "chat-completions"]
    mean = found.of("usage_output_tokens_avg", model=count)
    assert mean == pytest.approx(traffic.tokens[COUNT, "completion"] / spread)
    ranked = found.of("kronk_tokens_total", model=id_of(traffic, RANK), kind="prompt")
    assert ranked == traffic.tokens[RANK, "prompt"]
    for kind in ("prompt", "completion"):
        total = sum(found.every("kronk_tokens_total", kind=kind).values())
        assert found.of("kronk_subject_tokens_total", subject="nobody", kind=kind) == total


def test_gaps_between_tokens_and_speeds_are_of_every_token_but_the_first(traffic: Traffic) -> None:
    count, found = id_of(traffic, COUNT), traffic.found
    done = traffic.done[COUNT, "chat-completions"]
    gaps = traffic.tokens[COUNT, "completion"] - done
    assert found.of("kronk_inter_token_seconds_count", model=count) == gaps
    assert sum(found.every("kronk_decode_tokens_total", model=count).values()) == gaps
    seconds = sum(found.every("kronk_decode_seconds_total", model=count).values())
    assert found.of("kronk_inter_token_seconds_sum", model=count) == pytest.approx(seconds)


def test_each_request_has_one_place_in_every_histogram(traffic: Traffic) -> None:
    count, found = id_of(traffic, COUNT), traffic.found
    done = traffic.done[COUNT, "chat-completions"]
    # The one that was cut off had its first token, too.
    for name in ("ttft_seconds", "request_seconds", "queue_wait_seconds"):
        assert found.of(f"kronk_{name}_count", model=count) == done + 1, name
        assert found.of(f"kronk_{name}_bucket", model=count, le="+Inf") == done + 1
    assert found.of("kronk_decode_tokens_per_second_count", model=count) == done
    hits = sum(found.every("kronk_prompt_cache_hits_total", model=count).values())
    misses = sum(found.every("kronk_prompt_cache_misses_total", model=count).values())
    assert hits + misses == done
    for reason, times in traffic.finishes.items():
        assert found.of("kronk_finish_reasons_total", model=count, reason=reason) == times


def test_what_became_of_processes_is_counted_in_the_supervisor(traffic: Traffic) -> None:
    count, found = id_of(traffic, COUNT), traffic.found
    # At first, after the kill, and after it had made room.
    assert found.of("kronk_load_seconds_count", model=count) == 3
    assert found.every("kronk_exits_total", model=count) == {
        frozenset({("cause", signal.SIGKILL.name)}): 1
    }
    assert found.of("kronk_restarts_total", model=count) == 1
    for name in (COUNT, RANK):
        labels = {"model": id_of(traffic, name), "reason": "models_in_cache"}
        assert found.of("kronk_evictions_total", **labels) == 1
    low, mean, high = (
        found.of(f"model_load_{which}", model=count) for which in ("min", "avg", "max")
    )
    assert low is not None and mean is not None and high is not None
    assert 0 < low <= mean <= high
    leases = sum(found.every("kronk_leases_ended_total").values())
    assert found.of("kronk_leases_asked_total") == leases


def test_one_scrape_has_every_process(traffic: Traffic) -> None:
    found, count = traffic.found, id_of(traffic, COUNT)
    assert found.of("kronk_scrape_complete") == 1
    processes = {dict(labels)["process"] for labels in found.every("kronk_process_resident_bytes")}
    assert {"supervisor", "gateway", "worker"} <= processes
    row = traffic.server.row(COUNT)
    assert row is not None
    assert found.of("kronk_slots", model=count) == row["slots_total"]
    assert found.of("kronk_slots_busy", model=count) == 0
    budget = found.of("kronk_memory_budget_bytes", device="host")
    promised = found.of("kronk_model_memory_promised_bytes", model=count, device="host")
    assert budget is not None and promised is not None
    assert 0 < promised < budget
    assert found.of("kronk_memory_promised_bytes", device="host") == promised


def test_every_series_is_of_the_table_and_no_prompt_is_in_it(traffic: Traffic) -> None:
    ours = {name for name in traffic.found.types if name.startswith(("kronk_", "model_"))}
    assert ours <= {name.removesuffix("_total") for name in ALL}
    assert CANARY not in traffic.text
    assert "made-up" not in traffic.text


def test_statistics_agree_with_the_scrape(traffic: Traffic) -> None:
    told = traffic.statistics[id_of(traffic, COUNT)]
    done = traffic.done[COUNT, "chat-completions"]
    assert (told["done"], told["cancelled"], told["requests"]) == (done, 1, done + 1)
    assert told["load_seconds"]["count"] == 3
    assert told["crashes"] == {signal.SIGKILL.name: 1}
    assert told["evictions"] == {"models_in_cache": 1}
    assert told["ttft_seconds"]["count"] == done + 1
    assert told["peak_rss_bytes"] > 0


def test_statistics_are_written_when_the_server_stops_and_read_without_it(traffic: Traffic) -> None:
    """The last one: it ends the server."""
    server = traffic.server
    before = server.get(f"/v1/kronk/statistics/{COUNT}")
    server.text(COUNT, "from 7", max_tokens=1)
    assert server.stop() == 0
    ran = kronk("model", "stats", COUNT, "--json", "--local", f"--base-path={server.base}")
    assert ran.returncode == 0, ran.stderr
    after = json.loads(ran.stdout)
    assert after["requests"] == before["requests"] + 1
    assert after["crashes"] == before["crashes"] == {signal.SIGKILL.name: 1}
    server.prove_gone()
