"""Files and batches through the official client."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any, cast

import httpx
import jsonschema
import openai
import pytest
from openai.types import Batch

from harness.counting_model import counted
from harness.server import SMALL, Server, kronk, running_server
from harness.waiting import wait_until
from kronk.gateway.batches import schemas
from kronk.gateway.batches.files import MOST_BYTES

CHAT = "/v1/chat/completions"
OVER = ("completed", "failed", "expired", "cancelled")


@pytest.fixture
def client(house: Server) -> openai.OpenAI:
    return house.openai()


def line(custom_id: str, url: str = CHAT, **body: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def counting(number: int, tokens: int, model: str = "Count") -> dict[str, Any]:
    """A chat that counts on from the number."""
    messages = [{"role": "user", "content": f"from {number}"}]
    return line(f"n{number}", model=model, messages=messages, max_tokens=tokens, temperature=0)


def submitted(client: openai.OpenAI, *lines: dict[str, Any] | str, **options: Any) -> Batch:
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    file = client.files.create(file=("input.jsonl", text.encode()), purpose="batch")
    wanted: dict[str, Any] = {"endpoint": CHAT, "completion_window": "24h"} | options
    return client.batches.create(input_file_id=file.id, **wanted)


def ended(client: openai.OpenAI, batch: Batch) -> Batch:
    def over() -> Batch | None:
        seen = client.batches.retrieve(batch.id)
        jsonschema.validate(seen.to_dict(), schemas.BATCH)
        return seen if seen.status in OVER else None

    return cast(Batch, wait_until(over, lambda: f"the end of {client.batches.retrieve(batch.id)}"))


def results(client: openai.OpenAI, file: str | None) -> dict[str, dict[str, Any]]:
    """The lines of a result file by their custom_id, each of which is there once."""
    lines = client.files.content(file).text.splitlines() if file else []
    found = [json.loads(one) for one in lines]
    names = [one["custom_id"] for one in found]
    assert len(set(names)) == len(names)
    assert len({one["id"] for one in found}) == len(names)
    return dict(zip(names, found, strict=True))


def text_of(result: dict[str, Any]) -> str:
    return str(result["response"]["body"]["choices"][0]["message"]["content"])


def on_disk(base: Path) -> list[bytes]:
    """The results that batches have written by now."""
    return [
        row
        for path in (base / "files").iterdir()
        for row in path.read_bytes().splitlines(keepends=True)
        if row.startswith(b'{"id": "batch_req_') and row.endswith(b"\n")
    ]


# Whole batches.


def test_a_batch_is_answered_line_by_line(client: openai.OpenAI) -> None:
    good = [counting(number, 5) for number in range(1, 31)]
    wrong = counting(90, 5)
    wrong["body"]["top_p"] = 7
    streamed = counting(91, 5)
    streamed["body"]["stream"] = True
    lines = [*good[:10], wrong, *good[10:20], streamed, *good[20:]]
    kept = {"anchor": "created_at", "seconds": 7200}
    made = submitted(client, *lines, metadata={"for": "test"}, output_expires_after=kept)
    assert (made.object, made.status, made.metadata) == ("batch", "validating", {"for": "test"})
    assert made.expires_at == made.created_at + 86400

    batch = ended(client, made)
    assert (batch.status, batch.errors, batch.model) == ("completed", None, "Count")
    assert batch.request_counts is not None
    assert batch.request_counts.to_dict() == {"total": 32, "completed": 30, "failed": 2}
    times = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
    assert None not in times
    assert times == sorted(cast(list[int], times))

    answers = results(client, batch.output_file_id)
    assert {name: text_of(one) for name, one in answers.items()} == {
        f"n{number}": counted(number, 5) for number in range(1, 31)
    }
    for one in answers.values():
        assert one["error"] is None
        assert one["response"]["status_code"] == 200
        assert one["response"]["request_id"].startswith("req-")
        assert one["response"]["body"]["object"] == "chat.completion"
    assert batch.usage is not None
    assert batch.usage.output_tokens == 150

    failures = results(client, batch.error_file_id)
    assert set(failures) == {"n90", "n91"}
    for name, param in (("n90", "top_p"), ("n91", "stream")):
        assert failures[name]["error"] is None
        assert failures[name]["response"]["status_code"] == 400
        assert failures[name]["response"]["body"]["error"]["param"] == param

    assert batch.output_file_id is not None
    output = client.files.retrieve(batch.output_file_id)
    assert (output.purpose, output.filename) == ("batch_output", f"{batch.id}_output.jsonl")
    assert output.bytes == len(client.files.content(output.id).content)
    assert output.expires_at == output.created_at + 7200
    assert batch.id in [one.id for one in client.batches.list()]


def test_a_batch_without_failures_has_no_error_file(client: openai.OpenAI) -> None:
    batch = ended(client, submitted(client, counting(1, 2)))
    assert batch.output_file_id is not None
    assert batch.error_file_id is None


def test_a_batch_of_failures_has_no_output_file(client: openai.OpenAI) -> None:
    batch = ended(client, submitted(client, line("a", model="Count", messages=[])))
    assert (batch.status, batch.output_file_id) == ("completed", None)
    assert set(results(client, batch.error_file_id)) == {"a"}


def test_texts_are_completed_in_batches_too(client: openai.OpenAI) -> None:
    url = "/v1/completions"
    rows = [line(f"n{n}", url, model="Count", prompt=f"from {n}", max_tokens=3) for n in (1, 2)]
    batch = ended(client, submitted(client, *rows, endpoint=url))
    texts = {
        name: one["response"]["body"]["choices"][0]["text"]
        for name, one in results(client, batch.output_file_id).items()
    }
    assert texts == {"n1": counted(1, 3), "n2": counted(2, 3)}


def test_responses_come_in_batches_too_and_can_be_asked_for(client: openai.OpenAI) -> None:
    url = "/v1/responses"
    rows = [
        line(f"n{n}", url, model="Count", input=f"from {n}", max_output_tokens=3) for n in (1, 2)
    ]
    batch = ended(client, submitted(client, *rows, endpoint=url))
    assert batch.usage is not None
    assert batch.usage.output_tokens == 6
    for name, one in results(client, batch.output_file_id).items():
        again = client.responses.retrieve(one["response"]["body"]["id"])
        assert again.output_text == counted(int(name[1:]), 3)


def test_operators_see_batches_and_stop_them(house: Server, client: openai.OpenAI) -> None:
    made = submitted(client, *(counting(n, 100, "Slow") for n in range(1, 41)))
    base = f"--base-path={house.base}"
    listed = kronk("batch", "list", base)
    assert made.id in listed.stdout, listed.stderr
    assert kronk("batch", "cancel", made.id, base).stdout == f"{made.id} is cancelling\n"
    assert ended(client, made).status == "cancelled"
    shown = kronk("batch", "show", made.id, base).stdout
    assert "cancelled" in shown
    assert json.loads(kronk("batch", "show", made.id, "--json", base).stdout)["id"] == made.id
    refused = kronk("batch", "show", "batch_x", base)
    assert refused.returncode != 0
    assert "batch_x" in refused.stderr
    assert house.events("batch started", batch=made.id)
    (end,) = house.events("batch ended", batch=made.id)
    assert end["status"] == "cancelled"


# What cannot be run.


def test_an_input_that_is_not_valid_fails_with_its_lines(client: openai.OpenAI) -> None:
    batch = ended(client, submitted(client, counting(1, 2), "{", counting(1, 2), "{}"))
    assert batch.status == "failed"
    assert batch.failed_at is not None
    assert batch.errors is not None
    assert [(one.line, one.code) for one in batch.errors.data or []] == [
        (2, "invalid_json_line"),
        (3, "duplicate_custom_id"),
        (4, "missing_required_parameter"),
    ]
    assert (batch.output_file_id, batch.error_file_id) == (None, None)


def test_a_model_that_is_not_there_fails_before_anything_runs(client: openai.OpenAI) -> None:
    batch = ended(client, submitted(client, counting(1, 2, model="Nobody")))
    assert batch.status == "failed"
    assert batch.errors is not None
    assert [(one.code, one.param) for one in batch.errors.data or []] == [
        ("model_not_found", "body.model")
    ]


def test_what_is_not_there_is_a_404_and_what_is_wrong_a_400(client: openai.OpenAI) -> None:
    nobody = "file-" + "0" * 24
    with pytest.raises(openai.NotFoundError, match=nobody):
        client.files.retrieve(nobody)
    with pytest.raises(openai.NotFoundError, match=nobody):
        client.files.content(nobody)
    with pytest.raises(openai.NotFoundError, match="batch_x"):
        client.batches.retrieve("batch_x")
    with pytest.raises(openai.NotFoundError, match="batch_x"):
        client.batches.cancel("batch_x")
    with pytest.raises(openai.NotFoundError) as missing:
        client.batches.create(input_file_id=nobody, endpoint=CHAT, completion_window="24h")
    assert missing.value.param == "input_file_id"
    with pytest.raises(openai.BadRequestError) as refused:
        client.files.create(file=b"x", purpose=cast(Any, "fun"))
    assert refused.value.param == "purpose"


# Its end before the end.


def test_a_cancelled_batch_keeps_what_was_answered(house: Server, client: openai.OpenAI) -> None:
    before = len(on_disk(house.base))
    made = submitted(client, *(counting(n, 60, "Slow") for n in range(1, 41)))
    wait_until(lambda: len(on_disk(house.base)) > before, "a first answer")
    assert client.batches.cancel(made.id).status == "cancelling"
    batch = ended(client, made)
    assert batch.status == "cancelled"
    assert batch.cancelling_at is not None
    assert batch.cancelled_at is not None
    answers = results(client, batch.output_file_id)
    others = results(client, batch.error_file_id)
    assert answers and others
    assert answers.keys() | others.keys() == {f"n{n}" for n in range(1, 41)}
    assert not answers.keys() & others.keys()
    assert {one["error"]["code"] for one in others.values()} == {"batch_cancelled"}
    assert batch.request_counts is not None
    counts = (batch.request_counts.total, batch.request_counts.completed)
    assert counts == (40, len(answers))
    # What was running has stopped.
    house.wait_for_row("Slow", active_streams=0)
    with pytest.raises(openai.ConflictError, match="'cancelled'"):
        client.batches.cancel(made.id)


def test_a_batch_whose_window_ends_keeps_what_was_answered(client: openai.OpenAI) -> None:
    lines = (counting(n, 20, "Slow") for n in range(1, 301))
    batch = ended(client, submitted(client, *lines, completion_window="2s"))
    assert batch.status == "expired"
    assert batch.expired_at is not None
    answers = results(client, batch.output_file_id)
    others = results(client, batch.error_file_id)
    assert len(answers) + len(others) == 300
    assert {one["error"]["code"] for one in others.values()} == {"batch_expired"}
    with pytest.raises(openai.ConflictError, match="'expired'"):
        client.batches.cancel(batch.id)


def test_somebody_who_waits_is_answered_while_a_batch_runs(
    house: Server, client: openai.OpenAI
) -> None:
    before = len(on_disk(house.base))
    made = submitted(client, *(counting(n, 100, "Slow") for n in range(1, 61)))
    wait_until(lambda: len(on_disk(house.base)) > before, "a first answer")
    assert house.text("Slow", "from 7", max_tokens=5) == counted(7, 5)
    assert client.batches.retrieve(made.id).status == "in_progress"
    client.batches.cancel(made.id)
    assert ended(client, made).status == "cancelled"


def test_a_file_in_use_cannot_be_deleted(house: Server, client: openai.OpenAI) -> None:
    made = submitted(client, *(counting(n, 100, "Slow") for n in range(1, 41)))
    with pytest.raises(openai.ConflictError, match=made.id):
        client.files.delete(made.input_file_id)
    client.batches.cancel(made.id)
    assert ended(client, made).status == "cancelled"
    assert client.files.delete(made.input_file_id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.input_file_id)
    assert not (house.base / "files" / made.input_file_id).exists()


# Files.


def test_a_file_comes_back_as_it_was_sent(client: openai.OpenAI) -> None:
    content = bytes(range(256)) * 5000
    made = client.files.create(
        file=("d\u00e4ta.bin", content),
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert (made.bytes, made.filename, made.purpose) == (len(content), "d\u00e4ta.bin", "user_data")
    assert made.expires_at == made.created_at + 3600
    assert client.files.retrieve(made.id) == made
    jsonschema.validate(made.to_dict(), schemas.FILE)
    assert client.files.content(made.id).content == content
    deleted = client.files.delete(made.id)
    jsonschema.validate(deleted.to_dict(), schemas.DELETED)


def test_files_are_listed_by_purpose_page_by_page(client: openai.OpenAI) -> None:
    made = [client.files.create(file=b"x", purpose="evals").id for _ in range(5)]
    newest_first = [one.id for one in client.files.list(purpose="evals", limit=2)]
    assert newest_first == made[::-1]
    oldest_first = [one.id for one in client.files.list(purpose="evals", limit=3, order="asc")]
    assert oldest_first == made
    page = client.files.list(purpose="evals", limit=2)
    jsonschema.validate(page.to_dict(), schemas.listed(schemas.FILE))
    assert (len(page.data), page.has_more) == (2, True)
    for name in made:
        client.files.delete(name)
    assert list(client.files.list(purpose="evals")) == []


def upload_head(house: Server, size: int) -> bytes:
    lines = [
        "POST /v1/files HTTP/1.1",
        f"Host: 127.0.0.1:{house.port}",
        "Content-Type: multipart/form-data; boundary=X",
        f"Content-Length: {size}",
        "",
        "--X",
        'Content-Disposition: form-data; name="file"; filename="a"',
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def test_a_client_that_leaves_in_its_upload_leaves_nothing_behind(house: Server) -> None:
    folder = house.base / "files"

    def names() -> set[str]:
        return {path.name for path in folder.iterdir()}

    before = names()
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.sendall(upload_head(house, 50_000_000) + b"x" * 5_000_000)
        wait_until(lambda: names() > before, "the upload's file")
    wait_until(lambda: names() == before, "its end")
    assert house.get("/v1/files")["has_more"] is False


def test_a_file_over_the_limit_is_refused_before_it_is_sent(house: Server) -> None:
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.settimeout(20)
        connection.sendall(upload_head(house, MOST_BYTES + 10**6))
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 413")
    assert str(MOST_BYTES).encode() in answer


def test_a_form_that_is_wrong_is_said_to_be(house: Server) -> None:
    answer = house.http().post("/v1/files", json={})
    assert answer.status_code == 400
    assert "multipart/form-data" in answer.json()["error"]["message"]


# Restarts.

LINES = 40


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("batches")


def serving(base: Path, slow: Path) -> Any:
    config = {"Slow": SMALL | {"context_window": 2048}}
    files = {} if (base / "models" / "Slow.gguf").exists() else {"Slow.gguf": slow}
    return running_server(base, files, config, "--cache-ttl=0")


def begun(server: Server) -> tuple[Batch, list[bytes]]:
    """A batch in the middle, and what it has written by now."""
    client = server.openai()
    made = submitted(client, *(counting(n, 20, "Slow") for n in range(1, LINES + 1)))
    wait_until(lambda: len(on_disk(server.base)) >= 5, "first answers")
    assert client.batches.retrieve(made.id).status == "in_progress"
    return made, on_disk(server.base)


def finished(server: Server, made: Batch, kept: list[bytes]) -> None:
    """All of it is there once, and what was written before was not done again."""
    client = server.openai()
    batch = ended(client, made)
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert batch.request_counts.to_dict() == {"total": LINES, "completed": LINES, "failed": 0}
    answers = results(client, batch.output_file_id)
    assert {name: text_of(one) for name, one in answers.items()} == {
        f"n{n}": counted(n, 20) for n in range(1, LINES + 1)
    }
    assert set(kept) <= set(on_disk(server.base))


def test_a_batch_goes_on_when_the_gateway_was_killed(base: Path, slow: Path) -> None:
    with serving(base, slow) as server:
        made, kept = begun(server)
        old = server.role_pid("gateway")
        server.kill(old)

        def successor() -> bool:
            try:
                return server.role_pid("gateway") not in (None, old)
            except httpx.TransportError:
                return False

        wait_until(successor, "a new gateway")
        finished(server, made, kept)


def test_a_batch_does_not_notice_the_death_of_its_models_process(base: Path, slow: Path) -> None:
    with serving(base, slow) as server:
        made, kept = begun(server)
        row = server.wait_for_row("Slow", state="ready")
        server.kill(row["pid"])
        finished(server, made, kept)
        assert server.events("request recovered", model="Slow")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_batch_goes_on_in_the_next_life_of_the_server(
    base: Path, slow: Path, number: signal.Signals
) -> None:
    with serving(base, slow) as server:
        made, kept = begun(server)
        server.kill(server.pid, number)
        server.process.wait(20)
    with serving(base, slow) as server:
        finished(server, made, kept)
        assert server.alarms() == []


def test_a_batch_whose_input_was_taken_away_fails_and_keeps_its_answers(
    base: Path, slow: Path
) -> None:
    with serving(base, slow) as server:
        made, kept = begun(server)
    (base / "files" / made.input_file_id).unlink()
    with serving(base, slow) as server:
        client = server.openai()
        batch = ended(client, made)
        assert batch.status == "failed"
        assert batch.errors is not None
        assert [one.code for one in batch.errors.data or []] == ["input_file_not_found"]
        assert len(results(client, batch.output_file_id)) >= len(kept)
