"""`kronk bench` on a real server, next to another one, and with a user who loses patience."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.openai_server import Fake, running_fake
from harness.server import KRONK, Server, environment, kronk
from harness.waiting import PATIENCE

SMALL = (
    "--prompt-sizes=64", "--concurrency=1,2", "--max-tokens=4", "--repetitions=2", "--warm-up=0",
)  # fmt: skip

Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with running_fake() as found:
        yield found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where runs are kept."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture
def bench(house: Server, base: Path) -> Bench:
    """`kronk bench` on the house; one of its own commands about earlier runs needs no server."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        is_about_runs = words[0] == "history"
        host = () if is_about_runs else (f"--api-host=127.0.0.1:{house.port}",)
        return kronk("bench", *words, *host, f"--base-path={base}")

    return call


def as_json(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_model_is_measured_beside_other_servers_and_runs_are_kept(
    house: Server, bench: Bench, fake: Fake, base: Path
) -> None:
    names = ("kronk", "again", "fake")
    beside = (
        "--base-url=kronk", f"--base-url=again={house.url}/v1", f"--base-url=fake={fake.url}",
        "--model=fake=counted",
    )  # fmt: skip
    first = as_json(bench("Tiny", *SMALL, *beside, "--json", f"--output={base}/run.csv"))
    assert first["state"] == "complete"
    targets = {target["name"]: target for target in first["targets"]}
    assert tuple(targets) == names
    assert [targets[name]["sizing"] for name in names] == ["exact", "exact", "approximate"]
    assert targets["again"]["server"].startswith("kronk-") and targets["fake"]["model"] == "counted"
    assert targets["kronk"]["quantization"] == "Q8_0" and targets["kronk"]["size_bytes"] > 10**6
    assert len(first["results"]) == 3 * 2
    for each in first["results"]:
        assert each["failed"] == {}
        assert each["requests"] == 2 * each["cell"]["concurrency"]
        assert (each["ratios"] is None) == (each["target"] == "kronk")
        if each["target"] != "fake":
            # As the server counts them, its template included.
            assert each["prompt_tokens"] == each["cell"]["prompt_tokens"]
            assert each["tokens"] == 4 * each["requests"]
    assert len(list(csv.DictReader((base / "run.csv").read_text().splitlines()))) == 6

    second = bench("Tiny", *SMALL, *beside)
    assert second.returncode == 0, second.stderr
    assert f"compared with {first['id']}" in second.stdout and "ratios to kronk" in second.stdout
    assert max(map(len, second.stdout.splitlines())) <= 80

    runs = as_json(bench("history", "Tiny", "--json"))
    assert [run["id"] for run in runs][-1] == first["id"] and len(runs) == 2
    assert runs[1]["results"] == first["results"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Tinny",), "there is no model 'Tinny'; did you mean Tiny"),
        (("Tiny", "--base-url=http://127.0.0.1:9"), "no server answers at 127.0.0.1:9"),
        (("Tiny", "--base-url=fake=FAKE", "--model=fake=full"), "fake: busy"),
    ],
)
def test_what_cannot_be_measured_is_an_error_of_one_line(
    bench: Bench, fake: Fake, words: tuple[str, ...], said: str
) -> None:
    done = bench(*(word.replace("FAKE", fake.url) for word in words))
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ") and said in last


def test_requests_that_fail_make_it_fail_and_are_shown_in_the_servers_words(bench: Bench) -> None:
    done = bench("Tiny", "--prompt-sizes=5000", "--concurrency=1", "--max-tokens=4")
    assert done.returncode == 1
    assert "1 of 1 failed: context_length_exceeded" in " ".join(done.stdout.split())


def test_the_load_of_a_model_is_measured_when_asked_for(bench: Bench, house: Server) -> None:
    before = house.row("Pair")
    found = as_json(bench("Pair", *SMALL, "--concurrency=1", "--cold", "--json"))
    assert found["targets"][0]["cold_seconds"] > 0
    after = house.row("Pair")
    assert after is not None
    assert before is None or after["generation"] > before["generation"]


def test_ctrl_c_keeps_what_was_measured_and_leaves_nothing_running(
    fake: Fake, base: Path, tmp_path: Path
) -> None:
    # The first cell's rounds end, and the second cell's never do.
    words = (
        "bench", "endless", f"--base-url=fake={fake.url}", f"--base-path={tmp_path}",
        "--prompt-sizes=64", "--concurrency=1", "--max-tokens=1000",
    )  # fmt: skip
    process = subprocess.Popen(
        [KRONK, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(""),
        text=True,
    )
    try:
        assert fake.streaming.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "incomplete" in out and "Traceback" not in err
    assert fake.hung_up.wait(PATIENCE)
