"""Pictures of every page at 1440 and 390 px, light and dark, to be looked at: `make screens`.

`cd tests && python -m browser.screens [PATH ...]` writes build/screens/NAME-WIDTH-SCHEME.png, of
all pages or of those named, from a server with a loaded model and something in every store.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, expect

from harness.browser import DESKTOP, PHONE, ROOT, BrowserHouse, Troubles, missing
from harness.server import running_server

from .pages import PATHS
from .sample import fill

FOLDER = ROOT / "build" / "screens"
SIZES = {str(width): (width, height) for width, height in (DESKTOP, PHONE)}
SCHEMES = ("light", "dark")


def picture(path: str, width: str, scheme: str) -> Path:
    """Where the picture of a page goes."""
    name = path.strip("/").replace("/", "_") or "home"
    return FOLDER / f"{name}-{width}-{scheme}.png"


def take(page: Page, path: str) -> None:
    """All pictures of one page."""
    for width, (w, h) in SIZES.items():
        page.set_viewport_size({"width": w, "height": h})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.locator(".mantine-Loader-root, .mantine-Skeleton-root")).to_have_count(0)
            # For charts that draw what comes by the second, and parts that are loaded late.
            page.wait_for_timeout(1500)
            page.screenshot(path=picture(path, width, scheme), full_page=True)


def main() -> int:
    """0; 1 with a line where there is no browser or no UI, or a page had trouble."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", default=PATHS, metavar="PATH")
    wanted = parser.parse_args().paths
    if (lack := missing(os.environ)) is not None:
        print(f"No pictures: {lack}", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    models = {"test/tiny/Tiny.gguf": ROOT / "tests" / "models" / "tiny-chat-q8_0.gguf"}
    with (
        tempfile.TemporaryDirectory() as base,
        running_server(Path(base), models, {}, "--cache-ttl=0") as server,
        closing(BrowserHouse()) as house,
    ):
        fill(server)
        with closing(house.context(server.url)) as context:
            troubles = Troubles(context, server.url)
            page = context.new_page()
            for path in wanted:
                take(page, path)
                print(picture(path, "*", "*").relative_to(ROOT), flush=True)
            for trouble in troubles.unexpected():
                print(trouble, file=sys.stderr)
    return 1 if troubles.unexpected() else 0


if __name__ == "__main__":
    sys.exit(main())
