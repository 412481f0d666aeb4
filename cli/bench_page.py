"""A benchmark for people: tables of 80 columns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kronk.shared.benchmark.compare import Difference, differences, other
from kronk.shared.benchmark.figures import METRICS, Result, Spread
from kronk.shared.benchmark.plan import Cell
from kronk.shared.benchmark.report import Report, TargetFacts
from kronk.shared.units import format_bytes, format_duration

WIDTH = 80
_NONE = "-"
_COMPARED = (
    ("tokens_per_second", "tokens/s"),
    ("stream_tokens_per_second", "of each"),
    ("prompt_tokens_per_second", "reading"),
    ("ttft", "first token"),
    ("itl", "between"),
)
_IN_MILLISECONDS = ("ttft", "itl")
_STATISTICS: tuple[tuple[str, Callable[[Sequence[float]], float]], ...] = (
    ("min", min),
    ("mean", statistics.fmean),
    ("median", statistics.median),
    ("max", max),
    ("stdev", statistics.stdev),
)
# Of a prompt; a template begins all of them alike.
_LEAST_CACHED = 0.05
_COLOURS = {"better": "green", "worse": "red", "noise": "dim", "unknown": "dim"}
_WORDS = {"better": "better", "worse": "worse", "noise": "noise", "unknown": "?"}
_LEGEND = "noise: no more than the rounds of a run differ anyway; ?: too few rounds to tell"
# From there on tenths of a percent are of no interest.
_SMALL_CHANGE = 0.0995


def show(console: Console, report: Report, *, with_rounds: bool = False) -> None:
    """The whole of a run; with its rounds one by one, too."""
    console.print(Text("\n".join(head(report))))
    for target in report.targets:
        own = [each for each in report.results if each.target == target.name]
        console.print()
        console.print(Text("\n".join(about(target)), "bold"))
        console.print(table(own) if own else Text("nothing was measured", "yellow"))
        if with_rounds and own:
            console.print(rounds(own))
        for line in cached(own):
            console.print(Text(line, "dim"))
        for line in failures(own):
            console.print(Text(line, "red"))
    if len(report.targets) > 1:
        console.print()
        console.print(Text(f"ratios to {report.targets[0].name}, medians of the rounds'", "bold"))
        console.print(ratios(report))
    for note in report.notes:
        console.print(Text(f"note: {note}", "yellow"))


def show_changes(console: Console, before: Report, after: Report) -> None:
    """What has changed between two runs."""
    found = differences(before, after)
    console.print(Text(f"compared with {before.id}, {_when(before)}", "bold"))
    if what := list(other(before, after)):
        console.print(Text(f"not the same any more: {'; '.join(what)}", "yellow"))
    console.print(changes(found))
    console.print(Text(_LEGEND, "dim"))


def head(report: Report) -> Iterator[str]:
    """When, where and what."""
    plan, host = report.plan, report.host
    state = "" if report.state == "complete" else ", incomplete"
    yield f"benchmark {report.id}, {_when(report)}, took {format_duration(report.took)}{state}"
    cores = f"{host.cores} core{'s' * (host.cores != 1)}"
    gpus = f"; {', '.join(host.gpus)}" if host.gpus else ""
    yield f"Kronk {report.kronk} on {host.cpu}, {cores}, {format_bytes(host.memory_bytes)}{gpus}"
    shared = f" ({plan.shared_prefix} of the prompt shared)" if plan.shared_prefix else ""
    of = f"{report.preset}: " if report.preset else ""
    yield (
        f"{of}answers of {plan.max_tokens} tokens{shared}, {plan.repetitions} rounds and "
        f"{plan.warm_up} before, seed {report.seed}"
    )


def about(target: TargetFacts) -> Iterator[str]:
    """One target."""
    place = f" at {target.url}" if target.url else ""
    yield f"{target.name}{place}: {target.model}"
    known = [
        target.quantization,
        target.server,
        f"llama.cpp {target.llama}" if target.llama else None,
        f"sha256 {target.digest[:12]}" if target.digest else None,
        f"first token of a cold start after {target.cold_seconds:.2f} s"
        if target.cold_seconds is not None
        else None,
    ]
    if line := ", ".join(each for each in known if each):
        yield f"  {line}"


def table(results: Sequence[Result]) -> Table:
    """A line per cell."""
    made = _table("prompt\ntokens", "at\nonce")
    for heading in (
        "tok/s\nall", "tok/s\neach", "prompt\ntok/s",
        "first\np50", "token\np90", "ms\np99", "between\np50", "tokens\np90", "ms\np99",
        "whole\ns p50",
    ):  # fmt: skip
        made.add_column(heading, justify="right", no_wrap=True)
    for each in results:
        values = each.values
        made.add_row(
            *_cell(each.cell),
            figure(values.get("tokens_per_second")),
            figure(values.get("stream_tokens_per_second")),
            figure(values.get("prompt_tokens_per_second")),
            *_spread(each.ttft),
            *_spread(each.itl),
            figure(each.seconds.p50 if each.seconds else None),
        )
    return made


def rounds(results: Sequence[Result]) -> Table:
    """Each cell's rounds, a line each, and how they are spread."""
    made = _table("prompt\ntokens", "at\nonce", "\nround")
    for heading in (
        "tok/s\nall", "tok/s\neach", "prompt\ntok/s", "first\nms", "between\nms", "whole\ns",
    ):  # fmt: skip
        made.add_column(heading, justify="right", no_wrap=True)
    for each in results:
        columns = [each.rounds[metric.name] for metric in METRICS]
        for number, values in enumerate(zip(*columns, strict=True), 1):
            made.add_row(*_cell(each.cell), str(number), *_of_round(values))
        for name, count in _STATISTICS:
            known = ([value for value in column if value is not None] for column in columns)
            shown = [count(values) if len(values) > 1 else None for values in known]
            made.add_row("", "", name, *_of_round(shown), style="dim")
    return made


