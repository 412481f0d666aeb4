"""The job that fetches a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kronk.shared.jobs.kinds import Progress
from kronk.shared.settings import Settings

from . import planning
from .pull import pull


def check(settings: Settings, params: Mapping[str, Any]) -> None:
    """What is wrong with `params["wanted"]` and can be told without the network."""
    planning.check(settings, str(params["wanted"]))


def run(settings: Settings, params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Fetch `params["wanted"]`, an id of the catalog or a source; tells the model's id and path."""
    plan = planning.plan(settings, str(params["wanted"]))
    path = pull(settings.base, plan, progress, settings.hf_token)
    return {"model": plan.id, "path": str(path)}
