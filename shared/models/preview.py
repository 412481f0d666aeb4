"""What fetching a model would mean on this machine, as JSON: nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from kronk.shared.settings import Settings

from . import facts, planning
from .choose import Offer
from .facts import Facts
from .plan import Item, Plan
from .sources import HfSource

# `same`: there and verified. `unverified`: there, of the right size, and nobody has compared its
# digest. `different`: another file has its name, and would be in the way.
Here = Literal["same", "unverified", "different", "absent"]


def preview(settings: Settings, wanted: str) -> dict[str, Any]:
    """The plan for `wanted`, which of its files are there, and what else could be had of the same
    repository; errors as `planning.survey`."""
    found = planning.survey(settings, wanted)
    choices = [_choice(found.plan, offer) for offer in found.offers]
    return told(found.plan, settings.base.models) | {"choices": choices}


def told(plan: Plan, models: Path) -> dict[str, Any]:
    """The plan as JSON, against the models folder."""
    known = facts.load(models)
    files = [_file(item, models, known.get(item.relative)) for item in plan.items]
    return {
        "object": "model.plan",
        "wanted": plan.wanted,
        "model": plan.id,
        "folder": str((models / plan.items[0].relative).parent),
        "licence": plan.licence,
        "revision": plan.revision,
        "gated": plan.gated,
        "size_bytes": plan.size_bytes,
        "files": files,
    }


def _choice(plan: Plan, offer: Offer) -> dict[str, Any]:
    """One model of the plan's repository; `source` asks for it, at a commit where one was asked
    for."""
    first = plan.items[0].source
    assert isinstance(first, HfSource)
    path = offer.chosen[0].file.path
    source = HfSource(first.owner, first.repo, path, first.revision if "@" in plan.wanted else None)
    roles = {one.role for one in offer.chosen}
    return {
        "quant": offer.quant,
        "source": str(source),
        "size_bytes": offer.size_bytes,
        "projector": "projector" in roles,
        "chosen": path == first.path,
    }


def _file(item: Item, models: Path, row: Facts | None) -> dict[str, Any]:
    return {
        "name": item.relative.rpartition("/")[2],
        "path": item.relative,
        "role": item.role,
        "size_bytes": item.size_bytes,
        "sha256": item.sha256,
        "source": str(item.source),
        "here": here(item, models / item.relative, row),
    }


def here(item: Item, path: Path, row: Facts | None) -> Here:
    """What is at the place of a file; only what is already known of it counts."""
    try:
        size = path.stat().st_size
    except OSError:
        return "absent"
    if item.size_bytes not in (None, size):
        return "different"
    if row is None or item.sha256 is None or not facts.holds(row, path):
        return "unverified"
    return "same" if row.sha256 == item.sha256 else "different"