def failures(results: Sequence[Result]) -> Iterator[str]:
    """A line for each way to fail."""
    for each in results:
        where = _where(each.cell)
        for code, count in each.failed.items():
            yield f"{where}: {count} of {each.requests} failed: {code}: {each.messages[code]}"


def cached(results: Sequence[Result]) -> Iterator[str]:
    """A line for each cell some of whose prompts a cache had."""
    for each in results:
        answered = each.requests - sum(each.failed.values())
        if each.cached_tokens and each.prompt_tokens:
            share = each.cached_tokens / (each.prompt_tokens * answered)
            if share >= _LEAST_CACHED:
                yield f"{_where(each.cell)}: {share:.0%} of the prompts' tokens came from a cache"


def ratios(report: Report) -> Table:
    """Of the other targets to the first, a line per cell."""
    made = _table("prompt\ntokens", "at\nonce", "\ntarget")
    for _, label in _COMPARED:
        made.add_column(f"\n{label}", justify="right", no_wrap=True)
    for each in report.results:
        if each.ratios is None:
            continue
        shown = (each.ratios.get(name) for name, _ in _COMPARED)
        made.add_row(
            *_cell(each.cell),
            Text(each.target, overflow="ellipsis"),
            *(_NONE if ratio is None else f"{ratio:.3f}" for ratio in shown),
        )
    return made


def changes(found: Sequence[Difference]) -> Table:
    """A line per cell: each figure's change, and whether that is more than chance."""
    several = len({each.target for each in found}) > 1
    made = _table("prompt\ntokens", "at\nonce", *(("\ntarget",) if several else ()))
    for _, label in _COMPARED:
        made.add_column(f"\n{label}", justify="right", no_wrap=True)
    by_cell: dict[tuple[str, Cell], dict[str, Difference]] = {}
    for each in found:
        by_cell.setdefault((each.target, each.cell), {})[each.metric.name] = each
    for (target, cell), of_cell in by_cell.items():
        shown = [_change(of_cell.get(name), is_short=several) for name, _ in _COMPARED]
        name = (Text(target, overflow="ellipsis"),) if several else ()
        made.add_row(*_cell(cell), *name, *shown)
    return made


def figure(value: float | None) -> str:
    """Three digits or so: 0.53, 12.3, 1204, 45k."""
    if value is None:
        return _NONE
    if value >= 99_950:
        return f"{value / 1000:.0f}k"
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def _of_round(values: Sequence[float | None]) -> Iterator[str]:
    for metric, value in zip(METRICS, values, strict=True):
        scale = 1000 if metric.name in _IN_MILLISECONDS else 1
        yield figure(None if value is None else value * scale)


def _spread(spread: Spread | None) -> Iterator[str]:
    shares = (spread.p50, spread.p90, spread.p99) if spread else (None, None, None)
    return (figure(None if share is None else share * 1000) for share in shares)


def _change(difference: Difference | None, *, is_short: bool) -> Text:
    if difference is None:
        return Text(_NONE)
    word = "" if is_short else f" {_WORDS[difference.verdict]}"
    mark = {"noise": "~", "unknown": "?"}.get(difference.verdict, "") if is_short else ""
    digits = 1 if abs(difference.change) < _SMALL_CHANGE else 0
    return Text(f"{difference.change:+.{digits}%}{word}{mark}", _COLOURS[difference.verdict])


def _table(*headings: str) -> Table:
    made = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for heading in headings:
        is_name = heading.endswith("target")
        made.add_column(heading, justify="left" if is_name else "right", no_wrap=True)
    return made


def _cell(cell: Cell) -> tuple[str, str]:
    return str(cell.prompt_tokens), str(cell.concurrency)


def _where(cell: Cell) -> str:
    return f"{cell.prompt_tokens} tokens, {cell.concurrency} at once"


def _when(report: Report) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(report.started))
