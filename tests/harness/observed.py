"""What our dashboards and alerts ask Prometheus for, and what there is to be asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from kronk.gateway.telemetry.metrics.catalog import ALL

from .promql import Query, read

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana/kronk.json"
ALERTS = DEPLOY / "prometheus/rules.yml"

# Of Prometheus itself, and of its client for Python, which says them of the gateway's process.
OTHERS = {"up": frozenset[str]()}
OF_CLIENT = {"process_start_time_seconds": frozenset[str](), "process_open_fds": frozenset[str]()}


def _known() -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    names, counters = {**OTHERS, **OF_CLIENT}, set[str]()
    for name, one in ALL.items():
        labels = frozenset(one.labels)
        if one.kind == "histogram":
            own = {
                f"{name}_sum": labels,
                f"{name}_count": labels,
                f"{name}_bucket": labels | {"le"},
            }
            names |= own
            counters |= set(own)
        else:
            names[name] = labels
            if one.kind in ("counter", "unknown"):
                counters.add(name)
    return names, frozenset(counters)


KNOWN, COUNTERS = _known()


def filled(query: str) -> str:
    """A query of the dashboard as Grafana sends it, with everything chosen."""
    for name in ("$instance", "$model"):
        query = query.replace(name, ".*")
    return query.replace("$__rate_interval", "1m").replace("$__interval", "15s")


def dashboard_queries() -> list[tuple[str, str, str]]:
    """The title of its panel, the query and its legend, of each."""
    board = json.loads(DASHBOARD.read_text("utf-8"))
    found = [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]
    marks = [one for one in board["annotations"]["list"] if "expr" in one]
    return found + [(one["name"], one["expr"], "") for one in marks]


def rules() -> list[dict[str, Any]]:
    """All alerts."""
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def all_queries() -> list[Query]:
    """Every expression that is asked."""
    texts = [query for _, query, _ in dashboard_queries()] + [rule["expr"] for rule in rules()]
    return [read(filled(text), KNOWN, COUNTERS) for text in texts]
