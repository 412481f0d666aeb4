"""The settings of models on this machine: the model-config file above what catalogs recommend."""

from __future__ import annotations

import logging

from kronk.shared.errors import InvalidArgument, KronkError
from kronk.shared.model_config import Configs, Recommended, load_file, parse_file
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings

from . import catalog

log = logging.getLogger(__name__)


def configured(settings: Settings) -> Configs:
    """As they are on disk now, which a running server may not have taken yet."""
    return load_file(settings.config_file).over(recommended(settings.base))


def configured_if_valid(settings: Settings) -> Configs:
    """The same for work on files, which an unfinished model-config file must not keep from being
    done: of one that is wrong nothing is taken, as the log says, and only variants are missing."""
    try:
        return configured(settings)
    except InvalidArgument as error:
        log.warning("the model-config file is not used: %s", error.message)
        return parse_file("", None).over(recommended(settings.base))


def recommended(base: BasePath) -> Recommended:
    """By id, of the models that something is recommended for; nothing while a catalog is broken,
    which the log says: models can be served without it."""
    try:
        entries = catalog.known(base)
    except KronkError as error:
        log.warning("the catalog's recommended settings are not used: %s", error.message)
        return {}
    return {entry.id: entry.config for entry in entries if entry.config}
