"""Metrics: what runs, requests, models and jobs come to, under the names of one table."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from harness import reports
from harness.reports import MODEL
from kronk.gateway import job
from kronk.gateway.access.rules import Gate, inference
from kronk.gateway.jobs.records import Fault, Job, State
from kronk.gateway.link import Link
from kronk.gateway.middleware import Activity
from kronk.gateway.record import Record
from kronk.gateway.telemetry.metrics import cache_reasons, of_requests, reference
from kronk.gateway.telemetry.metrics import metrics as scraping
from kronk.gateway.telemetry.metrics.cache_reasons import Hit, Miss
from kronk.gateway.telemetry.metrics.catalog import ALL
from kronk.gateway.telemetry.metrics.labels import ModelNames, Subjects
from kronk.gateway.telemetry.metrics.metrics import Metrics
from kronk.gateway.telemetry.metrics.of_jobs import STUCK_AFTER, JobTallies
from kronk.gateway.telemetry.metrics.sheet import Sheet
from kronk.gateway.telemetry.metrics.tallies import Tallies
from kronk.gateway.telemetry.report import RunReport
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared.errors import NotFound, Timeout
from kronk.shared.security.identity import Identity
from kronk.shared.telemetry.runtime import Meter
from kronk.shared.wire.status import (
    Budget,
    CacheStats,
    LeaseCounts,
    ModelCounters,
    ModelStatus,
    Runtime,
)
from kronk.shared.wire.to_gateway import Status
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Media, Speed, Timings, Usage

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
CHAT = Gate(inference("chat-completions"), "POST", "/v1/chat/completions")


def samples(sheet: Sheet) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in sheet.families()
        for sample in family.samples
    }


def read(text: bytes) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def told(*runs: RunReport) -> Samples:
    tallies, sheet = Tallies(), Sheet()
    for run in runs:
        tallies.run_ended(run)
    of_requests.write(sheet, tallies)
    return samples(sheet)


def test_a_run_counts_under_the_id_of_its_model_whatever_it_was_asked_by() -> None:
    found = told(reports.done())
    labels = {"model": MODEL, "endpoint": "chat-completions", "outcome": "done"}
    assert of(found, "kronk_requests_total", **labels) == 1
    kinds = {"prompt": 100, "cached": 60, "completion": 11, "reasoning": 3}
    for kind, tokens in kinds.items():
        assert of(found, "kronk_tokens_total", model=MODEL, kind=kind) == tokens
    assert of(found, "kronk_finish_reasons_total", model=MODEL, reason="stop") == 1
    assert of(found, "kronk_prompt_cache_hits_total", model=MODEL, source="retained") == 1


@pytest.mark.parametrize(
    ("name", "count", "total"),
    [
        ("kronk_ttft_seconds", 1, 1.5),
        ("kronk_request_seconds", 1, 4.0),
        # Half a second for the lease, a quarter for the slot.
        ("kronk_queue_wait_seconds", 1, 0.75),
        ("kronk_inter_token_seconds", 10, 2.0),
        # 40 tokens were read in half a second, and 10 written in two: the first came of the prompt.
        ("kronk_prefill_tokens_per_second", 1, 80.0),
        ("kronk_decode_tokens_per_second", 1, 5.0),
    ],
)
def test_what_took_time_is_in_a_histogram(name: str, count: int, total: float) -> None:
    found = told(reports.done())
    assert of(found, f"{name}_count", model=MODEL) == count
    assert of(found, f"{name}_sum", model=MODEL) == pytest.approx(total)
    assert of(found, f"{name}_bucket", model=MODEL, le="+Inf") == count


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model_prompt_creation", 0.03),
        ("model_prefill_nonmedia", 0.5),
        ("model_ttft", 1.5),
        ("usage_prompt_tokens", 100),
        ("usage_reasoning_tokens", 3),
        ("usage_completion_tokens", 8),
        ("usage_output_tokens", 11),
        ("usage_total_tokens", 111),
        ("usage_tokens_per_second", 5.0),
    ],
)
def test_the_manuals_gauges_are_of_all_runs(name: str, value: float) -> None:
    found = told(reports.done(), reports.done())
    for which in ("avg", "min", "max"):
        assert of(found, f"{name}_{which}", model=MODEL) == pytest.approx(value)


def test_mean_least_and_greatest_differ_where_runs_do() -> None:
    later = replace(reports.done(), attempts=(reports.attempt(first=104.5),))
    found = told(reports.done(), later)
    values = [of(found, f"model_ttft_{which}", model=MODEL) for which in ("avg", "min", "max")]
    assert values == [3.0, 1.5, 4.5]


def test_the_wait_for_a_load_is_no_wait_in_the_queue() -> None:
    waiting = reports.attempt(granted=103.0, loading=2.5, load_seconds=4.0)
    found = told(replace(reports.done(), attempts=(waiting,)))
    assert of(found, "kronk_load_wait_seconds_total", model=MODEL) == 2.5
    assert of(found, "kronk_queue_wait_seconds_sum", model=MODEL) == pytest.approx(0.75)


def test_speed_is_by_the_size_of_the_context() -> None:
    found = told(reports.done())
    labels = {"model": MODEL, "context": "1024"}
    assert of(found, "kronk_decode_tokens_total", **labels) == 10
    assert of(found, "kronk_decode_seconds_total", **labels) == 2.0


def test_an_answer_that_was_cut_off_counts_as_far_as_it_came() -> None:
    cut = replace(reports.done(), outcome="cancelled", usage=None, timings=None)
    found = told(cut)
    labels = {"model": MODEL, "endpoint": "chat-completions", "outcome": "cancelled"}
    assert of(found, "kronk_requests_total", **labels) == 1
    assert of(found, "kronk_tokens_total", model=MODEL, kind="completion") == 11
    assert of(found, "usage_prompt_tokens_avg", model=MODEL) is None


def test_an_order_to_load_counts_and_is_in_no_histogram() -> None:
    order = reports.done(job=job.load("tiny"), usage=Usage(0, 0), timings=Timings(0.0, 0.0, 0.0))
    found = told(order)
    labels = {"model": MODEL, "endpoint": "chat-completions", "outcome": "done"}
    assert of(found, "kronk_requests_total", **labels) == 1
    assert of(found, "kronk_request_seconds_count", model=MODEL) == 0


def test_texts_that_are_embedded_have_no_first_token() -> None:
    embedded = reports.done(
        job=job.embed("tiny", ("a",), None, truncate=False),
        usage=Usage(100, 0),
        timings=Timings(0.25, 0.5, 0.0),
    )
    found = told(embedded)
    assert of(found, "kronk_tokens_total", model=MODEL, kind="prompt") == 100
    assert of(found, "kronk_prefill_tokens_per_second_sum", model=MODEL) == 200.0
    for name in ("ttft_seconds", "decode_tokens_per_second", "inter_token_seconds"):
        assert of(found, f"kronk_{name}_count", model=MODEL) == 0
    assert of(found, "usage_tokens_per_second_avg", model=MODEL) is None


@pytest.mark.parametrize(("started", "waited"), [(None, 4.0), (102.0, 2.0)])
def test_who_gave_up_has_waited_in_the_worker_too(started: float | None, waited: float) -> None:
    # It had its lease after half a second, and was left at 104.
    gone = reports.attempt(submitted=100.5, started=started, first=None)
    left = reports.done(attempts=(gone,), outcome="cancelled", usage=None, timings=None)
    assert of(told(left), "kronk_queue_wait_seconds_sum", model=MODEL) == waited


def test_how_fast_an_answer_was_is_counted_of_what_its_last_process_wrote() -> None:
    lost = reports.attempt(lost=101.7, cause="SIGKILL")
    # Eleven tokens, of which six are the first process's; the seventh came out of a prefill.
    timings = Timings(0.25, 0.5, 2.0, speeds=(Speed(0, 4, 2.0),))
    found = told(reports.done(attempts=(lost, reports.attempt(generation=8)), timings=timings))
    assert of(found, "usage_tokens_per_second_max", model=MODEL) == 2.0
    assert of(found, "kronk_decode_tokens_per_second_sum", model=MODEL) == 2.0
    # Its second prefill read what had been written, too.
    assert of(found, "kronk_prefill_tokens_per_second_count", model=MODEL) == 0


def test_a_prompt_with_images_is_read_under_a_name_of_its_own() -> None:
    seen = reports.chat()
    assert isinstance(seen.ask, Submit)
    picture = replace(seen.ask.prompt, media=(Media("image", b"", "messages"),))
    found = told(reports.done(job=replace(seen, ask=replace(seen.ask, prompt=picture))))
    assert of(found, "model_prefill_media_avg", model=MODEL) == 0.5
    assert of(found, "model_prefill_nonmedia_avg", model=MODEL) is None


def refused(name: str) -> RunReport:
    lone = reports.attempt(granted=None, generation=None, model=None, first=None)
    return reports.done(
        job=reports.chat(name),
        attempts=(lone,),
        outcome="failed",
        usage=None,
        timings=None,
        prompt_tokens=0,
        completion_tokens=0,
        finish_reasons=(),
        error=NotFound("there is no such model"),
    )


def test_names_that_clients_make_up_make_no_series() -> None:
    found = told(*[refused(f"model-{number}") for number in range(100)])
    labels = {"model": "unknown", "endpoint": "chat-completions", "outcome": "not_found"}
    assert of(found, "kronk_requests_total", **labels) == 100
    assert {dict(labels)["model"] for name, labels in found if "model" in dict(labels)} == {
        "unknown"
    }


def test_a_refusal_counts_for_a_model_that_is_known_by_that_name() -> None:
    found = told(reports.done(), refused("tiny"), refused(MODEL))
    labels = {"model": MODEL, "endpoint": "chat-completions", "outcome": "not_found"}
    assert of(found, "kronk_requests_total", **labels) == 2


def test_the_first_subjects_keep_their_series_and_the_rest_share_one() -> None:
    subjects = Subjects(most=2)
    assert [subjects.label(one) for one in ("a", "b", "c", "a", "", None)] == [
        "a",
        "b",
        "other",
        "a",
        "nobody",
        "nobody",
    ]


def test_only_so_many_names_of_models_are_kept() -> None:
    names = ModelNames()
    for number in range(5000):
        names.learn(f"alias-{number}", MODEL)
    assert names.label("alias-4999") == MODEL
    assert names.label("alias-0") == "unknown"


def test_tokens_count_for_who_asked() -> None:
    ann = reports.done(by=Identity("ann"))
    found = told(ann, ann, reports.done())
    assert of(found, "kronk_subject_requests_total", subject="ann") == 2
    assert of(found, "kronk_subject_tokens_total", subject="ann", kind="prompt") == 200
    assert of(found, "kronk_subject_tokens_total", subject="nobody", kind="completion") == 11


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("", None),
        ("retained: 60 of 90 tokens", Hit("retained")),
        ("busy: 3 tokens", Hit("busy")),
        ("stored: 3 tokens", Hit("stored")),
        ("disk: 4096 tokens", Hit("disk")),
        ("disk: 64 tokens, which llama.cpp did not take", Miss("other")),
        ("off", Miss("off")),
        ("no entry", Miss("no_entry")),
        ("diverges at token 7 of 90", Miss("diverges")),
        ("prefix of 3 tokens is below cache_min_tokens", Miss("too_short")),
        ("rigid memory: no snapshot at or before token 7", Miss("no_snapshot")),
        ("disk entry damaged or gone", Miss("damaged")),
        ("what a later worker says", Miss("other")),
    ],
)
def test_what_a_worker_says_of_its_cache_becomes_one_of_few_words(
    words: str, meaning: Hit | Miss | None
) -> None:
    assert cache_reasons.read(words) == meaning


def asked(
    status: int | None, error: str | None = None, gate: Gate | None = CHAT, *, bug: bool = False
) -> Record:
    record = Record("req-1", status=status, error=error, is_bug=bug)
    record.gate = gate
    return record


def test_requests_errors_and_bugs_are_counted_once_each() -> None:
    tallies, sheet = Tallies(), Sheet()
    records = [
        asked(200),
        asked(400, "invalid_argument"),
        asked(404, "not_found", None),
        asked(200, "client_gone"),
        asked(500, "internal", bug=True),
        asked(500, "internal"),
        asked(429, "rate_limited"),
        asked(401, "unauthenticated"),
    ]
    for record in records:
        tallies.request_ended({}, record)
    of_requests.write(sheet, tallies)
    found = samples(sheet)
    assert (of(found, "requests"), of(found, "errors"), of(found, "panics")) == (8, 7, 1)
    route = {"route": CHAT.path, "method": "POST"}
    assert of(found, "kronk_http_requests_total", **route, status="500") == 2
    assert of(found, "kronk_http_requests_total", **route, status="499") == 1
    nowhere = {"route": "none", "method": "other", "status": "404"}
    assert of(found, "kronk_http_requests_total", **nowhere) == 1
    assert of(found, "kronk_rate_limit_denials_total", endpoint="chat-completions") == 1
    assert of(found, "kronk_auth_refusals_total", code="unauthenticated") == 1
    assert of(found, "kronk_http_request_seconds_count", endpoint="chat-completions") == 7


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def pull(state: State, done_bytes: int = 0, **more: Any) -> Job:
    return Job("job-1", "pull", {}, "t", "t", 0.0, state, done_bytes=done_bytes, **more)


def of_jobs(tallies: JobTallies) -> Samples:
    sheet = Sheet()
    tallies.write(sheet)
    return samples(sheet)


def test_a_download_counts_its_bytes_while_they_come_and_its_end_once() -> None:
    jobs = JobTallies(Clock())
    jobs.note(pull(State.QUEUED))
    jobs.note(pull(State.RUNNING, 100))
    assert of(of_jobs(jobs), "kronk_jobs", kind="pull", state="running") == 1
    jobs.note(pull(State.RUNNING, 250))
    for _ in range(2):
        jobs.note(pull(State.DONE, 300))
    found = of_jobs(jobs)
    assert of(found, "kronk_job_bytes_total", kind="pull") == 300
    assert of(found, "kronk_jobs_ended_total", kind="pull", outcome="done") == 1
    assert of(found, "kronk_jobs", kind="pull", state="running") == 0


def test_a_job_is_stuck_when_nothing_has_moved_or_it_waits_to_be_tried_again() -> None:
    clock = Clock()
    jobs = JobTallies(clock)
    jobs.note(pull(State.RUNNING, 100))
    clock.now = STUCK_AFTER
    assert of(of_jobs(jobs), "kronk_jobs_stuck", kind="pull") == 1
    jobs.note(pull(State.RUNNING, 101))
    assert of(of_jobs(jobs), "kronk_jobs_stuck", kind="pull") == 0
    jobs.note(pull(State.QUEUED, 101, error=Fault("timeout", "the hub does not answer")))
    assert of(of_jobs(jobs), "kronk_jobs_stuck", kind="pull") == 1


def row(**more: Any) -> ModelStatus:
    facts: dict[str, Any] = dict.fromkeys(ModelStatus.__dataclass_fields__)
    for name, field in ModelStatus.__dataclass_fields__.items():
        if field.default_factory is not None and callable(field.default_factory):
            facts[name] = field.default_factory()
    facts |= {
        "model": MODEL,
        "state": "ready",
        "slots_busy": 1,
        "slots_total": 4,
        "queued": 2,
        "active_streams": 3,
        "tokens_per_second": 12.5,
        "restarts": 1,
        "slots": (),
        "caches": (CacheStats("ram", 3, 4096, cap_bytes=8192),),
        "runtime": Runtime(0.01, 5, 6, 7, 0.5),
        "decode_seconds": 9.0,
        "overhead_seconds": 1.0,
        "promised": {"host": 1000},
    }
    return ModelStatus(**(facts | more))


STATUS = Status(
    ask=1,
    draining=False,
    models=(row(),),
    processes=(),
    budgets=(Budget("host", 100, 80, 60),),
    leases=LeaseCounts(asked=9, refused=2, returned=5, lost=1, waiting=1),
    counters=(
        ModelCounters(
            MODEL,
            loads=2,
            load_seconds=3.0,
            load_buckets=(0, 0, 1, 1, *(0,) * 9),
            evictions={"ttl": 1},
            exits={"SIGSEGV": 1},
            load_min=1.0,
            load_max=2.0,
            restarts=1,
        ),
    ),
    refusals={"not_found": 2},
    since=1_700_000_000.0,
)


class Supervisor:
    """What `Metrics` needs of a link."""

    def __init__(self, answer: Status | Timeout) -> None:
        self.answer = answer
        recoveries = SimpleNamespace(retried=1, resumed=2, quarantined=3)
        self.exchange = _Exchange(recoveries)

    async def status(self, seconds: float) -> Status:
        if isinstance(self.answer, Timeout):
            raise self.answer
        return self.answer


class _Exchange:
    stale_frames, late_frames = 4, 5

    def __init__(self, recoveries: Any) -> None:
        self.recoveries = recoveries

    def __len__(self) -> int:
        return 6


def made(answer: Status | Timeout) -> tuple[Metrics, Telemetry]:
    telemetry = Telemetry()
    meter = Meter()
    return Metrics(telemetry, cast(Link, Supervisor(answer)), Activity(), meter), telemetry


async def scraped(answer: Status | Timeout, accept: str = "") -> tuple[bytes, str]:
    metrics, telemetry = made(answer)
    telemetry.run_ended(reports.done())
    return await asyncio.to_thread(metrics.answer, accept)


def test_one_scrape_has_gateway_supervisor_and_workers() -> None:
    text, content_type = asyncio.run(scraped(STATUS))
    assert content_type.startswith("text/plain; version=0.0.4")
    found = read(text)
    expected = {
        ("kronk_scrape_complete",): 1,
        ("kronk_requests_live",): 6,
        ("kronk_frames_dropped_total", ("why", "stale")): 4,
        ("kronk_recoveries_total", ("how", "quarantined")): 3,
        ("kronk_tokens_total", ("model", MODEL), ("kind", "completion")): 11,
        ("kronk_model_state", ("model", MODEL), ("state", "ready")): 1,
        ("kronk_slots", ("model", MODEL)): 4,
        ("kronk_slots_busy", ("model", MODEL)): 1,
        ("kronk_queue_length", ("model", MODEL)): 2,
        ("kronk_leases", ("state", "waiting")): 1,
        ("kronk_leases_ended_total", ("outcome", "lost")): 1,
        ("kronk_lease_refusals_total", ("code", "not_found")): 2,
        ("kronk_load_seconds_count", ("model", MODEL)): 2,
        ("kronk_load_seconds_bucket", ("model", MODEL), ("le", "1.0")): 1,
        ("model_load_avg", ("model", MODEL)): 1.5,
        ("model_load_max", ("model", MODEL)): 2.0,
        ("kronk_evictions_total", ("model", MODEL), ("reason", "ttl")): 1,
        ("kronk_exits_total", ("model", MODEL), ("cause", "SIGSEGV")): 1,
        ("kronk_restarts_total", ("model", MODEL)): 1,
        ("kronk_cache_bytes", ("model", MODEL), ("kind", "ram")): 4096,
        ("kronk_worker_cpu_seconds_total", ("model", MODEL), ("part", "decode")): 9.0,
        ("kronk_loop_lag_seconds", ("process", "worker"), ("model", MODEL)): 0.01,
        ("kronk_loop_lag_seconds", ("process", "gateway"), ("model", "")): 0.0,
        ("kronk_memory_budget_bytes", ("device", "host")): 80,
        ("kronk_model_memory_promised_bytes", ("model", MODEL), ("device", "host")): 1000,
        ("kronk_start_time_seconds",): 1_700_000_000.0,
    }
    for (name, *labels), value in expected.items():
        assert of(found, name, **dict(cast(Any, labels))) == value, (name, labels)


def test_every_family_is_in_a_scrape_under_its_type_and_no_other_of_ours() -> None:
    text, _ = asyncio.run(scraped(STATUS))
    shown = {
        line.split()[2]: line.split()[3]
        for line in text.decode().splitlines()
        if line.startswith("# TYPE")
    }
    wanted = {name: "untyped" if one.kind == "unknown" else one.kind for name, one in ALL.items()}
    assert {name: shown.get(name) for name in wanted} == wanted
    assert {name for name in shown if name.startswith("kronk_")} <= wanted.keys()


def test_openmetrics_is_written_for_who_asks_for_it() -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    text, content_type = asyncio.run(scraped(STATUS, accept))
    assert content_type.startswith("application/openmetrics-text")
    families = {family.name for family in openmetrics_families(text.decode())}
    assert {"kronk_tokens", "requests", "model_ttft_avg", "kronk_ttft_seconds"} <= families


def test_a_scrape_works_without_the_supervisor() -> None:
    text, _ = asyncio.run(scraped(Timeout("the supervisor did not answer within 2 s")))
    found = read(text)
    assert of(found, "kronk_scrape_complete") == 0
    assert of(found, "kronk_tokens_total", model=MODEL, kind="completion") == 11
    assert of(found, "kronk_slots", model=MODEL) is None


def test_a_scrape_works_while_the_loop_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraping, "STATUS_SECONDS", 0.01)
    monkeypatch.setattr(scraping, "_LOOP_SECONDS", 0.01)

    async def hung() -> bytes:
        metrics, _ = made(STATUS)
        # The loop does nothing else meanwhile.
        return metrics.exposition()

    assert of(read(asyncio.run(hung())), "kronk_scrape_complete") == 0


def test_a_sample_with_other_labels_than_the_tables_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="kronk_slots"):
        Sheet().add("kronk_slots", 1, gpu="0")


def test_names_are_as_prometheus_wants_them() -> None:
    for one in ALL.values():
        assert (one.kind == "counter") == one.name.endswith("_total"), one.name
        assert (one.kind == "histogram") == bool(one.bounds), one.name
        assert list(one.bounds) == sorted(set(one.bounds)), one.name
        assert not any(math.isinf(bound) for bound in one.bounds), one.name
        assert one.meaning.endswith("."), one.name


def test_a_gateway_that_nobody_scrapes_starts_without_prometheus_client() -> None:
    code = "import sys, kronk.gateway.main; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_documents_table_is_written_from_the_catalog() -> None:
    text = (Path(__file__).parents[2] / "docs/observability.md").read_text()
    written = "python -m kronk.gateway.telemetry.metrics.reference writes it"
    assert text == reference.document(text), written
