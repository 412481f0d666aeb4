"""The model-config file read, checked, edited and replaced over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from harness.error_shape import Refusal, assert_refused, bad
from harness.server import Server, running_server
from kronk.gateway.routes import config_file as forms

FILE, CHECK, EDIT = (f"/v1/kronk/config/{name}" for name in ("file", "check", "edit"))
GOOD = "# small\nmodels:\n  Tiny:\n    context_window: 512\n    n_seq_max: 1\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Server]:
    with running_server(
        tmp_path_factory.mktemp("config"), {"Tiny.gguf": tiny}, None, "--model-config-file="
    ) as started:
        yield started
        assert started.alarms() == []


@pytest.fixture
def client(server: Server) -> httpx.Client:
    """With `GOOD` in force."""
    client = server.http()
    put(client, GOOD)
    return client


def get(client: httpx.Client) -> Any:
    found = client.get(FILE).json()
    jsonschema.validate(found, forms.FILE)
    return found


def put(client: httpx.Client, text: str) -> Any:
    answer = client.put(FILE, json={"text": text, "revision": get(client)["revision"]})
    assert answer.status_code == 200, answer.text
    jsonschema.validate(answer.json(), forms.WRITTEN)
    return answer.json()


def check(client: httpx.Client, text: str, model: str | None = None) -> Any:
    answer = client.post(CHECK, json={"text": text, "model": model})
    assert answer.status_code == 200, answer.text
    jsonschema.validate(answer.json(), forms.CHECK)
    return answer.json()


def test_without_a_named_file_there_is_one_in_the_base_path(server: Server) -> None:
    client = server.http()
    path = server.base / "model_config.yaml"
    path.unlink(missing_ok=True)
    found = get(client)
    assert (found["path"], found["text"], found["revision"]) == (str(path), None, None)
    written = put(client, GOOD)
    assert written["reload"]["changed"] == ["Tiny"] and path.read_text() == GOOD
    assert client.get("/v1/kronk/config").json()["file"] == str(path)
    origins = client.get("/v1/kronk/config?model=Tiny").json()["models"][0]["origins"]
    assert origins["context_window"] == "file model_config.yaml:4"


def test_what_is_stored_is_in_force_and_what_was_before_is_kept(client: httpx.Client) -> None:
    other = GOOD.replace("512", "768")
    assert client.post("/v1/completions", json={"model": "Tiny", "prompt": "a", "max_tokens": 1})
    written = put(client, other)
    assert written["reload"]["changed"] == ["Tiny"]
    assert (written["text"], written["previous"]["text"]) == (other, GOOD)
    row = client.get("/v1/kronk/config?model=Tiny").json()["models"][0]
    assert row["configuration"]["context_window"] == 768


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(client: httpx.Client) -> None:
    path = Path(get(client)["path"])
    old = get(client)["revision"]
    path.write_text(GOOD + "# by hand\n")
    answer = client.put(FILE, json={"text": GOOD, "revision": old})
    assert_refused(answer, Refusal(409, "conflict", "revision"))
    assert path.read_text().endswith("# by hand\n")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"text": "models: ["}, bad("text")),
        ({"text": "models:\n  Tiny:\n    n_batch: 1\n"}, bad("text")),
        ({"text": " \n"}, bad("text")),
        ({"text": "models:\n  Tiny/A:\n    aliases: [Tiny]\n"}, bad("aliases")),
        ({"text": 7}, bad("text")),
        ({"revision": 7}, bad("revision")),
        ({"more": 1}, bad("more")),
        ({"text": "#" * (forms.MOST_BYTES + 1)}, bad("text")),
    ],
)
def test_a_text_with_a_mistake_is_not_stored(
    client: httpx.Client, body: dict[str, Any], expected: Refusal
) -> None:
    good = {"text": GOOD, "revision": get(client)["revision"]}
    assert_refused(client.put(FILE, json=good | body), expected)
    assert get(client)["text"] == GOOD
    for field in good:
        part = {key: value for key, value in good.items() if key != field}
        assert_refused(client.put(FILE, json=part), bad(field))


def test_a_check_names_every_mistake_with_its_place(client: httpx.Client) -> None:
    text = "models:\n  Tiny:\n    n_batch: many\n    contextwindow: 5\n  Gone:\n    pin: true\n"
    found = check(client, text)
    assert not found["valid"]
    rows = [(row["severity"], row["line"], row["model"], row["key"]) for row in found["problems"]]
    assert rows == [
        ("error", 3, "Tiny", "n_batch"),
        ("error", 4, "Tiny", "contextwindow"),
        ("warning", 5, "Gone", None),
    ]
    assert "expected" in found["problems"][0]["message"]
    assert "did you mean context_window" in found["problems"][1]["message"]
    assert get(client)["text"] == GOOD


def test_a_check_tells_what_would_change_and_who_is_loaded_anew(client: httpx.Client) -> None:
    assert client.post("/v1/kronk/models/Tiny/load").status_code == 200
    same = check(client, GOOD + "# a comment\n")
    assert (same["valid"], same["changes"], same["reloaded"]) == (True, [], [])
    other = check(client, GOOD.replace("512", "768"), "Tiny")
    change = {"model": "Tiny", "key": "context_window", "before": 512, "after": 768}
    assert (other["changes"], other["reloaded"]) == ([change], ["Tiny"])
    assert other["load"]["spec"]["context"]["window"] == 768
    # How long it stays is nothing to its process.
    assert check(client, GOOD + "    ttl: 1h\n")["reloaded"] == []
    row = next(row for row in other["models"] if row["id"] == "Tiny")
    assert row["written"]["context_window"] == {"value": 768, "line": 4, "merged": False}
    assert check(client, GOOD, "Nobody")["load"]["problem"]


def test_a_setting_is_changed_in_a_text_that_keeps_its_comments(client: httpx.Client) -> None:
    asked = {"text": GOOD, "model": "Tiny", "key": "ttl", "value": "30m"}
    answer = client.post(EDIT, json=asked)
    jsonschema.validate(answer.json(), forms.EDITED)
    assert answer.json()["text"] == GOOD + "    ttl: 30m\n"
    unsafe = asked | {"text": "models: {Tiny: {pin: true}}\n"}
    assert_refused(client.post(EDIT, json=unsafe), Refusal(409, "conflict", "text"))


def test_who_stores_is_in_the_audit_log_and_who_asks_is_not(
    server: Server, client: httpx.Client
) -> None:
    check(client, GOOD)
    put(client, GOOD + "# again\n")
    page = client.get("/v1/kronk/security/audit?limit=100").json()["data"]
    actions = {row["action"] for row in page}
    assert "write_config_file" in actions
    assert not actions & {"check_config", "edit_config"}
    row = next(row for row in page if row["action"] == "write_config_file")
    assert row["target"] == str(server.base / "model_config.yaml")
