"""`kronk bench`: what people and programs are shown, and what flags mean."""

from __future__ import annotations

import csv
import io
import json
import re
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.benchmarks import REPORT, report_of
from kronk.cli import bench_files, bench_page
from kronk.cli.bench_page import figure
from kronk.cli.bench_progress import words
from kronk.cli.bench_targets import targets
from kronk.shared.benchmark.plan import Cell
from kronk.shared.benchmark.report import to_record
from kronk.shared.benchmark.run import Step
from kronk.shared.benchmark.wires import endpoint
from kronk.shared.errors import InvalidArgument

WHOLE = """\
benchmark 20260102-030405-ab12, DATE, took 1m15s
Kronk 0.1.0 on AMD EPYC 9B14, 8 cores, 32 GiB; gpu0 (24 GiB)
standard: answers of 128 tokens (64 of the prompt shared), 3 rounds and 1
before, seed seed

kronk: Tiny
  Q8_0, kronk-0.1.0, llama.cpp b1, sha256 abababababab, first token of a cold
start after 1.23 s
prompt   at tok/s tok/s prompt first token  ms between tokens   ms whole
tokens once   all  each  tok/s   p50   p90 p99     p50    p90  p99 s p50
   128    1   104   104   2084  52.1  60.0 123    9.60   14.4 28.8  1.31
  2048    8  23.4  23.4    468  52.1  60.0 123    42.7   64.1  128  1.31
2048 tokens, 8 at once: 25% of the prompts' tokens came from a cache
2048 tokens, 8 at once: 2 of 6 failed: overloaded: every slot is taken

llama at http://127.0.0.1:8081: tiny.gguf
prompt   at tok/s tok/s prompt first token  ms between tokens   ms whole
tokens once   all  each  tok/s   p50   p90 p99     p50    p90  p99 s p50
   128    1  99.8  99.8   1996  52.1  60.0 123    10.0   15.0 30.1  1.31

ratios to kronk, medians of the rounds'
prompt   at
tokens once target tokens/s of each reading first token between
   128    1 llama     0.958       -       -       1.043       -
note: llama does not count tokens beforehand: its prompts have about the size
"""
CHANGES = """\
compared with 20260101-000000-0000, DATE
not the same any more: Kronk 0.0.9, now 0.1.0; llama.cpp of kronk (b0, now b1)
prompt   at
tokens once    tokens/s     of each     reading first token     between
   128    1 +25% better +25% better +25% better -20% better -20% better
noise: no more than the rounds of a run differ anyway; ?: too few rounds to tell
"""


ROUNDS = """\
prompt   at        tok/s tok/s prompt first between whole
tokens once  round   all  each  tok/s    ms      ms     s
   128    1      1   103   103   2063  9.69    9.69  1.26
   128    1      2   104   104   2084  9.60    9.60  1.25
   128    1      3   105   105   2105  9.50    9.50  1.24
               min   103   103   2063  9.50    9.50  1.24
              mean   104   104   2084  9.60    9.60  1.25
            median   104   104   2084  9.60    9.60  1.25
               max   105   105   2105  9.69    9.69  1.26
             stdev  1.04  1.04   20.8  0.10    0.10  0.01
"""


def console() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=bench_page.WIDTH, highlight=False), out


def shown(out: io.StringIO) -> str:
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE", "\n".join(lines) + "\n")


def test_a_run_is_shown_in_80_columns() -> None:
    screen, out = console()
    bench_page.show(screen, replace(REPORT, results=replaced_cache()))
    assert shown(out) == WHOLE


def test_rounds_are_shown_one_by_one_when_asked_for() -> None:
    screen, out = console()
    bench_page.show(screen, report_of(104.2), with_rounds=True)
    assert shown(out).endswith(ROUNDS)


def replaced_cache() -> tuple[bench_page.Result, ...]:
    first, failed, beside = REPORT.results
    return first, replace(failed, prompt_tokens=128), beside


def test_a_run_without_results_says_so() -> None:
    screen, out = console()
    bench_page.show(screen, replace(report_of(1.0), results=(), state="incomplete"))
    assert "nothing was measured" in shown(out) and "incomplete" in shown(out)


