"""Fetching a model: by a job of the server's, or into this machine's folder with `--local`."""

from __future__ import annotations

from .working import Where, carry_out


def pull(where: Where, wanted: str) -> None:
    """Fetch an id of the catalog or a source, and print where its first file is."""
    carry_out(where, "pull", {"wanted": wanted}, lambda result: str(result["path"]))


def pull_from(where: Where, model: str, host: str, token: dict[str, str]) -> None:
    """Fetch a model of another Kronk, and print where its first file is."""
    params = {"model": model, "host": host} | token
    carry_out(where, "pull-from", params, lambda result: str(result["path"]))
