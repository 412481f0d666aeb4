"""Every series there is: its name, its type, its labels and what it means.

What is exposed, what the documentation says and what the tests hold together come from this table.
Labels are bounded: a `model` is one that the server knows, an `endpoint` one of its routes, and
`subject` one of the first so many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kronk.shared.telemetry import buckets

# "unknown" are the manual's counters, whose names do not end as a counter's have to.
Kind = Literal["counter", "gauge", "histogram", "unknown"]


@dataclass(frozen=True, slots=True)
class Series:
    """One of them; a histogram's are `<name>_bucket`, `<name>_sum` and `<name>_count`."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    # Of a histogram.
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Series that belong together."""

    title: str
    series: tuple[Series, ...]


SPREADS = ("avg", "min", "max")
_MODEL = ("model",)


def _spread(name: str, meaning: str) -> Iterator[Series]:
    for which in SPREADS:
        yield Series(f"{name}_{which}", "gauge", f"{meaning} ({which}).", _MODEL)


def _counter(name: str, meaning: str, *labels: str) -> Series:
    return Series(name, "counter", meaning, labels)


def _gauge(name: str, meaning: str, *labels: str) -> Series:
    return Series(name, "gauge", meaning, labels)


def _histogram(name: str, meaning: str, bounds: tuple[float, ...], *labels: str) -> Series:
    return Series(name, "histogram", meaning, labels, bounds)


MANUAL = Section(
    "Names of the manual",
    (
        _gauge("goroutines", "Tasks of the gateway's loop and threads of its process."),
        Series("requests", "unknown", "HTTP requests that were answered."),
        Series("errors", "unknown", "Of these, answered with an error or ended by one."),
        Series("panics", "unknown", "Of these, ended by a bug of the gateway's."),
        *_spread("model_load", "Seconds that loads of the model took"),
        *_spread("model_load_proj", "Seconds that loads of its projector took"),
        *_spread("model_prompt_creation", "Seconds to render and tokenise a prompt"),
        *_spread("model_prefill_nonmedia", "Seconds to read a prompt of text"),
        *_spread("model_prefill_media", "Seconds to read a prompt with images or recordings"),
        *_spread("model_ttft", "Seconds from a request to its first token"),
        *_spread("usage_prompt_tokens", "Tokens of a prompt"),
        *_spread("usage_reasoning_tokens", "Tokens of an answer that are thinking"),
        *_spread("usage_completion_tokens", "Tokens of an answer that are not"),
        *_spread("usage_output_tokens", "Tokens of an answer, with its thinking"),
        *_spread("usage_total_tokens", "Tokens of a prompt and its answer"),
        *_spread("usage_tokens_per_second", "Tokens a second while an answer was written"),
    ),
)
SERVER = Section(
    "The server",
    (
        _gauge(
            "kronk_scrape_complete",
            "1, or 0 where the supervisor or the gateway's loop did not answer in time: what they "
            "know is missing then.",
        ),
        _gauge("kronk_build_info", "1; what runs.", "version", "python"),
        _gauge("kronk_start_time_seconds", "Unix time at which the server started."),
        _gauge("kronk_uptime_seconds", "Seconds since then."),
        _gauge("kronk_draining", "1 while the server takes no new requests because it stops."),
        _counter(
            "kronk_frames_dropped_total",
            "Messages of workers nobody waited for: `stale` of an earlier process or attempt, "
            "`late` of a request that is over.",
            "why",
        ),
    ),
)
REQUESTS = Section(
    "Requests",
    (
        _counter(
            "kronk_http_requests_total",
            "HTTP requests by route (`none` where there was none for it) and status; 499 is a "
            "client that left, 0 one that was cut off without an answer.",
            "route",
            "method",
            "status",
        ),
        _histogram(
            "kronk_http_request_seconds",
            "From the arrival of a request that a model works for to the end of its answer.",
            buckets.DURATION_SECONDS,
            "endpoint",
        ),
        _gauge("kronk_http_requests_running", "HTTP requests that are being answered."),
        _counter(
            "kronk_requests_total",
            "What was asked of models. An HTTP request may ask several things, a batch has no "
            "HTTP request. `outcome` is `done`, `cancelled` or the code of an error; `model` is "
            "`unknown` where none was found.",
            "model",
            "endpoint",
            "outcome",
        ),
        _gauge("kronk_requests_live", "Of these, waiting or running now."),
        _histogram(
            "kronk_request_seconds",
            "From the question to the end of the answer.",
            buckets.DURATION_SECONDS,
            "model",
        ),
        _histogram(
            "kronk_queue_wait_seconds",
            "Before a request had its slot, without the time its model was loaded in.",
            buckets.QUEUE_SECONDS,
            "model",
        ),
        _counter("kronk_load_wait_seconds_total", "Seconds requests waited for loads.", "model"),
        _histogram(
            "kronk_ttft_seconds",
            "From the question to the first of the answer, all waits included.",
            buckets.TTFT_SECONDS,
            "model",
        ),
        _counter(
            "kronk_finish_reasons_total",
            "Why answers ended: `stop`, `length`, `tool_calls`.",
            "model",
            "reason",
        ),
        _counter(
            "kronk_recoveries_total",
            "Requests whose process died: `retried` before and `resumed` after there was something "
            "of the answer, `quarantined` when no process is asked them any more.",
            "how",
        ),
        _counter(
            "kronk_rate_limit_denials_total",
            "Requests refused because what a token grants was used up.",
            "endpoint",
        ),
        _counter(
            "kronk_auth_refusals_total",
            "Requests refused as `unauthenticated` or with `permission_denied`.",
            "code",
        ),
    ),
)
TOKENS = Section(
    "Tokens and speed",
    (
        _counter(
            "kronk_tokens_total",
            "Tokens by kind: `prompt`, of them `cached`; `completion`, of them `reasoning`; "
            "`draft_proposed`, of them `draft_accepted`. Of an answer that was cut off, what came.",
            "model",
            "kind",
        ),
        _counter(
            "kronk_subject_tokens_total",
            "Tokens by who asked, `prompt` and `completion`. Those without a token are `nobody`; "
            "the first 50 subjects have their own series, all others are `other`.",
            "subject",
            "kind",
        ),
        _counter("kronk_subject_requests_total", "What they asked of models.", "subject"),
        _histogram(
            "kronk_inter_token_seconds",
            "From one token of an answer to the next.",
            buckets.ITL_SECONDS,
            "model",
        ),
        _histogram(
            "kronk_prefill_tokens_per_second",
            "Tokens of a prompt read in a second, without those that a cache had.",
            buckets.PREFILL_RATE,
            "model",
        ),
        _histogram(
            "kronk_decode_tokens_per_second",
            "Tokens written in a second, of one answer.",
            buckets.DECODE_RATE,
            "model",
        ),
        _counter(
            "kronk_decode_tokens_total",
            "Tokens written while the context had at most so many.",
            "model",
            "context",
        ),
        _counter(
            "kronk_decode_seconds_total",
            "Seconds these took, each answer's own: the rates' quotient is tokens a second of a "
            "stream by the size of its context.",
            "model",
            "context",
        ),
        _counter(
            "kronk_prompt_cache_hits_total",
            "Prompts whose beginning was computed before, by where it was: `retained` and `busy` "
            "slots, `stored` in memory, `disk`.",
            "model",
            "source",
        ),
        _counter(
            "kronk_prompt_cache_misses_total",
            "Prompts read from their first token on: `off`, `no_entry`, `diverges`, `too_short`, "
            "`no_snapshot`, `damaged`, `other`.",
            "model",
            "reason",
        ),
    ),
)
MODELS = Section(
    "Models",
    (
        _gauge("kronk_model_state", "1 for the state that the model is in.", "model", "state"),
        _gauge("kronk_slots", "Requests the model works on at a time.", "model"),
        _gauge("kronk_slots_busy", "Of these, taken.", "model"),
        _gauge("kronk_queue_length", "Requests that wait for a slot or the load.", "model"),
        _gauge("kronk_streams", "Requests that were let through to its process.", "model"),
        _gauge(
            "kronk_model_tokens_per_second",
            "Tokens of all its answers in the last seconds.",
            "model",
        ),
        _histogram(
            "kronk_load_seconds",
            "From the assignment of a process to ready.",
            buckets.LOAD_SECONDS,
            "model",
        ),
        _counter(
            "kronk_evictions_total",
            "Processes ended as wanted: `ttl`, `models_in_cache` and `memory` (another model "
            "needed the room), `overrun` (models took more than was expected), `operator`, "
            "`reload`, `stopping`, `host` (of a worker host that left).",
            "model",
            "reason",
        ),
        _counter(
            "kronk_exits_total",
            "Processes that ended otherwise: by a signal such as `SIGSEGV`, with `exit_<code>`, or "
            "`out_of_memory`, `frozen`, `stuck`, `late`, `load_failed`, `not_started`.",
            "model",
            "cause",
        ),
        _counter("kronk_restarts_total", "Processes started after such an end.", "model"),
        _gauge("kronk_leases", "Requests by what they have: `waiting`, `granted`.", "state"),
        _counter("kronk_leases_asked_total", "Requests that asked for a model."),
        _counter(
            "kronk_leases_ended_total",
            "What became of them: `refused`, `returned`, `lost`.",
            "outcome",
        ),
        _counter("kronk_lease_refusals_total", "The refused ones by code of the error.", "code"),
        _gauge(
            "kronk_cache_entries",
            "Prefixes kept in `slots`, `ram`, `pinned` or on `disk`.",
            "model",
            "kind",
        ),
        _gauge("kronk_cache_bytes", "What they take.", "model", "kind"),
        _gauge("kronk_cache_cap_bytes", "What they may take.", "model", "kind"),
    ),
)
MEMORY = Section(
    "Memory and GPUs",
    (
        _gauge("kronk_memory_total_bytes", "Of `host`, or of a GPU.", "device"),
        _gauge("kronk_memory_budget_bytes", "Of that, what models may take.", "device"),
        _gauge("kronk_memory_promised_bytes", "Of that, what is set aside for models.", "device"),
        _gauge("kronk_model_memory_promised_bytes", "Set aside for one.", "model", "device"),
        _gauge(
            "kronk_model_memory_measured_bytes", "What its process took when it was new.", "model"
        ),
        _gauge("kronk_gpu_memory_total_bytes", "Memory of the GPU.", "gpu"),
        _gauge("kronk_gpu_memory_used_bytes", "Of that, taken by whomever.", "gpu"),
        _gauge("kronk_gpu_utilisation_ratio", "Share of the last moment it computed in.", "gpu"),
    ),
)
PROCESSES = Section(
    "Processes",
    (
        _gauge(
            "kronk_process_resident_bytes",
            "Main memory of a process: `supervisor`, `gateway`, `spare`, `worker` (of a `model`).",
            "process",
            "model",
        ),
        _counter(
            "kronk_process_cpu_seconds_total",
            "Processor time of a process on this machine; begins anew with each.",
            "process",
            "model",
        ),
        _gauge("kronk_process_threads", "Its threads.", "process", "model"),
        _counter(
            "kronk_worker_cpu_seconds_total",
            "Processor time of a worker's own threads, without those that llama.cpp computes in: "
            "`decode`, the engine's in llama.cpp; `overhead`, all else, such as choosing tokens, "
            "templates and messages.",
            "model",
            "part",
        ),
        _gauge("kronk_loop_lag_seconds", "The worst lag of its loop lately.", "process", "model"),
        _gauge("kronk_loop_tasks", "Tasks of its loop.", "process", "model"),
        _counter("kronk_gc_seconds_total", "Spent collecting garbage.", "process", "model"),
    ),
)
JOBS = Section(
    "Jobs and downloads",
    (
        _gauge("kronk_jobs", "Jobs that are not over: `queued`, `running`.", "kind", "state"),
        _counter(
            "kronk_jobs_ended_total",
            "Jobs that are: `done`, `failed`, `cancelled`.",
            "kind",
            "outcome",
        ),
        _gauge(
            "kronk_jobs_stuck",
            "Running without getting any further for two minutes, or waiting to be tried again.",
            "kind",
        ),
        _counter("kronk_job_bytes_total", "Bytes they have got: of a pull, downloaded.", "kind"),
    ),
)
SECTIONS = (MANUAL, SERVER, REQUESTS, TOKENS, MODELS, MEMORY, PROCESSES, JOBS)
ALL = {one.name: one for section in SECTIONS for one in section.series}
