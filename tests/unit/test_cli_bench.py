"""`kronk bench` about earlier runs, for which no server is needed."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.openai_server import running_fake
from harness.benchmarks import REPORT, report_of
from kronk.cli import main as cli
from kronk.cli.bench_progress import Interrupts
from kronk.shared.benchmark.history import opened
from kronk.shared.benchmark.report import to_record
from kronk.shared.paths import BasePath

FIRST = report_of(100.0, id_="20260101-000000-aaaa")
SECOND = report_of(150.0, id_="20260102-000000-bbbb")

FAST = ("--prompt-sizes=64", "--concurrency=1", "--max-tokens=4", "--repetitions=1")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Call:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kronk", "bench", *words, f"--base-path={tmp_path}"])
        code = cli._call()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def kept(tmp_path: Path) -> None:
    with opened(BasePath(tmp_path)) as known:
        for report in (FIRST, SECOND, replace(REPORT, id="20260103-000000-cccc")):
            known.add(report)


@pytest.mark.usefixtures("kept")
def test_runs_are_listed_the_latest_first(bench: Call) -> None:
    code, out, _ = bench("history")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [
        "ID", "20260103-000000-cccc", SECOND.id, FIRST.id,
    ]  # fmt: skip
    assert json.loads(bench("history", "Tiny", "--json")[1])[-1] == to_record(FIRST)
    assert bench("history", "Other")[1] == "Other was not measured yet\n"


@pytest.mark.usefixtures("kept")
def test_a_run_is_shown_and_forgotten(bench: Call) -> None:
    assert FIRST.id in bench("show", "aaaa")[1]
    assert json.loads(bench("show", "aaaa", "--json")[1]) == to_record(FIRST)
    assert bench("delete", "aaaa") == (0, f"deleted {FIRST.id}\n", "")
    code, out, err = bench("show", "aaaa")
    assert (code, out) == (1, "") and err.startswith("error: there is no benchmark 'aaaa'")


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("names", [("bbbb",), ("aaaa", "bbbb")])
def test_a_run_is_compared_with_the_one_before_or_with_another(
    bench: Call, names: tuple[str, ...]
) -> None:
    code, out, _ = bench("compare", *names, "--json")
    found = json.loads(out)
    assert (code, found["id"], found["with"]) == (0, SECOND.id, FIRST.id)
    rate = next(row for row in found["differences"] if row["metric"] == "tokens_per_second")
    assert (rate["before"], rate["after"], rate["verdict"]) == (100.0, 150.0, "better")
    assert "+50% better" in bench("compare", *names)[1]


@pytest.mark.usefixtures("kept")
def test_a_run_without_an_equal_before_it_is_compared_with_none(bench: Call) -> None:
    code, _, err = bench("compare", "last")
    assert code == 1 and "asked the same of the same" in err


def test_looking_for_runs_creates_nothing(bench: Call, tmp_path: Path) -> None:
    assert bench("history")[:2] == (0, "nothing was measured yet\n")
    assert bench("history", "--json")[1] == "[]\n"
    code, _, err = bench("show", "last")
    assert code == 1 and "nothing was measured yet" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("m", "--preset=fast"), "error: --preset: expected one of quick, standard"),
        (("m", "--concurrency=many"), "--concurrency: expected numbers"),
        (("m", "--prompt-sizes=4"), "error: --prompt-sizes: expected 32 to"),
        (("m", "--concurrency=0"), "error: --concurrency: expected 1 to 1024, got 0"),
        (("m", "--shared-prefix=9999"), "error: --shared-prefix: expected at most "),
        (("m", "--output=x.txt"), "--output: expected a name that ends in .json or .csv"),
        (("m", "--base-url=a=http://x", "--model=b=c"), "--model: expected NAME=MODEL"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused_before_anything_is_done(
    bench: Call, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    code, out, err = bench(*words)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_broken_is_an_error_of_one_line(bench: Call, tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "data.mdb").write_bytes(b"\xff" * 9000)
    code, out, err = bench("history")
    assert (code, out) == (1, "") and "cannot be opened" in err and err.count("\n") == 1


@pytest.mark.usefixtures("kept")
def test_rounds_are_shown_when_asked_for(bench: Call) -> None:
    assert "stdev" in bench("show", "aaaa", "--rounds")[1]
    assert "stdev" not in bench("show", "aaaa")[1]


def test_the_first_ctrl_c_is_noted_and_the_second_one_ends() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        assert not interrupts.seen()
        signal.raise_signal(signal.SIGINT)
        assert interrupts.seen()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_key_can_be_given_where_no_list_of_processes_shows_it(
    bench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRONK_BENCH_API_KEY", "canary-key")
    with running_fake() as fake:
        code, out, err = bench("counted", f"--base-url={fake.url}", *FAST)
    assert code == 0, err
    assert fake.keys == {"Bearer canary-key"}
    assert "canary-key" not in out + err


def test_a_server_that_wants_a_key_is_told_apart(bench: Call) -> None:
    with running_fake() as fake:
        code, out, err = bench("closed", f"--base-url=there={fake.url}")
        assert (code, out) == (1, "")
        assert err.endswith("error: there: who are you; give its key with --api-key there=KEY\n")
        code, out, err = bench("closed", f"--api-host=127.0.0.1:{fake.port}")
        assert code == 1 and "the server wants a good token in KRONK_TOKEN" in err
