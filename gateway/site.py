"""The browser UI as it was built into `web/static`: its files, and the paths that are its pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

STATIC = Path(str(resources.files("kronk.web"))) / "static"
_NAME = re.compile(r"\w[\w.-]{0,199}")
# Where the UI has pages, as `web/ui/src/app/pages.ts` has them; what follows a path is theirs.
PAGES = (
    "/chat",
    "/compare",
    "/conversations",
    "/prompts",
    "/tools",
    "/models",
    "/running",
    "/catalog",
    "/downloads",
    "/configuration",
    "/estimator",
    "/libraries",
    "/benchmark",
    "/batches",
    "/security",
    "/logs",
    "/settings",
    "/docs",
)
# Of what is built with a digest in its name: a year, and never asked for again.
FOR_EVER = "public, max-age=31536000, immutable"
# Scripts are the UI's own files. Styles are set by scripts, too. Answers may show pictures
# that came with the conversation, and fetch none from elsewhere: their addresses would carry out
# what was said. Requests go to other servers where the user has entered their addresses.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' http: https:",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True, slots=True)
class Served:
    """A file as it is sent. `encoding` is its Content-Encoding, where it has one."""

    path: Path
    encoding: str | None


def index() -> bytes | None:
    """The one HTML document of all pages; None where the UI was not built."""
    try:
        return (STATIC / "index.html").read_bytes()
    except OSError:
        return None


def find(folder: str, name: str, *, takes_gzip: bool) -> Served | None:
    """The file `name` of the built `folder` ('' is the top), compressed where that was done and the
    client takes it. None for everything else, whatever `name` tries."""
    if _NAME.fullmatch(name) is None:
        return None
    path = STATIC / folder / name
    compressed = path.with_name(f"{name}.gz")
    if takes_gzip and compressed.is_file():
        return Served(compressed, "gzip")
    return Served(path, None) if path.is_file() else None
