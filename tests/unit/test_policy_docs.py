"""The examples of docs/policies.md work and do what is said of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kronk.gateway.access.policy.embedded import tried
from kronk.gateway.access.policy.engine import Engine
from kronk.gateway.access.policy.folder import read_folder

TEXT = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
OFFICE, LISTS, TEAMS = re.findall(r"```rego\n(.*?)```", TEXT, re.DOTALL)
INPUT, DATA = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL))


@contextmanager
def engine(folder: Path, policy: str, data: Any = None) -> Iterator[Engine]:
    (folder / "authorization.rego").write_text(policy)
    (folder / "lists.json").write_text(json.dumps(data or {}))
    found = tried(read_folder(folder))
    try:
        yield found
    finally:
        found.close()


def token(**fields: Any) -> dict[str, Any]:
    return {"token": INPUT["token"] | fields}


def test_the_office_is_open_for_hours_and_for_the_admin_always(tmp_path: Path) -> None:
    # Noon on a Wednesday, and the Sunday after it, in seconds since the epoch.
    for seconds, reason in ((1_764_154_800, "ok"), (1_764_500_400, "outside_office_hours")):
        policy = OFFICE.replace("time.now_ns()", f"{seconds}000000000")
        with engine(tmp_path, policy) as found:
            assert found.result(INPUT)["reason"] == reason
            assert found.result(INPUT)["cache_seconds"] == 60
            assert found.result(INPUT | token(admin=True))["reason"] == "ok"
            assert found.result(INPUT | {"token": None})["reason"] == "unauthorized"
            other = {"endpoint": "rerank"}
            assert found.result(INPUT | other)["reason"] == "endpoint_not_authorized"


def test_lists_say_who_may_embed_and_which_tokens_are_withdrawn(tmp_path: Path) -> None:
    embed = INPUT | {"endpoint": "embeddings"}
    grants = {"embeddings": {"limit": 0, "window": "unlimited"}}
    cases = (
        (INPUT, "ok"),
        (embed | token(endpoints=grants), "ok"),
        (embed | token(endpoints=grants, name="other"), "not_on_the_list"),
        (INPUT | token(models=["A", "Old-7B-Q4_0"]), "names_a_withdrawn_model"),
        (INPUT | token(models=["A"]), "ok"),
    )
    with engine(tmp_path, LISTS, DATA) as found:
        for document, reason in cases:
            assert found.result(document)["reason"] == reason


def test_teams_have_models(tmp_path: Path) -> None:
    cases = (
        (INPUT, ["Qwen3-0.6B-*", "*-embedding-*"]),
        (INPUT | token(name="lab-1"), None),
        (INPUT | token(name=None), ["Qwen3-0.6B-*", "*-embedding-*"]),
        (INPUT | token(admin=True), None),
        (INPUT | {"token": None, "mode": "management"}, ["Qwen3-0.6B-*", "*-embedding-*"]),
    )
    with engine(tmp_path, TEAMS) as found:
        for document, models in cases:
            result = found.result(document)
            assert result["allow"] is True
            assert result.get("models") == models
