"""`kronk bench`: how fast a model is answered, here and next to other servers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from kronk.shared import exits
from kronk.shared.benchmark.compare import differences
from kronk.shared.benchmark.history import History, opened
from kronk.shared.benchmark.plan import PRESETS, Plan, numbers, preset
from kronk.shared.benchmark.report import Report, to_record
from kronk.shared.benchmark.run import Order, measured
from kronk.shared.errors import InvalidArgument, KronkError, NotFound

from . import bench_files, bench_page
from .bench_progress import Interrupts, showing
from .bench_targets import LOCAL, targets
from .client import find_base_path
from .columns import aligned
from .local import AsJson
from .options import ApiHost, BasePathOption

_DEFAULT = "run"
_STANDARD = "standard"


class _RunsByDefault(TyperGroup):
    """`kronk bench MODEL` is `kronk bench run MODEL`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_own = not args or args[0] in self.commands or args[0] in ("--help", "-h")
        return super().parse_args(ctx, args if is_own else [_DEFAULT, *args])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        default = self.commands[_DEFAULT]
        model = next(each for each in default.params if each.name == "model")
        return [
            *super().shell_complete(ctx, incomplete),
            *default.shell_complete(ctx, incomplete),
            *([] if incomplete.startswith("-") else model.shell_complete(ctx, incomplete)),
        ]


bench_app = typer.Typer(
    cls=_RunsByDefault,
    help="Measure how fast a model is answered: `kronk bench MODEL`. Earlier runs are kept.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

BenchmarkId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Of a run, as `kronk bench history` shows it; its end will do; or last."
    ),
]


Rounds = Annotated[bool, typer.Option("--rounds", help="Show each round, and how they are spread.")]


def _option(metavar: str, words: str) -> Any:
    return typer.Option(metavar=metavar, help=words, show_default=False)


