"""`kronk ps`: what a row says and how it fits the terminal."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import Any

import pytest
from rich.console import Console

from kronk.cli import ps
from kronk.shared.wire.loading import Fitted
from kronk.shared.wire.status import ModelStatus

BUSY = ModelStatus(
    model="acme/SmolLM2-135M-Instruct.Q4_1",
    pid=4711,
    state="ready",
    generation=3,
    rss_bytes=312 * 2**20,
    n_ctx=8192,
    slots_busy=1,
    slots_total=4,
    queued=2,
    active_streams=1,
    tokens_per_second=31.44,
    idle_seconds=None,
    expires_in=None,
    restarts=1,
    last_exit="killed by SIGKILL\n(kill -9, or out of memory), after which a line that never ends",
)
IDLE = dataclasses.replace(
    BUSY, model="tiny", slots_busy=0, idle_seconds=12.3, expires_in=287.7, last_exit=None
)
GONE = dataclasses.replace(
    BUSY, model="gone", pid=None, generation=None, rss_bytes=None, n_ctx=None, state="failed"
)
PROCESSES = [
    {"role": "supervisor", "pid": 1, "generation": 0, "rss_bytes": 40 * 2**20},
    {"role": "gateway", "pid": 2, "generation": 1, "rss_bytes": 80 * 2**20},
]


def answer(*rows: ModelStatus, draining: bool = False) -> dict[str, Any]:
    listed = [dataclasses.asdict(row) for row in rows]
    return {"data": listed, "processes": PROCESSES, "draining": draining}


def shown(answer: dict[str, Any], width: int, wide: bool = False) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(ps.view(answer, width, wide))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_json_keys_are_those_promised_in_their_order() -> None:
    promised = (
        "model pid state generation rss_bytes n_ctx slots_busy slots_total queued active_streams "
        "tokens_per_second idle_seconds expires_in restarts last_exit"
    )
    assert " ".join(ps.JSON_KEYS) == promised
    fields = tuple(field.name for field in dataclasses.fields(ModelStatus))
    assert fields[: len(ps.JSON_KEYS)] == ps.JSON_KEYS


def test_json_is_a_list_of_objects_with_exactly_those_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = answer(BUSY, IDLE)
    rows["data"][0]["a_later_key"] = 1
    monkeypatch.setattr(ps, "known", lambda admin: rows)
    ps.ps(as_json=True, api_host="127.0.0.1:9")
    listed = json.loads(capsys.readouterr().out)
    assert [tuple(row) for row in listed] == [ps.JSON_KEYS, ps.JSON_KEYS]


def test_a_row_is_a_line_where_it_fits() -> None:
    header, busy, idle, footer = shown(answer(BUSY, IDLE), 200)
    assert header.split("  ")[0] == "MODEL"
    assert header.endswith("LAST EXIT")
    facts = ["ready", "3", "312 MiB", "8192", "1/4", "2", "1", "31.4", "-", "-", "1"]
    assert busy.split()[:2] == [BUSY.model, "4711"]
    assert " ".join(facts) in " ".join(busy.split())
    assert "12s" in idle
    assert "4m48s" in idle
    assert footer == "supervisor 1 (40 MiB) · gateway 2 (80 MiB)"


@pytest.mark.parametrize("width", [20, 40, 80, 100, 140, 150, 200, 1000])
def test_no_width_wraps_or_cuts_a_number(width: int) -> None:
    lines = shown(answer(BUSY, IDLE, GONE), width)
    assert all(len(line) <= width for line in lines)
    text = " ".join(" ".join(lines).split())
    for word in ("312 MiB", "8192", "1/4", "31.4", "4711", "4m48s"):
        assert word in text


def test_only_the_cause_of_an_exit_is_shortened() -> None:
    tables = [
        lines for width in range(100, 200) if (lines := shown(answer(BUSY), width))[0][:2] == "MO"
    ]
    assert len(tables) > 40
    for _, busy, _ in tables:
        assert busy.startswith(f"{BUSY.model}  4711  ready    3  312 MiB")
        assert "killed by SIGKI" in busy
    assert all(lines[1].endswith("…") for lines in tables)


FITTED = Fitted(
    n_ctx=8192,
    slots=4,
    queue=8,
    n_threads=2,
    parameters=100,
    weights_bytes=1000,
    architecture="llama",
    template="model",
    n_batch=2048,
    n_ubatch=512,
    n_threads_batch=4,
    cache_type_k="q8_0",
    flash_attention=True,
    gpu_layers=7,
    layers=32,
    kv_bytes=80 * 2**20,
    compute_bytes=36 * 2**20,
    cache="automatic",
    speculation="ngram",
    notes=("one", "two"),
    confinement=("no new privileges",),
)


def test_wide_adds_what_was_fitted_and_dashes_where_nothing_is() -> None:
    gone_row = dataclasses.replace(GONE, last_exit_age=3700.0)
    rows = answer(dataclasses.replace(BUSY, fitted=FITTED), gone_row)
    header, busy, gone, _ = shown(rows, 1000, wide=True)
    assert header.endswith("LAST EXIT")
    facts = "80 MiB q8_0/f16 36 MiB on 2048/512 2/4 7/32 automatic bundled ngram partly 2 - killed"
    assert facts in " ".join(busy.split())
    assert " - - - - - - - - - - 1h1m killed" in " ".join(gone.split())
    assert shown(rows, 1000) == shown(answer(BUSY, GONE), 1000)


@pytest.mark.parametrize("width", [40, 100, 200, 300])
def test_wide_fits_every_width(width: int) -> None:
    lines = shown(answer(dataclasses.replace(BUSY, fitted=FITTED)), width, wide=True)
    assert all(len(line) <= width for line in lines)
    assert "q8_0/f16" in " ".join(" ".join(lines).split())


def test_no_model_and_a_draining_server_are_said_in_words() -> None:
    assert shown(answer(draining=True), 100) == [
        "no model is loaded",
        "supervisor 1 (40 MiB) · gateway 2 (80 MiB) · draining: no new requests",
    ]
