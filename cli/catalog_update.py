"""`kronk catalog update` and `pull-templates`: fetch the repositories that are set."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer

from kronk.shared import settings
from kronk.shared.errors import InvalidArgument
from kronk.shared.jobs.kinds import KINDS

from .local import AsJson, Local
from .options import ApiHost, BasePathOption
from .progress import waiting

CatalogRepository = Annotated[
    str | None,
    typer.Option(
        "--catalog-github-repo",
        metavar="URL",
        help="The repository, with --local. (env: KRONK_CATALOG_GITHUB_REPO)",
        show_default=False,
    ),
]


def update(
    local: Local = False,
    as_json: AsJson = False,
    repository: CatalogRepository = None,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Fetch the catalogs of the repository that is set."""
    flags = {"base_path": base_path, "catalog_github_repo": repository}
    done = _run("catalog-update", "fetching the catalog", flags, local, api_host)
    if as_json:
        print(json.dumps(done))
    else:
        print(f"{done['models']} models of {done['repository']}{_at(done)}")


def _run(
    kind: str, what: str, flags: dict[str, str | None], local: bool, api_host: str | None
) -> dict[str, Any]:
    if not local:
        raise InvalidArgument("add --local")
    chosen = settings.resolve(flags, os.environ)
    with waiting(what):
        return KINDS[kind].function()(chosen, {}, lambda *_: None)


def _at(done: dict[str, Any]) -> str:
    return f" at {done['revision'][:12]}" if done["revision"] else ""
