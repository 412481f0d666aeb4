"""Where a file of a plan goes: below the models folder, whatever the plan says."""

from __future__ import annotations

import errno
from pathlib import Path

from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.files import sync_folder

from .fetching import FetchFailed, disk_error
from .partial import Partial


def target_of(models: Path, relative: str) -> Path:
    """The path of that name; `InvalidArgument` where it leads out of the folder or could never be
    a model's."""
    parts = relative.split("/")
    fault = None
    if not relative.isprintable() or "\\" in relative:
        fault = "it has unprintable characters or backslashes"
    elif any(part.startswith(".") or not part for part in parts):
        # Also `.` and `..`, and the index and downloads folder, which are Kronk's own.
        fault = "no part of it may be empty or begin with a dot"
    elif not parts[-1].lower().endswith(".gguf"):
        fault = "it must end in .gguf"
    if fault is None and not _leads_below(models, models.joinpath(*parts).parent):
        fault = "one of its folders is a link that leads out of the models folder"
    if fault is not None:
        raise InvalidArgument(f"{relative!r} cannot be stored below {models}: {fault}")
    return models.joinpath(*parts)


def place(partial: Partial, models: Path, target: Path) -> None:
    """Give the file its name; it survives a power cut from then on."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.moved_to(target)
        for folder in target.parents:
            sync_folder(folder)
            if folder == models:
                break
    except IsADirectoryError:
        raise Conflict(f"{target} is a folder; move it away to fetch the model") from None
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise FetchFailed(
                f"{target.parent} is another file system than {models}, where files are fetched "
                "to; set the models folder to it"
            ) from error
        raise disk_error(error, target) from error


def _leads_below(models: Path, folder: Path) -> bool:
    return folder.resolve().is_relative_to(models.resolve())
