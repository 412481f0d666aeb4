"""Catalogs in the form of Kronk's first implementation, as entries of ours.

Its repositories are what the manual's `--catalog-github-repo` names. A file of a model is a map
with `url` and `size`, `files` has `models` and `proj`, and capabilities are a map of truths. What
these catalogs do not say, such as the licence, is unknown here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kronk.shared import model_config
from kronk.shared.errors import InvalidArgument

_HUB = re.compile(r"https://huggingface\.co/([^/]+)/([^/]+)/(?:resolve|blob)/([^/]+)/(.+)")
_SHARD = re.compile(r"-00001-of-\d{5}$")
_CATEGORIES = {"Rerank": "Reranking", "Any-to-Any": "Audio-Text-to-Text"}
_CAPABILITIES = {"audio": "audio", "reasoning": "reasoning", "tooling": "tools", "images": "vision"}
UNKNOWN = "unknown"


def is_foreign(document: Any) -> bool:
    """Whether a YAML document is such a catalog."""
    models = document.get("models") if isinstance(document, dict) else None
    return (
        isinstance(models, list)
        and bool(models)
        and all(isinstance(model, dict) and isinstance(_files(model), dict) for model in models)
    )


def translated(document: Any) -> dict[str, Any]:
    """The same as a document of ours; what is wrong with it is found when that is read."""
    return {"models": [_entry(model) for model in document["models"]]}


def _entry(model: dict[str, Any]) -> dict[str, Any]:
    said, files = _map(model.get("capabilities")), list(_sources(_files(model)))
    category = str(model.get("category"))
    found: dict[str, Any] = {
        "id": _stem(files) or model.get("id"),
        "category": _CATEGORIES.get(category, category),
        "endpoint": said.get("endpoint"),
        "licence": UNKNOWN,
        "description": " ".join(str(_map(model.get("metadata")).get("description") or "-").split()),
        "files": files,
        "capabilities": [ours for theirs, ours in _CAPABILITIES.items() if said.get(theirs)],
        "config": _config(_map(model.get("config"))),
        "gated": model.get("gated_model") is True,
    }
    page = model.get("web_page")
    return found | ({"web_page": page} if page else {})


def _files(model: dict[str, Any]) -> Any:
    return model.get("files")


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sources(files: Any) -> Iterator[dict[str, Any]]:
    models, projector = files.get("models"), files.get("proj")
    for file in models if isinstance(models, list) else ():
        yield _source(_map(file))
    if isinstance(projector, dict) and projector.get("url"):
        yield _source(projector) | {"role": "projector"}


def _source(file: dict[str, Any]) -> dict[str, Any]:
    url, size = str(file.get("url")), file.get("size")
    hub = _HUB.fullmatch(url)
    if hub is not None:
        owner, repository, revision, path = hub.groups()
        at = "" if revision == "main" else f"@{revision}"
        url = f"hf:{owner}/{repository}/{path}{at}"
    return {"source": url} | ({"size": f"about {size}"} if size else {})


def _stem(files: list[dict[str, Any]]) -> str | None:
    if not files:
        return None
    name = str(files[0]["source"]).partition("@")[0].rpartition("/")[2]
    return _SHARD.sub("", name.removesuffix(".gguf"))


def _config(config: dict[str, Any]) -> dict[str, Any]:
    """Without the keys that are not ours."""
    return {key: value for key, value in config.items() if _is_ours(key, value)}


def _is_ours(key: object, value: object) -> bool:
    try:
        model_config.parse_recommended({key: value}, "")
    except InvalidArgument:
        return False
    return value is not None
