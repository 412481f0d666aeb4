"""All pages of the UI, in the order of its navigation; `test_pages.py` opens each.

A page in `web/ui/src/app/pages.ts` that has no row here fails a test: add its row.
"""

from __future__ import annotations

import re

from harness.browser import ROOT

TABLE = ROOT / "web" / "ui" / "src" / "app" / "pages.ts"

# Path, and a word that is to be seen when the page is ready: of its content rather than its frame.
# None: its heading is enough.
READY: dict[str, str | None] = {
    "/": "Loaded models",
    "/chat": None,
    "/compare": "What is asked",
    "/conversations": None,
    "/prompts": None,
    "/tools": "Functions",
    "/models": None,
    "/running": None,
    "/catalog": None,
    "/downloads": None,
    "/configuration": None,
    "/estimator": None,
    "/libraries": None,
    "/benchmark": None,
    "/batches": None,
    "/security": None,
    "/logs": None,
    "/settings": None,
    "/docs": None,
}


def ui_paths() -> list[str]:
    """The paths in the UI's own table."""
    rows = re.findall(r"\{ name: '\w+', path: '(/[\w-]*)'", TABLE.read_text("utf-8"))
    assert rows, f"no rows in {TABLE}"
    return rows


# Those that there are, in the UI's order.
PATHS = ui_paths()
