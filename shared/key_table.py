"""`docs/model-config.md`, written from the table of keys: `python -m kronk.shared.key_table`."""

from __future__ import annotations

import dataclasses
from typing import Any

from .model_config import ModelConfig
from .model_keys import GROUPS, Key
from .units import format_bytes
from .wire.values import Sampling

_HEAD = """\
# Keys of a model's configuration

A YAML file given with `--model-config-file` (or `KRONK_CATALOG_MODEL_CONFIG_FILE`), else
`model_config.yaml` in the base path, has settings per model, below the model's id or below
`<id>/<variant>`, which then is a model id of its own:

```yaml
models:
  Qwen3-8B-Q8_0:
    context_window: 32768
    n_seq_max: 2
    cache_type_k: q8_0
    cache_type_v: q8_0
  Qwen3-8B-Q8_0/LONG:
    context_window: 131072
    rope_scaling: yarn
```

Hyphens may stand for underscores. `null` is as good as leaving the key out. A relative path starts
at the file's own folder. A variant inherits nothing of the settings of its model: what both are to
have is written for both, with an anchor.

```yaml
x-agents: &agents                # top-level keys that begin with `x-` are only there to be merged
  n-seq-max: 1
  incremental-cache: true
models:
  Qwen3-8B-Q8_0: &qwen           # a model's map can be merged, too
    context-window: 32768
  Qwen3-8B-Q8_0/IMC:
    <<: [*agents, *qwen]         # the first one wins, and what is written below wins over both
    max-imc-sessions: 2
```

What is merged is replaced whole: `sampling-parameters` of one map and of another are not joined.
`aliases` are never taken over by a merge: a name is one model's.

A key or a value that is not known, a key that stands there twice and a top-level key other than
`models` and `x-...` stop the server at its start, with file, line, column, model, key and the
nearest key there is; `kronk config check` has all of a file's mistakes at once. A name that no
model has is only noted in the log, as the model may come later.

[deploy/model_config.yaml](../deploy/model_config.yaml) has examples to copy. Editors with a YAML
language server complete keys and mark mistakes, when the file begins with a line that names
[the schema](model-config.schema.json), which `kronk config schema` prints, too:

```yaml
# yaml-language-server: $schema=http://127.0.0.1:8080/v1/kronk/config/schema
```

## What is wrong with a file, and what it comes to

```
$ kronk config check models.yaml
models.yaml:3:5: models.Qwen3-8B-Q8_0.contextwindow: no such key; did you mean context_window?
models.yaml:7:3: warning: models.Tiny: is not on disk: there is no model 'Tiny'
models.yaml: settings of 2 models, 1 mistake, 1 warning
```

It ends with 2 when a server would refuse the file. Warnings are what a load would stumble over:
models that are not there or cannot be loaded, a context larger than the model was trained for
without `rope_scaling`, a draft model, projector, adapter or template that is missing. Without a
file it takes the running server's, else that of `KRONK_CATALOG_MODEL_CONFIG_FILE`, which
`kronk config path` names. `kronk config show [ID]` has the settings that are in force, with their
origins; with `--local` those that would be. All take `--json`.

## Changing it over HTTP

The [browser UI](ui.md#configuration-memory-and-libraries) and other programs of an administrator's
edit the file that the server reads: the named one, or without
`--model-config-file` the `model_config.yaml` in the base path, which need not be there before.

* `GET /v1/kronk/config/file`: `text`, `revision` and `path`, and in `previous` what it said before
  it was last written by `PUT`
* `POST /v1/kronk/config/check`: of a `text` that is not stored: every mistake and warning with
  line, column, model and key, what it says and comes to for each model, `changes` to what is in
  force, the loaded models that would be `reloaded`; with `model`, what a worker would be told in
  `load`
* `POST /v1/kronk/config/edit`: the `text` with `value` for the `key` of a `model`, or without the
  key where `value` is null; comments stay. 409 where it is written in a way that makes this unsafe
* `PUT /v1/kronk/config/file`: stores `text`, if the file still is of the `revision` that it was
  read with (409 otherwise; null: there is none), and reloads as `POST /v1/kronk/reload` does. One
  with a mistake is a 400, and one that the reload refuses is taken back

The file is replaced whole, so that a crash leaves the old or the new one; the old one stays beside
it as `<name>.previous`. Each `PUT` is in
the [audit log](access.md#audit-log). Texts may have 256 KiB.

## Which setting applies

From weakest to strongest: the default here, what the catalog recommends for the model
(`kronk catalog show ID`; also for its variants), the file, and what a request says of its own
answer. Sampling parameters are taken one by one. Where the file and the catalog exclude each other,
such as one kind of cache the other, the catalog's is left out. A catalog cannot set what is the
operator's: those keys are marked with *. A catalog that has changed takes effect as the file does,
at a reload or a start. A model is the catalog's when its file has the name of an entry.

`kronk model show ID` shows what a model's settings come to, where each comes from (`default`,
`catalog`, `file models.yaml:12`), and what was really fitted once it is loaded.
"""
_COLUMNS = "| key | values | default | meaning |\n| --- | --- | --- | --- |"
_SIZES = {"cache_ram", "cache_disk"}


def document() -> str:
    """The whole page."""
    parts = [_HEAD]
    for group in GROUPS:
        rows = "\n".join(_row(key) for key in group.keys)
        parts.append(f"\n## {group.title}\n\n{_COLUMNS}\n{rows}\n")
    return "".join(parts)


def _row(key: Key) -> str:
    also = "".join(f", `{name}`" for name in key.also)
    mark = "*" if key.is_operators else ""
    return f"| `{key.name}`{also}{mark} | {key.values} | {_default(key)} | {key.help} |"


def _default(key: Key) -> str:
    fields = {field.name: field for field in dataclasses.fields(ModelConfig)}
    default: Any = fields[key.name].default
    if default is None:
        return key.unset
    if isinstance(default, bool):
        return str(default).lower()
    if key.name in _SIZES:
        return format_bytes(default) if default else "off"
    if default in (dataclasses.MISSING, ()) or isinstance(default, Sampling):
        return "none"
    return f"`{default}`"


if __name__ == "__main__":
    print(document(), end="")