@bench_app.command(_DEFAULT)
def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Id of the model.")],
    preset_name: Annotated[
        str,
        typer.Option("--preset", metavar="|".join(PRESETS), help="What other options begin with."),
    ] = _STANDARD,
    prompt_sizes: Annotated[str | None, _option("N,N,...", "Tokens of the prompts.")] = None,
    max_tokens: Annotated[int | None, _option("N", "Tokens of an answer at most.")] = None,
    concurrency: Annotated[str | None, _option("N,N,...", "Requests at once.")] = None,
    shared_prefix: Annotated[
        int | None, _option("N", "Tokens that all prompts begin with; 0: none has any of another.")
    ] = None,
    repetitions: Annotated[int | None, _option("N", "Rounds of each kind that count.")] = None,
    warm_up: Annotated[int | None, _option("N", "Rounds before them that do not count.")] = None,
    seed: Annotated[
        str | None, _option("WORD", "Gives the same prompts again; else they are new.")
    ] = None,
    cold: Annotated[
        bool, typer.Option("--cold", help="Unload the model first, and measure its load.")
    ] = False,
    base_url: Annotated[
        list[str] | None,
        _option(
            "[NAME=]URL",
            f"Another server that speaks OpenAI's API; several take turns, and `{LOCAL}` is the "
            "one that is measured without this.",
        ),
    ] = None,
    other_model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME=MODEL", help="What a server calls the model."),
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]KEY",
            envvar="KRONK_BENCH_API_KEY",
            show_envvar=False,
            show_default=False,
            help="For the servers of --base-url. (env: KRONK_BENCH_API_KEY)",
        ),
    ] = None,
    output: Annotated[
        Path | None, _option("FILE", "Write the figures there, as .json or .csv.")
    ] = None,
    rounds: Rounds = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Measure how fast a model is answered, and compare that with the last time.

    Ends with 1 when requests failed.
    """
    plan = _plan(
        preset_name,
        prompt_sizes=numbers(prompt_sizes, "--prompt-sizes") if prompt_sizes else None,
        concurrency=numbers(concurrency, "--concurrency") if concurrency else None,
        max_tokens=max_tokens,
        shared_prefix=shared_prefix,
        repetitions=repetitions,
        warm_up=warm_up,
    )
    bench_files.check(output)
    order = Order(
        plan,
        targets(model, base_url or (), other_model or (), api_key or (), api_host, base_path),
        preset_name if plan == PRESETS[preset_name] else None,
        seed,
        leave_out_too_long=prompt_sizes is None,
        cold=cold,
    )
    with Interrupts() as interrupts, showing() as show:
        report = measured(order, show, interrupts.seen)
    if output is not None:
        bench_files.write(report, output)
    # Shown before it is kept: a database that is broken may end us.
    if not as_json:
        bench_page.show(_console(), report, with_rounds=rounds)
    before = _kept(report, base_path)
    changed = differences(before, report) if before is not None else []
    if as_json:
        compared = bench_files.comparison(before, changed) if before is not None else None
        print(json.dumps(to_record(report) | {"comparison": compared}, indent=2))
    elif before is not None and changed:
        print()
        bench_page.show_changes(_console(), before, report)
    if interrupts.seen():
        raise typer.Exit(exits.INTERRUPTED)
    if report.failures or report.state == "incomplete":
        raise typer.Exit(1)


@bench_app.command()
def history(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="The model's id; all without one.")
    ] = None,
    as_json: AsJson = False,
    base_path: BasePathOption = None,
) -> None:
    """List earlier runs, the latest first."""
    with _known(base_path) as known:
        runs = known.runs(model) if known is not None else []
    if as_json:
        print(json.dumps([to_record(each) for each in runs]))
    elif not runs:
        print("nothing was measured yet" if model is None else f"{model} was not measured yet")
    else:
        heads = ("ID", "MODEL", "TARGETS", "PLAN", "TOK/S", "FAILED", "STATE")
        print("\n".join(aligned(heads, [_row(each) for each in runs])))


@bench_app.command()
def show(
    benchmark_id: BenchmarkId,
    rounds: Rounds = False,
    as_json: AsJson = False,
    base_path: BasePathOption = None,
) -> None:
    """Show an earlier run."""
    with _known(base_path) as known:
        report = _required(known).find(benchmark_id)
    if as_json:
        print(json.dumps(to_record(report), indent=2))
    else:
        bench_page.show(_console(), report, with_rounds=rounds)


@bench_app.command()
def compare(
    benchmark_id: BenchmarkId,
    other_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="A later run; else the first is compared to its last."),
    ] = None,
    as_json: AsJson = False,
    base_path: BasePathOption = None,
) -> None:
    """Compare two runs, or a run with the one before it that asked the same."""
    with _known(base_path) as known:
        found = _required(known)
        first = found.find(benchmark_id)
        if other_id is not None:
            before, after = first, found.find(other_id)
        else:
            earlier = found.before(first)
            if earlier is None:
                raise NotFound(f"no run before {first.id} asked the same of the same", param="id")
            before, after = earlier, first
    changed = differences(before, after)
    if not changed:
        raise NotFound(f"{before.id} and {after.id} have nothing in common", param="id")
    if as_json:
        print(json.dumps({"id": after.id, **bench_files.comparison(before, changed)}))
    else:
        console = _console()
        console.print(f"benchmark {after.id}")
        bench_page.show_changes(console, before, after)


@bench_app.command()
def delete(
    benchmark_id: BenchmarkId, as_json: AsJson = False, base_path: BasePathOption = None
) -> None:
    """Forget an earlier run."""
    with _known(base_path) as known:
        gone = _required(known).delete(benchmark_id)
    print(json.dumps({"id": gone, "deleted": True}) if as_json else f"deleted {gone}")


def _plan(name: str, **given: Any) -> Plan:
    try:
        return replace(
            preset(name), **{key: value for key, value in given.items() if value is not None}
        )
    except InvalidArgument as error:
        # A plan names its fields; whoever typed it knows options.
        field = str(error.param)
        option = f"--{field.replace('_', '-')}"
        said = error.message.removeprefix(field)
        raise InvalidArgument(f"{option}{said}", param=error.param) from error


def _kept(report: Report, base_path: str | None) -> Report | None:
    """Keeps the run; the one to compare it with. What cannot be kept is shown all the same."""
    if not report.results:
        return None
    try:
        with opened(find_base_path(base_path)) as known:
            before = known.before(report)
            known.add(report)
    except (KronkError, OSError) as error:
        print(f"warning: the run is not kept: {error}", file=sys.stderr)
        return None
    return before


def _console() -> Console:
    console = Console(highlight=False)
    # Beyond that, lines are for nobody.
    console.width = bench_page.WIDTH
    return console


@contextmanager
def _known(base_path: str | None) -> Iterator[History | None]:
    """The history; None where there is none, so that a look creates nothing."""
    base = find_base_path(base_path)
    if not (base.db / "data.mdb").is_file():
        yield None
        return
    with opened(base) as known:
        yield known


def _required(known: History | None) -> History:
    if known is None:
        raise NotFound("nothing was measured yet: `kronk bench MODEL` does", param="id")
    return known


def _row(report: Report) -> tuple[str, ...]:
    best = [each.values.get("tokens_per_second", 0.0) for each in report.results]
    plan = report.plan
    sizes, streams = (",".join(map(str, each)) for each in (plan.prompt_sizes, plan.concurrency))
    return (
        report.id,
        report.targets[0].model,
        ", ".join(target.name for target in report.targets),
        report.preset or f"{sizes} x {streams}",
        bench_page.figure(max(best, default=None)),
        str(report.failures),
        report.state,
    )
