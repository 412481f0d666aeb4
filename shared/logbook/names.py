"""The names under which the log speaks of one model."""

from __future__ import annotations

from collections.abc import Mapping

from kronk.shared.errors import NotFound
from kronk.shared.model_config import ModelConfig
from kronk.shared.models import index
from kronk.shared.paths import BasePath


def of_model(base: BasePath, configs: Mapping[str, ModelConfig], name: str) -> frozenset[str]:
    """Requests name it by any of them, and its processes by its id; of a model that is not there
    any more it is the name itself."""
    try:
        found = index.locate(index.scan(base.models, configs), name)
    except NotFound:
        return frozenset({name})
    return frozenset({name, found.id, found.relative, *found.aliases})
