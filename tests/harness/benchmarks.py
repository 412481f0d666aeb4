"""A run of `kronk bench` that never was."""

from __future__ import annotations

from dataclasses import replace

from kronk.shared.benchmark.figures import Result, Spread
from kronk.shared.benchmark.plan import Cell, Plan
from kronk.shared.benchmark.report import Host, Report, TargetFacts

_HOST = Host("vm", "Linux 6.1 x86_64", "AMD EPYC 9B14", 8, 32 * 2**30, ("gpu0 (24 GiB)",))


def result_of(rate: float, name: str = "kronk", cell: Cell | None = None) -> Result:
    """Three rounds at about so many tokens per second."""
    rounds = [rate * 0.99, rate, rate * 1.01]
    times = [1 / value for value in rounds]
    by_round: dict[str, list[float | None]] = {
        "tokens_per_second": [*rounds],
        "stream_tokens_per_second": [*rounds],
        "prompt_tokens_per_second": [value * 20 for value in rounds],
        "ttft": [*times],
        "itl": [*times],
        "seconds": [value * 130 for value in times],
    }
    return Result(
        name,
        cell or Cell(128, 1),
        requests=6,
        failed={},
        messages={},
        prompt_tokens=128,
        tokens=6 * 128,
        cached_tokens=None,
        values={key: value[1] for key, value in by_round.items() if value[1] is not None},
        rounds=by_round,
        ttft=Spread(0.0521, 0.06, 0.123),
        itl=Spread(1 / rate, 1.5 / rate, 3 / rate),
        seconds=Spread(1.31, 1.4, 1.5),
        client_share=0.02,
        is_exact=True,
    )


def report_of(rate: float, name: str = "kronk", id_: str = "20260102-030405-ab12") -> Report:
    """Of one target."""
    target = TargetFacts(name, "Tiny", llama="b1", quantization="Q8_0", sizing="exact")
    return Report(
        id_,
        1_767_323_045.0,
        75.0,
        "0.1.0",
        "complete",
        Plan((128,), (1,)),
        "seed",
        _HOST,
        (target,),
        (result_of(rate, name),),
    )


_FIRST = report_of(104.2)
_FAILED = replace(
    result_of(23.4, cell=Cell(2048, 8)),
    failed={"overloaded": 2},
    messages={"overloaded": "every slot is taken"},
    cached_tokens=128,
)
_BESIDE = replace(result_of(99.8, "llama"), ratios={"tokens_per_second": 0.958, "ttft": 1.043})
# With all there can be.
REPORT = replace(
    _FIRST,
    preset="standard",
    plan=Plan((128, 2048), (1, 8), shared_prefix=64),
    targets=(
        replace(_FIRST.targets[0], server="kronk-0.1.0", digest="ab" * 32, cold_seconds=1.234),
        TargetFacts("llama", "tiny.gguf", "http://127.0.0.1:8081"),
    ),
    results=(*_FIRST.results, _FAILED, _BESIDE),
    notes=("llama does not count tokens beforehand: its prompts have about the size",),
)
