"""What the Hugging Face hub says of a repository: its commit, its files and who may have them.

The hub's own library asks; it reads `HF_ENDPOINT` and its other variables itself.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from kronk.shared.errors import KronkError, NotFound

from . import sources
from .choose import RemoteFile
from .fetching import FetchFailed, Refused

DEFAULT_ENDPOINT = "https://huggingface.co"
SECONDS = 30.0

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Repository:
    """One commit of a repository."""

    owner: str
    repo: str
    commit: str
    files: tuple[RemoteFile, ...]
    licence: str | None
    # `auto` or `manual`: who wants it must accept its terms, and may have to wait for a person.
    gated: str | None

    @property
    def name(self) -> str:
        return f"{self.owner}/{self.repo}"


def endpoint() -> str:
    """The hub's address, without a slash at its end."""
    return (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")


def look(owner: str, repo: str, revision: str | None, token: str | None) -> Repository:
    """The repository at a branch, tag or commit, by default at its main branch.

    `NotFound` and `FetchFailed` say what is wrong and what to do. Without a token the library's
    own is used, where somebody has logged in on this machine."""
    # Half a second to import, and few commands need it.
    import huggingface_hub as library

    what = f"hf:{owner}/{repo}" + (f"@{revision}" if revision else "")
    try:
        api = library.HfApi(endpoint=endpoint(), token=token)
        info = api.model_info(
            f"{owner}/{repo}", revision=revision, files_metadata=True, timeout=SECONDS
        )
        return _read(owner, repo, info)
    # The library lets the errors of its HTTP client through, and has changed that client; of an
    # answer that it does not understand it raises whatever happens to break.
    except Exception as error:
        raise translated(what, error, token) from error


def _read(owner: str, repo: str, info: Any) -> Repository:
    if not _COMMIT.fullmatch(str(info.sha)):
        raise ValueError("the answer names no commit")
    files = (_file(sibling.rfilename, sibling.size, sibling.lfs) for sibling in info.siblings or ())
    return Repository(
        owner,
        repo,
        str(info.sha),
        tuple(file for file in files if _is_safe(file)),
        _licence(info.card_data, info.tags),
        str(info.gated) if info.gated else None,
    )


def _file(path: object, size: object, lfs: Any) -> RemoteFile:
    sha256 = getattr(lfs, "sha256", None)
    return RemoteFile(
        str(path),
        size if type(size) is int and size >= 0 else None,
        sha256 if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else None,
    )


def _is_safe(file: RemoteFile) -> bool:
    """What a hub must not make us write to, it does not have."""
    if file.path.lower().endswith(".gguf") and not sources.is_safe_name(file.name):
        return False
    return sources.is_safe_path(file.path)


def _licence(card: Any, tags: Any) -> str | None:
    named = getattr(card, "license", None)
    if isinstance(named, str) and named and named.isprintable():
        return named
    prefix = "license:"
    texts = [tag for tag in tags or () if isinstance(tag, str) and tag.startswith(prefix)]
    return texts[0].removeprefix(prefix) if texts and texts[0].isprintable() else None


def translated(what: str, error: Exception, token: str | None) -> KronkError:
    """Our error for one of the hub's library, with what to do about it."""
    if isinstance(error, KronkError):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    advice = "check the token in KRONK_HF_TOKEN" if token else "set KRONK_HF_TOKEN"
    if "GatedRepoError" in kinds or status == 403:
        return Refused(
            f"{what}: the hub refuses access ({status}): accept the repository's terms on its page "
            f"and {advice}, which must be of that account"
        )
    if "RevisionNotFoundError" in kinds:
        return NotFound(f"{what}: the repository has no such branch, tag or commit", param="source")
    if "RepositoryNotFoundError" in kinds or status == 404:
        return NotFound(
            f"{what}: the hub has no such repository, or it is private; check the spelling, and "
            f"for a private one {advice}",
            param="source",
        )
    if status == 401:
        return Refused(f"{what}: the hub does not accept the token (401): {advice}")
    # What only the user can change is not tried again.
    lasting = kinds & {"OfflineModeIsEnabled", "HFValidationError", "DisabledRepoError"}
    return (Refused if lasting else FetchFailed)(f"{what}: {_words(error, kinds, status)}")


def _words(error: Exception, kinds: set[str], status: int | None) -> str:
    if "OfflineModeIsEnabled" in kinds:
        return "HF_HUB_OFFLINE is set, so the hub is not asked"
    if "HFValidationError" in kinds:
        return "the hub has no repositories of such names"
    if status is not None:
        return f"the hub at {endpoint()} answered {status}; try again later"
    if any("Timeout" in kind for kind in kinds):
        return f"the hub at {endpoint()} did not answer within {SECONDS:g} s"
    said = " ".join(str(error).split())[:_LONGEST_WORDS] or type(error).__name__
    if any(kind.endswith(("ConnectError", "TransportError", "NetworkError")) for kind in kinds):
        return f"the hub at {endpoint()} cannot be reached: {said}"
    return f"the hub at {endpoint()} answered something that cannot be read: {said}"
