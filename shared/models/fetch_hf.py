"""Fetches a file of a Hugging Face repository through the hub's own library.

The library reads `HF_ENDPOINT` and its other variables itself.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from kronk.shared.errors import NotFound

from .fetching import FetchFailed, Progress, WrongContent, require_room
from .sources import HfSource

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MISSING = ("RepositoryNotFoundError", "RevisionNotFoundError", "EntryNotFoundError")


def fetch(
    source: HfSource, part: Path, size: int | None, progress: Progress, token: str | None = None
) -> tuple[Path, str | None]:
    """The complete file at `part`, and its SHA-256 where the hub knows it.

    An interruption leaves nothing that a later fetch does not delete.
    """
    # Named after the part, which is locked: what a killed process left behind can go.
    folder = part.with_suffix(".hf")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        stored, sha256 = _download(source, folder, size, progress, token)
        stored.replace(part)
        return part, sha256
    except (FetchFailed, NotFound):
        raise
    # The library lets the errors of its HTTP client through, and has changed that client.
    except Exception as error:
        raise _translated(source, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(
    source: HfSource, folder: Path, size: int | None, progress: Progress, token: str | None
) -> tuple[Path, str | None]:
    # Half a second to import, and only pulls need it.
    import huggingface_hub as hub

    repo = f"{source.owner}/{source.repo}"
    url = hub.hf_hub_url(repo, source.path, revision=source.revision)
    facts = hub.get_hf_file_metadata(url, token=token)
    if size is not None and facts.size is not None and facts.size != size:
        raise WrongContent(f"{source}: has {facts.size} bytes, expected {size}")
    require_room(folder, facts.size or size or 0)
    stored = hub.hf_hub_download(
        repo,
        source.path,
        # What was looked at is what is fetched, should the branch move in between.
        revision=facts.commit_hash or source.revision,
        local_dir=folder,
        token=token,
        tqdm_class=_relay(progress, facts.size),
    )
    # Of large files the ETag is the digest.
    sha256 = facts.etag if facts.etag and _SHA256.fullmatch(facts.etag) else None
    return Path(stored), sha256


def _relay(progress: Progress, total: int | None) -> Any:
    """A progress bar that shows nothing and passes on what it is told."""
    import huggingface_hub.utils

    # Through getattr, as the library does not declare what it documents.
    base: Any = getattr(huggingface_hub.utils, "tqdm")  # noqa: B009

    class Relay(base):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            self._done = int(options.get("initial") or 0)
            options["disable"] = True
            super().__init__(*args, **options)
            progress("download", self._done, total)

        def update(self, n: float | None = 1) -> None:
            self._done += int(n or 0)
            progress("download", self._done, total)

    return Relay


def _translated(source: HfSource, error: Exception) -> FetchFailed | NotFound:
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    if "GatedRepoError" in names or status in (401, 403):
        return FetchFailed(
            f"{source}: the hub refuses access ({status}): the repository is private, gated or "
            "misspelt; accept its terms on the hub and set KRONK_HF_TOKEN"
        )
    if names.intersection(_MISSING) and "LocalEntryNotFoundError" not in names:
        return NotFound(f"{source}: the hub has no such file", param="source")
    said = str(error).strip() or type(error).__name__
    return FetchFailed(f"{source}: {said.splitlines()[0]}")
