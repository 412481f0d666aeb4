"""All pages of the UI, in the order of its navigation; `test_pages.py` opens each.

A page in `web/ui/src/app/pages.ts` that has no row here fails a test: add its row.
"""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from harness.browser import ROOT

TABLE = ROOT / "web" / "ui" / "src" / "app" / "pages.ts"

# Path, and a word that is to be seen when the page is ready: of its content rather than its frame.
READY = {
    "/": "Loaded models",
    "/chat": "What is on your mind?",
    "/compare": "Nothing compared yet",
    "/conversations": "About models",
    "/prompts": "Pirate",
    "/tools": "Nothing asked yet",
    "/models": "Tiny",
    "/running": "Slots",
    "/catalog": "SmolLM2-135M-Instruct",
    "/downloads": "Nothing has been fetched yet",
    "/configuration": "No mistakes",
    "/estimator": "Choose a model",
    "/libraries": "No other build is installed",
    "/benchmark": "What to measure",
    "/batches": "There is no batch yet",
    "/security": "Authentication is off",
    "/logs": "server started",
    "/settings": "Who you are",
    "/docs": "All routes of the API",
}


def ui_paths() -> list[str]:
    """The paths in the UI's own table."""
    rows = re.findall(r"\{ name: '\w+', path: '(/[\w-]*)'", TABLE.read_text("utf-8"))
    assert rows, f"no rows in {TABLE}"
    return rows


# Those that there are, in the UI's order.
PATHS = ui_paths()


def assert_named_alike(page: Page, path: str) -> None:
    """The navigation calls the page what it calls itself; for that it must be wide."""
    # A page of the manual has its own title.
    if path != "/docs":
        title = page.get_by_role("heading", level=1).inner_text()
        here = page.get_by_role("navigation").locator("[aria-current=page]")
        expect(here.first).to_have_text(title)
