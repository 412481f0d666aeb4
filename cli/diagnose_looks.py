"""What `kronk diagnose` looks at: each look is of its own, and may fail."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kronk
from kronk.shared.benchmark.plan import Plan
from kronk.shared.benchmark.run import Order, measured
from kronk.shared.diagnosis import machine, models, origins, records
from kronk.shared.diagnosis.redaction import Redactor, secrets_of
from kronk.shared.diagnosis.report import Look
from kronk.shared.errors import KronkError
from kronk.shared.libraries import listing
from kronk.shared.models.config_shown import shown
from kronk.shared.models.configured import configured, configured_if_valid
from kronk.shared.settings import Settings

from . import doctor
from .bench_targets import LOCAL, local
from .client import Admin, NoServer, find_server, server_facts
from .lock import read_lock

BENCH_SECONDS = 10.0
_BENCH = Plan((64,), (1, 2), max_tokens=16, repetitions=2, warm_up=1)
_MOST_TRIED = 3
_NOBODY = "no server runs"
_OF_MODELS = (
    "model", "state", "generation", "rss_bytes", "n_ctx", "slots_busy", "slots_total", "queued",
    "active_streams", "restarts", "last_exit",
)  # fmt: skip

Flags = Mapping[str, str | None]


def redactor(settings: Settings) -> Redactor:
    """Knows the secrets of this shell and of this base path by heart."""
    secrets = secrets_of(os.environ)
    secrets |= {text for text in (settings.hf_token, settings.auth_token) if text}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        secrets.add(settings.base.admin_token.read_text("ascii"))
    return Redactor(secrets, [Path.home()])


def looks(settings: Settings, wrong: list[str], flags: Flags, *, with_bench: bool) -> list[Look]:
    """All sections, in the order of the report."""
    base = settings.base
    folders = {
        "base path": base.root,
        "models": base.models,
        "logs": base.logs,
        "database": base.db,
        "builds": settings.libraries,
    }
    found = [
        Look("about", "Kronk", lambda: _about(settings)),
        Look("host", "Host", machine.host),
        Look("disks", "Disks", lambda: machine.disks(folders)),
        Look("accelerators", "GPUs", machine.accelerators),
        Look("libraries", "Builds of llama.cpp", lambda: listing.describe(settings), 30.0),
        Look("packages", "Packages", models.packages),
        Look("settings", "Settings", lambda: _settings(settings, wrong, flags)),
        Look(
            "models",
            "Models",
            lambda: models.files(base, configured_if_valid(settings)),
            20.0,
        ),
        Look(
            "configuration",
            "Settings of models",
            lambda: models.chosen(_configuration(settings, flags)),
        ),
        Look("server", "Server", lambda: _server(settings, flags), 15.0),
        Look(
            "failures", "Last failures of models", lambda: records.last_failures(base.history_file)
        ),
        Look(
            "log",
            "Warnings and errors of the log",
            lambda: records.trouble(records.log_tail(base.log_file)),
        ),
        Look("doctor", "kronk doctor", lambda: _doctor(settings), 60.0),
    ]
    if with_bench:
        # The load of a model is not stopped by our going away, and is not waited for.
        found.append(Look("benchmark", "Benchmark", lambda: _bench(flags), BENCH_SECONDS + 5.0))
    return found


def _about(settings: Settings) -> dict[str, Any]:
    lock = read_lock(settings.base)
    return {
        "version": kronk.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "executable": sys.executable,
        "installed in": str(Path(kronk.__file__).parent),
        "user": "root" if os.geteuid() == 0 else "not root",
        "server": f"process {lock.pid}" if lock.held else "none on this base path",
        "arguments": [word for word in sys.argv[1:] if word.startswith("--")],
    }


def _settings(settings: Settings, wrong: list[str], flags: Flags) -> dict[str, Any]:
    lock = read_lock(settings.base)
    found: dict[str, Any] = {"wrong": wrong or None, "unknown": origins.mistyped(os.environ)}
    if lock.held and lock.pid is not None:
        try:
            return found | {"of the running server": origins.process_settings(lock.pid)}
        except OSError as error:
            found["of the running server"] = f"not known: {error.strerror}"
    return found | {"of this shell": origins.settings_rows(flags, os.environ)}


def _configuration(settings: Settings, flags: Flags) -> list[dict[str, Any]]:
    """The running server's, else what a server would find."""
    try:
        admin = find_server(flags.get("api_host"), flags.get("base_path"))
        rows: list[dict[str, Any]] = admin.get("/v1/kronk/config", timeout=5.0)["models"]
    except KronkError:
        return shown(settings.base, configured(settings))
    return rows


def _doctor(settings: Settings) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    try:
        for finding in doctor.found(settings):
            rows.append(dataclasses.asdict(finding))
    except (KronkError, OSError) as error:
        # What was found before is worth as much.
        rows.append({"name": "doctor", "grade": "FAIL", "said": str(error), "advice": ""})
    return rows


def _server(settings: Settings, flags: Flags) -> Any:
    admin = find_server(flags.get("api_host"), flags.get("base_path"))
    try:
        status = admin.get("/v1/kronk/ps", timeout=5.0)
    except NoServer:
        lock = read_lock(settings.base)
        if lock.held:
            return f"process {lock.pid} holds the base path, and nothing answers at {admin.url}"
        return _NOBODY
    return {
        "address": admin.url,
        "itself": server_facts(settings.base) or None,
        "draining": status["draining"],
        "leases": status["leases"],
        "gateway": status["gateway"],
        "warnings": status["warnings"],
        "processes": status["processes"],
        "budgets": status["budgets"],
        "models": [_model(row) for row in status["data"]],
    }


def _model(row: dict[str, Any]) -> dict[str, Any]:
    found = {key: row.get(key) for key in _OF_MODELS}
    # In brackets is what the process said last, which may be anything.
    found["last_exit"] = str(row.get("last_exit") or "").partition(" (")[0] or None
    fitted = row.get("fitted") or {}
    kept = ("gpu_layers", "layers", "library", "cache", "speculation", "n_threads")
    return found | {key: fitted.get(key) for key in kept}


def _bench(flags: Flags) -> Any:
    ends = time.monotonic() + BENCH_SECONDS
    admin = find_server(flags.get("api_host"), flags.get("base_path"))
    try:
        candidates = _candidates(admin)
    except NoServer:
        return _NOBODY
    refused = []
    for model in candidates[:_MOST_TRIED]:
        order = Order(_BENCH, (local(LOCAL, model, admin),))
        try:
            report = measured(order, stop=lambda: time.monotonic() > ends)
        except KronkError as error:
            refused.append(error.message)
            continue
        if not report.results:
            return f"{model} was not measured within {BENCH_SECONDS:g} s"
        rows = [
            {
                "prompt": each.cell.prompt_tokens,
                "at once": each.cell.concurrency,
                **{name: round(value, 4) for name, value in each.values.items()},
                "failed": each.failed or None,
            }
            for each in report.results
        ]
        return {"model": model, "state": report.state, "figures": rows}
    return {"not measured": refused or "there is no model"}


def _candidates(admin: Admin) -> list[str]:
    """Loaded models; without any, those on disk, the smallest first: one of them is loaded then."""
    rows = admin.get("/v1/kronk/ps", timeout=5.0)["data"]
    if ready := [str(row["model"]) for row in rows if row["state"] == "ready"]:
        return ready
    files = [row for row in admin.get("/v1/kronk/models", timeout=5.0)["data"] if row["validated"]]
    return [str(row["id"]) for row in sorted(files, key=lambda row: int(row["size_bytes"]))]
