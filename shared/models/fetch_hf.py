"""Fetches a file of a Hugging Face repository.

What the hub's own library knows comes from it: the endpoint and its other variables, whose token is
used, what file a name stands for, its digest, where it is stored. The bytes do not: it begins every
download anew (`_download_to_tmp_and_move` deletes what an interruption left), and on the way to a
model of 40 GB there will be one. They come over HTTP or, by `hf_xet`, out of the Xet store; both
can begin at any byte.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import Any

import httpx

from kronk.shared.errors import KronkError, NotFound

from . import xet_remote
from .downloading import download
from .fetching import FetchFailed, Progress, Refused, Wanted, WrongContent
from .http_remote import HttpRemote, origin
from .partial import Partial
from .patience import Again, Patience, asked_wait, words
from .sources import HfSource
from .xet_remote import XetRemote

log = logging.getLogger(__name__)

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MISSING = ("RepositoryNotFoundError", "RevisionNotFoundError", "EntryNotFoundError")
_PASSES = (408, 425, 429, 500, 502, 503, 504)
_BROKEN = ("TransportError", "OfflineModeIsEnabled")
ADVICE = (
    "the repository is private, gated or misspelt; accept its terms on the hub and set "
    "KRONK_HF_TOKEN"
)


@dataclass(frozen=True, slots=True)
class HubFile:
    """What the hub says about a file, and how it can be read."""

    http: HttpRemote
    size_bytes: int | None
    # None for small files, of which the hub has none.
    sha256: str | None
    xet: XetRemote | None


def fetch(
    source: HfSource,
    partial: Partial,
    wanted: Wanted,
    progress: Progress,
    patience: Patience,
    token: str | None = None,
) -> tuple[str, str | None]:
    """The digest of the complete file, and the one that the hub says it has."""
    file = look_up(source, token, patience)
    wanted.refuse_size(file.size_bytes)
    if None not in (file.sha256, wanted.sha256) and file.sha256 != wanted.sha256:
        raise WrongContent(
            f"{source}: has the sha256 {file.sha256}, expected {wanted.sha256}; "
            "the hub has another file under that name now"
        )
    known = replace(
        wanted,
        sha256=wanted.sha256 or file.sha256,
        size_bytes=wanted.size_bytes or file.size_bytes,
    )
    if file.xet is not None and known.sha256 is not None:
        try:
            # Few tries: what is wrong between us and the store may not be over HTTP.
            less = replace(patience, most=(0, 2))
            return download(file.xet, partial, known, progress, less), file.sha256
        except FetchFailed as error:
            if not isinstance(error.__cause__, Again):
                raise
            log.warning("%s: %s; going on over HTTP", source, words(error.__cause__))
    return download(file.http, partial, known, progress, patience), file.sha256


def look_up(source: HfSource, token: str | None, patience: Patience) -> HubFile:
    """Ask the hub what it has under that name; `NotFound`, or `FetchFailed` with what to do."""
    tries = patience.tries(str(source))
    while True:
        try:
            return _looked_up(source, token)
        except Again as error:
            tries.failed(error)
        except KronkError:
            raise
        # The library lets the errors of its HTTP client through, and has changed that client.
        except Exception as error:
            raise _translated(source, error) from error


def _looked_up(source: HfSource, token: str | None) -> HubFile:
    # Half a second to import, and only pulls need it.
    import huggingface_hub as hub

    repo = f"{source.owner}/{source.repo}"
    url = hub.hf_hub_url(repo, source.path, revision=source.revision)
    try:
        facts = hub.get_hf_file_metadata(url, token=token)
    except Exception as error:
        _raise_passing(error)
        raise
    # What was looked at is what is fetched, should the branch move in between.
    pinned = hub.hf_hub_url(repo, source.path, revision=facts.commit_hash or source.revision)
    # Through getattr, as the library does not declare what it documents.
    given: dict[str, str] = getattr(hub.utils, "build_hf_headers")(token=token)  # noqa: B009
    headers = {name.lower(): value for name, value in given.items()}
    authorization = headers.pop("authorization", None)
    http = HttpRemote(pinned, str(source), headers, authorization, ADVICE)
    # Of large files the ETag is the digest.
    sha256 = facts.etag if facts.etag and _SHA256.fullmatch(facts.etag) else None
    return HubFile(http, facts.size, sha256, _xet(facts, http))


def _xet(facts: Any, http: HttpRemote) -> XetRemote | None:
    from huggingface_hub import constants

    stored = getattr(facts, "xet_file_data", None)
    if stored is None or facts.size is None or constants.HF_HUB_DISABLE_XET:
        return None
    # The address is out of an answer, and gets the token.
    same = origin(httpx.URL(stored.refresh_route)) == origin(httpx.URL(http.url))
    if not same or not xet_remote.usable():
        return None
    headers = dict(http.headers)
    if http.authorization is not None:
        headers["authorization"] = http.authorization
    return XetRemote(stored.file_hash, facts.size, stored.refresh_route, headers)


def _raise_passing(error: Exception) -> None:
    """As `Again`, if it may be better in a moment."""
    names = {kind.__name__ for kind in type(error).__mro__}
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status in _PASSES:
        wait = asked_wait(response.headers.get("retry-after")) if response is not None else None
        raise Again(f"the hub answered {status}", wait) from error
    if names.intersection(_BROKEN) and "OfflineModeIsEnabled" not in names:
        raise Again(words(error)) from error


def _translated(source: HfSource, error: Exception) -> FetchFailed | NotFound:
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    if "GatedRepoError" in names or status in (401, 403):
        return Refused(f"{source}: the hub refuses access ({status}): {ADVICE}")
    if names.intersection(_MISSING) and "LocalEntryNotFoundError" not in names:
        return NotFound(f"{source}: the hub has no such file", param="source")
    return FetchFailed(f"{source}: {words(error)}")
