"""Brings a model to a repository of the Hugging Face hub, through the hub's own library.

What was uploaded is not uploaded again: the hub knows files by their digests, and with its Xet
store their parts too. The commit comes last, with all files at once.
"""

from __future__ import annotations

from typing import Any

from kronk.shared.errors import KronkError
from kronk.shared.jobs.kinds import Progress
from kronk.shared.models import hub
from kronk.shared.models.fetching import Refused

from .files import Bundle
from .target import HubTarget

_REFUSED = (401, 403)


def push(
    model: Bundle, to: HubTarget, token: str | None, progress: Progress, *, public: bool
) -> str:
    """Upload all files in one commit; the repository at that commit. One that is not there is made,
    private unless it is to be `public`."""
    # Half a second to import, and only this needs it.
    import huggingface_hub as library
    from huggingface_hub.utils.tqdm import disable_progress_bars

    # They would be drawn between our own lines.
    disable_progress_bars()
    try:
        api = library.HfApi(endpoint=hub.endpoint(), token=token)
        api.create_repo(to.name, private=not public, exist_ok=True)
        commit = _committed(api, model, to, progress)
    # The library lets the errors of its HTTP client through, and has changed that client.
    except Exception as error:
        raise _translated(to, error, token) from error
    return f"hf:{to.name}@{commit}"


def _committed(api: Any, model: Bundle, to: HubTarget, progress: Progress) -> str:
    import huggingface_hub as library

    folder = f"{to.folder}/" if to.folder else ""
    done, total = 0, model.size_bytes
    additions = []
    for file in model.files:
        # The library says how far it is to a terminal only, so a file is the step.
        progress("upload", done, total)
        addition = library.CommitOperationAdd(f"{folder}{file.path.name}", str(file.path))
        api.preupload_lfs_files(to.name, [addition], free_memory=False)
        additions.append(addition)
        done += file.size_bytes
    progress("upload", done, total)
    found = api.create_commit(to.name, additions, commit_message=f"Upload {model.id}")
    return str(found.oid)


def _translated(to: HubTarget, error: Exception, token: str | None) -> KronkError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in _REFUSED or type(error).__name__ == "LocalTokenNotFoundError":
        advice = "the token in KRONK_HF_TOKEN must have" if token else "set KRONK_HF_TOKEN with"
        return Refused(f"{to}: the hub refuses it ({status}): {advice} the right to write there")
    return hub.translated(str(to), error, token)
