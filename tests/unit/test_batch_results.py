"""Results on disk: whatever a crash leaves, no line is lost and none is there twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.batches.records import Counts, Tokens
from kronk.gateway.batches.results import (
    CANCELLED,
    EXPIRED,
    NoResponse,
    Response,
    Result,
    Results,
    tokens_of,
)

BATCH = "batch_0123456789abcdef0123456789abcdef"
USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 2,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


def good(number: int, text: str = "hi") -> Result:
    body = json.dumps({"text": text, "usage": USAGE}, ensure_ascii=False).encode()
    return Result(number, f"r{number}", Response(200, f"req-{number}", body))


def bad(number: int) -> Result:
    return Result(number, f"r{number}", Response(400, f"req-{number}", b'{"error": {}}'))


@contextmanager
def opened(folder: Path) -> Iterator[Results]:
    results = Results(BATCH, folder / "output", folder / "errors")
    try:
        yield results
    finally:
        results.close()


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_answers_and_failures_go_to_their_files_in_openais_form(tmp_path: Path) -> None:
    with opened(tmp_path) as results:
        results.append([good(1), bad(2), Result(3, "r3", EXPIRED)])
    (answer,) = written(tmp_path / "output")
    assert answer == {
        "id": "batch_req_0123456789abcdef0123456700000001",
        "custom_id": "r1",
        "response": {
            "status_code": 200,
            "request_id": "req-1",
            "body": {"text": "hi", "usage": USAGE},
        },
        "error": None,
    }
    failure, expired = written(tmp_path / "errors")
    assert (failure["response"]["status_code"], failure["error"]) == (400, None)
    assert expired["response"] is None
    assert expired["error"]["code"] == "batch_expired"


def test_nobody_else_may_read_results(tmp_path: Path) -> None:
    with opened(tmp_path):
        modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o600}


def test_what_was_done_is_known_after_a_restart(tmp_path: Path) -> None:
    timed_out = Result(5, "r5", NoResponse("request_timeout", "too long"))
    with opened(tmp_path) as results:
        results.append([good(1), bad(2), good(7)])
        results.append([Result(3, "r3", CANCELLED), timed_out])
        before = (results.done, results.counts(9), results.tokens)
    with opened(tmp_path) as results:
        assert (results.done, results.counts(9), results.tokens) == before
    # What was never tried has not failed.
    assert before == ({1, 2, 3, 5, 7}, Counts(9, 2, 2), Tokens(10, 6, 4, 2))


@pytest.mark.parametrize("name", ["output", "errors"])
def test_a_torn_line_is_cut_off_and_runs_again_wherever_it_was_torn(
    tmp_path: Path, name: str
) -> None:
    with opened(tmp_path) as results:
        results.append([good(1, "\u00e4"), bad(2)])
        results.append([good(3, "\u2028"), bad(4)])
    path, torn = tmp_path / name, {"output": 3, "errors": 4}[name]
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for size in range(first, len(whole)):
        path.write_bytes(whole[:size])
        with opened(tmp_path) as results:
            assert results.done == {1, 2, 3, 4} - {torn}, size
            assert path.read_bytes() == whole[:first]
            results.append([good(3, "\u2028")] if name == "output" else [bad(4)])
            assert results.done == {1, 2, 3, 4}
        assert path.read_bytes() == whole


TAILS = [
    b"\0" * 300,
    b"\0" * 300 + b"\n",
    b'{"id": "batch_req_0123456789abcdef0123456700000009", "cus\0\0\0\0\0\n',
    b"[]\n",
    b'{"id": "batch_req_of another"}\n',
    b"\n",
]


@pytest.mark.parametrize("tail", TAILS)
def test_what_a_power_cut_leaves_behind_the_last_line_is_cut_off(
    tmp_path: Path, tail: bytes
) -> None:
    with opened(tmp_path) as results:
        results.append([good(1)])
    path = tmp_path / "output"
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    with opened(tmp_path) as results:
        assert results.done == {1}
    assert path.read_bytes() == whole


def test_a_line_that_is_there_twice_is_cut_off(tmp_path: Path) -> None:
    with opened(tmp_path) as results:
        results.append([good(1)])
    path = tmp_path / "output"
    whole = path.read_bytes()
    path.write_bytes(whole * 2)
    with opened(tmp_path) as results:
        assert results.counts(1) == Counts(1, 1, 0)
    assert path.read_bytes() == whole


def test_a_body_on_several_lines_becomes_one(tmp_path: Path) -> None:
    with opened(tmp_path) as results:
        results.append([Result(1, "a", Response(200, "req-1", b'{\n"x":\n1}'))])
    assert written(tmp_path / "output")[0]["response"]["body"] == {"x": 1}


@given(
    st.lists(st.sampled_from(["good", "bad", "cancelled"]), max_size=12),
    st.lists(st.integers(0, 400), max_size=4),
)
def test_however_often_it_is_torn_every_line_is_there_once_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    made = {"good": good, "bad": bad, "cancelled": lambda n: Result(n, f"r{n}", CANCELLED)}
    wanted = [made[kind](number) for number, kind in enumerate(kinds, start=1)]

    def finish() -> Counts:
        with opened(folder) as results:
            results.append([one for one in wanted if one.number not in results.done])
            return results.counts(len(wanted))

    finish()
    for cut in cuts:
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes()[: -cut or None])
        assert finish() == Counts(len(kinds), kinds.count("good"), kinds.count("bad"))
    lines = [line for path in folder.iterdir() for line in written(path)]
    assert sorted(line["custom_id"] for line in lines) == sorted(one.custom_id for one in wanted)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({}, Tokens()),
        ({"usage": None}, Tokens()),
        ({"usage": USAGE}, Tokens(5, 3, 2, 1)),
        ({"usage": {"prompt_tokens": 4, "total_tokens": 4}}, Tokens(prompt=4)),
        (
            {
                "usage": {
                    "input_tokens": 9,
                    "input_tokens_details": {"cached_tokens": 8},
                    "output_tokens": 7,
                    "output_tokens_details": {"reasoning_tokens": 6},
                }
            },
            Tokens(9, 8, 7, 6),
        ),
    ],
)
def test_the_usage_of_any_route_is_counted(body: dict[str, Any], tokens: Tokens) -> None:
    assert tokens_of(body) == tokens