def test_changes_are_shown_with_what_else_has_changed() -> None:
    screen, out = console()
    before = report_of(80.0, id_="20260101-000000-0000")
    before = replace(before, kronk="0.0.9", targets=(replace(before.targets[0], llama="b0"),))
    bench_page.show_changes(screen, before, report_of(100.0))
    assert shown(out) == CHANGES


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"), (0.0, "0.00"), (0.534, "0.53"), (9.996, "10.0"), (12.34, "12.3"),
        (99.96, "100"), (12345.6, "12346"), (99950.0, "100k"), (1.5e6, "1500k"),
    ],
)  # fmt: skip
def test_figures_are_short(value: float | None, expected: str) -> None:
    assert figure(value) == expected and len(expected) <= 5


def test_a_row_of_csv_is_a_cell_of_a_target(tmp_path: Path) -> None:
    bench_files.write(REPORT, tmp_path / "o.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "o.csv").read_text())))
    assert [(row["target"], row["model"], row["prompt_tokens"]) for row in rows] == [
        ("kronk", "Tiny", "128"), ("kronk", "Tiny", "2048"), ("llama", "tiny.gguf", "128"),
    ]  # fmt: skip
    assert (rows[1]["failed"], rows[2]["tokens_per_second_ratio"]) == ("2", "0.958")
    assert float(rows[0]["ttft_p99"]) == 0.123
    bench_files.write(REPORT, tmp_path / "o.JSON")
    assert json.loads((tmp_path / "o.JSON").read_text()) == to_record(REPORT)


@pytest.mark.parametrize("name", ["figures.txt", "figures", "no-folder/figures.csv"])
def test_a_file_that_could_not_be_written_is_refused_first(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match="--output: "):
        bench_files.check(tmp_path / name)


@pytest.mark.parametrize(
    ("step", "with_count", "expected"),
    [
        (Step("loading", "a", None, 0, 8), True, "Loading the model, which is not measured (a)"),
        (Step("measuring", "a", Cell(64, 2), 3, 8), False,
         "Measuring prompts of 64 tokens, 2 at once"),
        (Step("measuring", "a", Cell(64, 2), 3, 8), True,
         "Measuring prompts of 64 tokens, 2 at once (round 4 of 8)"),
    ],
)  # fmt: skip
def test_a_step_is_one_line(step: Step, with_count: bool, expected: str) -> None:
    assert words(step, with_count=with_count) == expected


def test_targets_have_names_models_and_keys_of_their_own(tmp_path: Path) -> None:
    found = targets(
        "Tiny",
        ["kronk", "llama=http://10.0.0.2:8081/v1", "https://api.example.com/openai/v1"],
        ["llama=tiny.gguf"],
        ["all", "llama=own"],
        "127.0.0.1:8123",
        str(tmp_path),
    )
    assert [(each.name, each.model, each.url) for each in found] == [
        ("kronk", "Tiny", None),
        ("llama", "tiny.gguf", "http://10.0.0.2:8081"),
        ("api.example.com", "Tiny", "https://api.example.com:443/openai"),
    ]
    assert [each.where.token for each in found] == [None, "own", "all"]
    assert [each.where.port for each in found] == [8123, 8081, 443]
    assert isinstance(found[2].where.tls, ssl.SSLContext)


@pytest.mark.parametrize(
    ("urls", "models", "words"),
    [
        (["http://a:1", "http://a:1"], [], "two targets are called a:1"),
        (["=http://a:1"], [], "expected NAME=URL"),
        (["http://a:1"], ["b=Tiny"], "expected NAME=MODEL with one of the names a:1"),
        (["ftp://a:1"], [], "expected a URL"),
        (["http://user:word@a:1"], [], "expected a URL"),
        (["http://a:99999"], [], "expected a URL"),
    ],
)
def test_targets_that_cannot_be_are_refused(
    urls: list[str], models: list[str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        targets("Tiny", urls, models, [], None, str(tmp_path))


def test_a_request_is_whole_and_has_the_key() -> None:
    where = endpoint("http://[::1]:8080/base/v1/", "secret")
    request = where.request("/v1/models")
    assert request.startswith(b"GET /base/v1/models HTTP/1.1\r\nHost: [::1]:8080\r\n")
    assert b"Authorization: Bearer secret\r\n" in request and request.endswith(b"\r\n\r\n")
    posted = where.request("/v1/x", {"a": 1})
    assert b"Content-Length: 8\r\n" in posted and posted.endswith(b'\r\n\r\n{"a": 1}')
    assert "secret" not in repr(where)
