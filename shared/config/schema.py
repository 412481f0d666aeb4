"""`docs/model-config.schema.json`, written from the tables: `python -m kronk.shared.config.schema`.

For editors, which show what a key means and what is wrong while one types. What keys may not say
together is not in it: `kronk config check` knows.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from kronk.shared.key_values import Schema
from kronk.shared.model_keys import ALIASES, GROUPS, KEYS, Key
from kronk.shared.sampling_params import ALIASES as PARAMETER_ALIASES
from kronk.shared.sampling_params import PARAMETERS
from kronk.shared.wire.values import Sampling

from .layers import SAMPLING
from .model import ModelConfig

# What yaml-language-server and with it most editors read.
_DIALECT = "http://json-schema.org/draft-07/schema#"
_NULL: Schema = {"type": "null"}
# The chapter of a key, for forms; editors leave it alone.
GROUP = "x-group"


def document() -> Schema:
    """Of the whole file."""
    return {
        "$schema": _DIALECT,
        "title": "Kronk model-config file",
        "description": "Settings of models, below the id of each or below ID/VARIANT.",
        "type": ["object", "null"],
        "properties": {
            "models": {
                "description": "Settings of each model, by id.",
                "type": ["object", "null"],
                "additionalProperties": {"$ref": "#/definitions/model"},
            }
        },
        # Maps that are only there to be merged.
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
        "definitions": {"model": _model(), "sampling_parameters": _sampling()},
    }


def _model() -> Schema:
    keys = {key.name: {GROUP: group.title} | _key(key) for group in GROUPS for key in group.keys}
    return _spelled("model", keys, ALIASES) | {
        "description": "Settings of one model. What is left out, or null, is the catalog's or the"
        " built-in default.",
        "type": ["object", "null"],
    }


def _sampling() -> Schema:
    parameters = {
        name: {"description": row.meaning, "anyOf": [row.schema, _NULL]}
        for name, row in PARAMETERS.items()
    }
    return _spelled(SAMPLING, parameters, PARAMETER_ALIASES) | {
        "description": KEYS[SAMPLING].help,
        "type": ["object", "null"],
    }


def _spelled(of: str, known: dict[str, Schema], aliases: dict[str, str]) -> Schema:
    """In any spelling; editors propose the usual one."""
    names = {name: name for name in known if "_" in name} | aliases
    other = {
        f"^{written.replace('_', '[-_]')}$": {"$ref": f"#/definitions/{of}/properties/{name}"}
        for written, name in names.items()
    }
    return {"properties": known, "patternProperties": other, "additionalProperties": False}


def _key(key: Key) -> Schema:
    if key.name == SAMPLING:
        return {"$ref": f"#/definitions/{SAMPLING}"}
    means = f" Default: {key.unset}." if key.unset else ""
    accepted = key.read.schema.get("anyOf", [key.read.schema])
    return {
        "description": f"{key.help}{means}",
        "anyOf": [*accepted, _NULL],
        **_default(key),
    }


def _default(key: Key) -> Schema:
    fields = {field.name: field for field in dataclasses.fields(ModelConfig)}
    default: Any = fields[key.name].default
    if default is None or default is dataclasses.MISSING or isinstance(default, Sampling):
        return {}
    return {"default": list(default) if isinstance(default, tuple) else default}


def text() -> str:
    """The file, byte by byte."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


# Where a copy is kept that editors can be pointed at.
PATH = Path("docs/model-config.schema.json")

if __name__ == "__main__":
    print(text(), end="")
