"""`kronk catalog update`: fetch the repository that is set."""

from __future__ import annotations

import json
import os
from typing import Any

from kronk.shared import settings
from kronk.shared.errors import InvalidArgument
from kronk.shared.jobs.kinds import KINDS

from .local import AsJson, Local
from .options import BasePathOption
from .progress import waiting


def update(local: Local = False, as_json: AsJson = False, base_path: BasePathOption = None) -> None:
    """Fetch the catalogs of the repository that KRONK_CATALOG_GITHUB_REPO names."""
    done = _run("catalog-update", "fetching the catalog", base_path, local=local)
    print(json.dumps(done) if as_json else f"{done['models']} models of {_source(done)}")


def _run(kind: str, what: str, base_path: str | None, *, local: bool) -> dict[str, Any]:
    if not local:
        raise InvalidArgument(
            "updating through the server is not in this version yet; add --local to do it here"
        )
    chosen = settings.resolve({"base_path": base_path}, os.environ)
    with waiting(what):
        return KINDS[kind].function()(chosen, {}, lambda *_: None)


def _source(done: dict[str, Any]) -> str:
    revision = f" at {done['revision'][:12]}" if done["revision"] else ""
    return f"{done['repository']}{revision}"
