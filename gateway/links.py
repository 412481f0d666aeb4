"""Files that a request names by URL."""

from __future__ import annotations

from collections.abc import Iterable

from kronk.shared.errors import InvalidArgument

from .dialects.media import LinkedMedia
from .job import Job


def refuse_links(jobs: Iterable[Job]) -> None:
    """Raise for the first file that is still where its URL says."""
    for job in jobs:
        prompt = getattr(job.ask, "prompt", None)
        for media in prompt.media if prompt else ():
            if isinstance(media, LinkedMedia):
                raise InvalidArgument(
                    f"'{media.param}': this server fetches no URLs; send the file in a data URL",
                    param=media.param,
                )
