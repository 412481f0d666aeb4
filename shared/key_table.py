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

A YAML file given with `--model-config-file` (or `KRONK_CATALOG_MODEL_CONFIG_FILE`) has settings
per model, below the model's id or below `<id>/<variant>`, which then is a model id of its own:

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
at the file's own folder. A key or a value that is not known stops the server at its start, with
file, model and key named; a name that no model has is only noted in the log, as the model may come
later. `kronk model show ID` shows what a model's configuration comes to, and what was really fitted
once it is loaded.
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
    return f"| `{key.name}`{also} | {key.values} | {_default(key)} | {key.help} |"


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
