"""The job that fetches a model from another Kronk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kronk.shared.jobs.kinds import Progress
from kronk.shared.models.patience import Patience
from kronk.shared.models.pull import pull
from kronk.shared.settings import Settings

from .peer import Peer, fetched
from .target import parse_host


def check(settings: Settings, params: Mapping[str, Any]) -> None:
    """What is wrong with `params` and can be told without the network."""
    parse_host(str(params["host"]), "host")


def run(settings: Settings, params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Fetch `params["model"]` of the Kronk at `params["host"]`, which has its own `token`; tells
    the model's id and path."""
    host = parse_host(str(params["host"]), "host")
    peer = Peer(host.url, params.get("token"))
    # It may have to read all of the model before it answers.
    progress("verify", 0, None)
    plan = fetched(peer, str(params["model"]), Patience())
    path = pull(settings.base, plan, progress)
    return {"model": plan.id, "path": str(path)}
