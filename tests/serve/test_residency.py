"""When models leave memory: by their idle time, and for others."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness import proc
from harness.counting_model import counted
from harness.server import Server
from harness.waiting import wait_until


def loaded(server: Server) -> set[str]:
    return {row["model"] for row in server.status()["data"] if row["pid"] is not None}


def test_an_idle_model_leaves_after_its_ttl_and_comes_back(
    start_server: Any, counting: Path
) -> None:
    # Long enough to be looked at before it is over, also on a machine that stands still.
    server = start_server({"Brief.gguf": counting}, {}, "--cache-ttl=5s")
    assert server.text("Brief", "from 7", max_tokens=3) == counted(7, 3)
    row = server.row("Brief")
    assert row["state"] == "ready"
    assert 0 < row["expires_in"] <= 5
    wait_until(lambda: not loaded(server), "the model to leave")
    assert server.ps() == []
    assert proc.is_gone(row["pid"])
    # It was asked and went: nobody had to kill it.
    assert server.events("killing a worker") == []
    assert len(server.events("model unloaded", model="Brief")) == 1

    assert server.text("Brief", "from 7", max_tokens=3) == counted(7, 3)
    again = server.row("Brief")
    assert again["generation"] > row["generation"]
    # An unload is no crash.
    assert (again["restarts"], again["last_exit"]) == (0, None)


def test_a_busy_model_does_not_expire(start_server: Any, slow: Path) -> None:
    server = start_server({"Slow.gguf": slow}, {}, "--cache-ttl=500ms")
    with server.stream("Slow", "from 7", max_tokens=500) as stream:
        stream.wait_for_pieces(1)
        row = server.row("Slow")
        assert (row["expires_in"], row["idle_seconds"]) == (None, None)
        stream.wait_for_end()
        assert stream.times[-1] - stream.times[0] > 0.5, "too fast to show anything"
        assert stream.text == counted(7, 500)
    wait_until(lambda: not loaded(server), "the model to leave")


def test_a_ttl_of_zero_is_for_ever(house: Server) -> None:
    assert house.text("Count", "from 7", max_tokens=1) == counted(7, 1)
    row = house.wait_for_row("Count", active_streams=0)
    assert row["expires_in"] is None
    assert row["idle_seconds"] is not None


def test_the_least_recently_used_model_makes_room(start_server: Any, counting: Path) -> None:
    files = {f"{name}.gguf": counting for name in "ABC"}
    server = start_server(files, {}, "--models-in-cache=2", "--cache-ttl=0")
    for model in "ABA":
        assert server.text(model, "from 7", max_tokens=1) == counted(7, 1)
    assert loaded(server) == {"A", "B"}
    # B was used longest ago.
    assert server.text("C", "from 7", max_tokens=1) == counted(7, 1)
    assert loaded(server) == {"A", "C"}
    unloads = server.events("model unloads")
    assert [(event["model"], event["reason"]) for event in unloads] == [
        ("B", "made room for another model")
    ]
    assert server.events("killing a worker") == []


def test_with_one_place_each_model_unloads_the_other(start_server: Any, counting: Path) -> None:
    files = {f"{name}.gguf": counting for name in "AB"}
    server = start_server(files, {}, "--models-in-cache=1", "--cache-ttl=0")
    for model in "ABAB":
        assert server.text(model, "from 7", max_tokens=1) == counted(7, 1)
        assert loaded(server) == {model}
    assert [event["model"] for event in server.events("model unloads")] == ["A", "B", "A"]


def test_a_busy_model_is_never_unloaded_and_the_other_waits(
    start_server: Any, counting: Path, slow: Path
) -> None:
    server = start_server(
        {"Busy.gguf": slow, "Other.gguf": counting}, {}, "--models-in-cache=1", "--cache-ttl=0"
    )
    with ExitStack() as streams:
        busy = streams.enter_context(server.stream("Busy", "from 7", max_tokens=300))
        busy.wait_for_pieces(1)
        other = streams.enter_context(server.stream("Other", "from 100", max_tokens=3))
        server.wait_for_row("Other", queued=1)
        assert loaded(server) == {"Busy"}
        busy.wait_for_end()
        other.wait_for_end()
        assert busy.text == counted(7, 300)
        assert other.text == counted(100, 3)
        assert busy.ended_at is not None
        assert other.times[0] > busy.times[-1]
    assert loaded(server) == {"Other"}


def test_a_request_says_how_long_its_model_stays(start_server: Any, counting: Path) -> None:
    server = start_server({"Brief.gguf": counting}, {}, "--cache-ttl=1h")
    answers = [
        (3600, {}),
        (60, {"keep_alive": "1m"}),
        (60, {}),
        (None, {"ttl": -1}),
        (120, {"ttl": 120}),
    ]
    for seconds, said in answers:
        assert server.text("Brief", "from 7", max_tokens=1, **said) == counted(7, 1)
        left = server.row("Brief")["expires_in"]
        assert left is None if seconds is None else seconds - 30 < left <= seconds
    server.text("Brief", "from 7", max_tokens=1, keep_alive=0)
    wait_until(lambda: not loaded(server), "the model to leave")
    assert [event["reason"] for event in server.events("model unloads")] == ["unused for its TTL"]
