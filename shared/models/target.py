"""Where a file of a plan goes: below the models folder, whatever the plan says."""

from __future__ import annotations

import errno
from pathlib import Path

from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.files import sync_folder

from .fetching import FetchFailed, disk_error
from .names import is_relative
from .partial import Partial


def target_of(models: Path, relative: str) -> Path:
    """The path of that name; `InvalidArgument` where it leads out of the folder or could never be
    a model's."""
    fault = None
    # The index and the downloads folder, which are Kronk's own, begin with a dot.
    if not is_relative(relative) or "\\" in relative:
        fault = "it must be printable, without empty parts and parts that begin with a dot"
    elif not relative.lower().endswith(".gguf"):
        fault = "it must end in .gguf"
    elif not _leads_below(models, (models / relative).parent):
        fault = "one of its folders is a link that leads out of the models folder"
    if fault is not None:
        raise InvalidArgument(f"{relative!r} cannot be stored below {models}: {fault}")
    return models / relative


def place(partial: Partial, models: Path, relative: str) -> None:
    """Give the file its name; it survives a power cut from then on."""
    target = models / relative
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Hours may lie between the plan and this.
        target_of(models, relative)
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
