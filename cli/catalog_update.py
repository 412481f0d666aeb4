"""`kronk catalog update` and `pull-templates`: fetch the repositories that are set."""

from __future__ import annotations

from typing import Any

from .local import AsJson, Local
from .options import ApiHost, BasePathOption
from .working import Detach, Where, carry_out

WHEN = "Settings that it recommends are those of its models from the next `kronk server reload` on."


def update(
    local: Local = False,
    detach: Detach = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Fetch the catalogs of the repository that KRONK_CATALOG_GITHUB_REPO names."""
    where = Where(local, detach, as_json, api_host, base_path)

    def words(done: dict[str, Any]) -> str:
        models = f"{done['models']} model{'s' if done['models'] != 1 else ''} of {_source(done)}"
        return f"{models}\n{WHEN}"

    carry_out(where, "catalog-update", {}, words)


def pull_templates(
    local: Local = False,
    detach: Detach = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Fetch the chat templates of the repository that KRONK_TEMPLATES_GITHUB_REPO names."""
    where = Where(local, detach, as_json, api_host, base_path)

    def words(done: dict[str, Any]) -> str:
        return f"{_source(done)}: {', '.join(done['templates'])}"

    carry_out(where, "templates-update", {}, words)


def _source(done: dict[str, Any]) -> str:
    revision = f" at {done['revision'][:12]}" if done["revision"] else ""
    return f"{done['repository']}{revision}"
