"""The job that brings a model to another Kronk, or to a repository of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kronk.shared.jobs.kinds import Progress
from kronk.shared.models.configured import configured_if_valid
from kronk.shared.models.patience import Patience
from kronk.shared.settings import Settings

from . import push_hub, target
from .files import Bundle, bundle, digested
from .peer import Peer
from .target import HubTarget


def check(settings: Settings, params: Mapping[str, Any]) -> None:
    """What is wrong with `params` and can be told without the network."""
    target.parse(str(params["target"]))
    bundle(settings.base, configured_if_valid(settings), str(params["model"]))


def run(settings: Settings, params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Bring all files of `params["model"]` to `params["target"]`, which has its own `token`. A
    repository that is made for it is private unless `public` says otherwise. Tells where it is and
    how many files and bytes it has."""
    to = target.parse(str(params["target"]))
    model = bundle(settings.base, configured_if_valid(settings), str(params["model"]))
    token = params.get("token")
    if isinstance(to, HubTarget):
        public = bool(params.get("public", False))
        where = push_hub.push(model, to, token or settings.hf_token, progress, public=public)
    else:
        model = digested(settings.base, model, progress)
        _send(model, Peer(to.url, token), progress)
        where = to.url
    return {
        "model": model.id,
        "target": where,
        "files": len(model.files),
        "size_bytes": model.size_bytes,
    }


def _send(model: Bundle, peer: Peer, progress: Progress) -> None:
    before, total = 0, model.size_bytes
    # What is loaded comes last: nobody there sees half a model.
    for file in reversed(model.files):
        assert file.sha256 is not None, "all digests are known by then"
        done = before

        def seen(phase: str, count: int, _total: int | None, done: int = done) -> None:
            progress(phase, done + count, total)

        peer.send(file.path, file.relative, file.sha256, seen, Patience())
        before += file.size_bytes
