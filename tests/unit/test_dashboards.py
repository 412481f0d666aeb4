"""Dashboards and alerts ask for what there is: every expression is read, and each of its series
and labels is one of the catalog's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from harness.observed import ALERTS, COUNTERS, DASHBOARD, KNOWN, dashboard_queries, filled, rules
from harness.promql import BadQuery, Query, read
from kronk.gateway.telemetry.metrics.catalog import ALL
from kronk.supervisor.lifecycle import State

DEPLOY = ALERTS.parent
PANELS = dashboard_queries()
# Whatever model is chosen.
OF_ALL_MODELS = {"Models ready", "Gateway's processor time for a token"}


def asked(text: str) -> Query:
    return read(filled(text), KNOWN, COUNTERS)


# The reader itself, which has to refuse as much as it lets pass.


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kronk_nothing", "there is no kronk_nothing"),
        ("kronk_queue_length{colour='red'}", "is nothing"),
        ('kronk_queue_length{colour="red"}', "no label"),
        ('kronk_queue_length{model=="red"}', "compares nothing"),
        ("sum by (colour) (kronk_queue_length)", "no label"),
        ("sum by (model) (kronk_memory_budget_bytes)", "no label"),
        ("kronk_tokens_total", "only grows"),
        ("kronk_tokens_total unless kronk_restarts_total offset 5m", "nothing matches"),
        ("kronk_restarts_total unless kronk_load_wait_seconds_total offset 5m", "only grows"),
        ("sum(kronk_tokens_total)", "only grows"),
        ("rate(kronk_queue_length[5m])", "no counter"),
        ("rate(kronk_tokens_total)", "needs a range"),
        ("kronk_queue_length[5m]", "needs no range"),
        ("rate(kronk_tokens_total[5])", "a range is a duration"),
        ("histogram_quantile(0.9, rate(kronk_tokens_total[5m]))", "no label"),
        ("histogram_quantile(0.9, kronk_queue_length)", "no label"),
        ("rate(rate(kronk_tokens_total[5m])[5m])", "there is no rate"),
        ("kronk_queue_length / kronk_memory_budget_bytes", "nothing matches"),
        ("kronk_queue_length / on (device) kronk_slots", "no label"),
        ("kronk_queue_length and 1", "a number has no labels"),
        ("frobnicate(kronk_slots)", "no function"),
        ("sum(1)", "of a vector"),
        ("topk(kronk_slots, kronk_slots)", "begins with a number"),
        ("kronk_slots +", "at the end"),
        ("kronk_slots)", "not expected"),
        ("(kronk_slots", "at the end"),
        ("1 + 1", "no vector"),
        ("kronk_slots # 5", "is nothing"),
    ],
)
def test_what_is_no_good_expression_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadQuery, match=re.escape(why)):
        read(text, KNOWN, COUNTERS)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("kronk_slots", {"job", "instance", "model"}),
        ("sum(kronk_slots)", set()),
        ("sum(kronk_slots) by (model)", {"model"}),
        ("sum without (model) (kronk_slots)", {"job", "instance"}),
        ("-kronk_slots * 2 + 1 > bool 3", {"job", "instance", "model"}),
        (
            "histogram_quantile(0.5, sum by (le, model) (rate(kronk_ttft_seconds_bucket[1h30m])))",
            {"model"},
        ),
        (
            "kronk_slots * on (instance, job) group_left (version) kronk_build_info",
            {"job", "instance", "model", "version"},
        ),
        ("max(kronk_slots) or vector(0)", set()),
        ('rate(requests{instance=~"a.*"}[5m])', {"job", "instance"}),
        # What was not there five minutes ago.
        ("requests unless requests offset 5m", {"job", "instance"}),
    ],
)
def test_what_an_expression_comes_to_has_these_labels(text: str, labels: set[str]) -> None:
    assert read(text, KNOWN, COUNTERS).labels == labels


# The dashboard.


@pytest.mark.parametrize(("title", "query", "legend"), PANELS)
def test_every_query_of_the_dashboard_can_be_answered(title: str, query: str, legend: str) -> None:
    found = asked(query)
    # What a legend shows is a label of the answer.
    assert set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend)) <= found.labels, title


def test_the_dashboard_is_about_the_server_that_is_chosen() -> None:
    for title, query, _ in PANELS:
        for selector in asked(query).selectors:
            assert selector.matchers["instance"] == ("=~", ".*"), title
            labels = KNOWN[selector.name]
            is_of_models = "model" in labels and "process" not in labels
            assert is_of_models <= ("model" in selector.matchers or title in OF_ALL_MODELS), title


def test_the_dashboard_can_be_imported_anywhere() -> None:
    board = json.loads(DASHBOARD.read_text("utf-8"))
    # Grafana gives it a number of its own.
    assert board["id"] is None
    sources = {
        json.dumps(source) for source in _all(board, "datasource") if isinstance(source, dict)
    }
    own = '{"type": "grafana", "uid": "-- Grafana --"}'
    assert sources - {own} == {'{"type": "prometheus", "uid": "${datasource}"}'}
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert list(variables) == ["datasource", "instance", "model"]
    for one in ("instance", "model"):
        series, label = re.fullmatch(
            r"label_values\((\w+).*, (\w+)\)", variables[one]["definition"]
        ).groups()
        assert label in KNOWN[series] | {"instance"}


def test_panels_do_not_lie_on_one_another() -> None:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def test_no_series_of_ours_is_forgotten() -> None:
    texts = [query for _, query, _ in PANELS] + [rule["expr"] for rule in rules()]
    used = {selector.name for text in texts for selector in asked(text).selectors}
    stems = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used} | used
    # What a dashboard needs not: the same by another name, or only of use to who looks for a bug.
    left_out = {
        "kronk_http_request_seconds",
        "kronk_streams",
        "kronk_leases_asked_total",
        "kronk_model_tokens_per_second",
        "kronk_cache_entries",
        "kronk_cache_cap_bytes",
        "kronk_loop_tasks",
        "kronk_gc_seconds_total",
        "kronk_jobs_ended_total",
        "kronk_subject_requests_total",
        "kronk_draining",
    }
    ours = {name for name in ALL if name.startswith("kronk_")}
    assert ours - stems == left_out


# Alerts.


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_can_fire_and_says_what_it_is(rule: dict[str, Any]) -> None:
    found = asked(rule["expr"])
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    words = rule["annotations"]
    assert set(words) == {"summary", "description"}
    for text in words.values():
        assert text
        # Whom it is about can be told.
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= found.labels
    assert "$labels.instance" in words["summary"]
    if "for" in rule:
        assert re.fullmatch(r"\d+[mh]", rule["for"])


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"Kronk[A-Z]\w+", name) for name in names)


def test_what_states_an_alert_waits_for_are_states() -> None:
    states = {
        selector.matchers["state"][1]
        for rule in rules()
        for selector in asked(rule["expr"]).selectors
        if selector.name == "kronk_model_state"
    }
    assert states == {State.FAILED}


def test_the_example_scrapes_where_metrics_are_and_loads_the_alerts() -> None:
    example = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    (scrape,) = example["scrape_configs"]
    # The alert for a server that is down knows it by this name.
    assert scrape["job_name"] == "kronk"
    assert scrape["static_configs"] == [{"targets": ["localhost:8090"]}]
    assert [DEPLOY / name for name in example["rule_files"]] == [ALERTS]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "what", ["check rules rules.yml", "check config prometheus.yml", "test rules rules_test.yml"]
)
def test_promtool_agrees(what: str) -> None:
    command = ["promtool", *what.split()]
    done = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _all(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, one in value.items():
            if name == key:
                yield one
            yield from _all(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from _all(one, key)
