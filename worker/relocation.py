"""Paths of a server on another host, as they are here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kronk.shared.wire.loading import AdapterSpec, LoadSpec


def relocated(spec: LoadSpec, theirs: str, ours: str) -> LoadSpec:
    """The spec with every path below the server's base path put below ours. Others stay: they are
    meant to be the same on both hosts."""

    def move(path: str) -> str:
        try:
            return str(Path(ours) / Path(path).relative_to(theirs))
        except ValueError:
            return path

    def move_if(path: str | None) -> str | None:
        return None if path is None else move(path)

    return replace(
        spec,
        path=move(spec.path),
        projector=move_if(spec.projector),
        cache=replace(spec.cache, directory=move_if(spec.cache.directory)),
        speculation=replace(spec.speculation, draft_path=move_if(spec.speculation.draft_path)),
        template=replace(spec.template, path=move_if(spec.template.path)),
        adapters=tuple(AdapterSpec(move(one.path), one.scale) for one in spec.adapters),
    )


def place(host: str, spec: LoadSpec) -> str:
    """Where a load was tried, before the reason why it failed: the server has a file of that name
    too, and theirs is in order."""
    return f"worker host {host} ({spec.path}): "


def data_address(address: str, control: str) -> str:
    """Where to dial the data plane: a star stands for the host that the control plane is on."""
    host = control.removeprefix("tcp://").rpartition(":")[0]
    return address.replace("tcp://*:", f"tcp://{host}:")
