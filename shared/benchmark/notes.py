"""What a reader of the figures must know, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .figures import Result
from .plan import Plan
from .report import TargetFacts

# Of one core. One that reads for half of its time may keep an answer waiting.
BUSY_CLIENT = 0.5
_ACCIDENTAL = 0.1


def notes(plan: Plan, targets: Sequence[TargetFacts], results: Sequence[Result]) -> Iterator[str]:
    """One sentence each."""
    for target in targets:
        own = [each for each in results if each.target == target.name]
        yield from _of_target(plan, target, own)
    busiest = max((each.client_share for each in results), default=0.0)
    if busiest > BUSY_CLIENT:
        yield (
            f"measuring took up to {busiest:.0%} of a core: the client may have been what was slow"
        )
    if plan.repetitions == 1:
        yield "with one repetition, nothing tells a difference from chance"


def _of_target(plan: Plan, target: TargetFacts, own: Sequence[Result]) -> Iterator[str]:
    name = target.name
    if own and target.sizing == "approximate":
        yield f"{name} does not count tokens beforehand: its prompts have about the size"
    if not all(each.is_exact for each in own):
        yield f"{name} does not tell how many tokens it sent: pieces of text were counted instead"
    if any(_is_short(plan, each) for each in own):
        yield f"some answers of {name} ended before {plan.max_tokens} tokens"
    cached = sum(each.cached_tokens or 0 for each in own)
    read = sum((each.prompt_tokens or 0) * each.requests for each in own)
    if not plan.shared_prefix and read and cached > _ACCIDENTAL * read:
        yield f"{name} had {cached / read:.0%} of the prompts in its cache, although they differ"


def _is_short(plan: Plan, each: Result) -> bool:
    answered = each.requests - sum(each.failed.values())
    return each.is_exact and each.tokens < answered * plan.max_tokens
