"""Writes `docs/sampling.md` from its table: `python -m kronk.shared.sampling_table`."""

from __future__ import annotations

import json

from .sampling_params import ALIASES, PARAMETERS, Parameter
from .sampling_presets import NAMES, meaning, values

_HEAD = """\
# Sampling parameters

Fields of a request, and keys of `sampling_parameters` in a model's configuration. What the request
says wins over the model's configuration, that over what the catalog recommends, that over what the
GGUF recommends, and that over the default here. Zero is zero: nothing else is put in its place.

They act in llama-server's order:

1. `logit_bias`
2. the mask of a grammar, a JSON schema or a pattern
3. the end tokens that `ignore_eos` and `min_tokens` rule out
4. repeat, frequency and presence penalties, then DRY; all know the prompt
5. top_n_sigma, top_k, typical_p, top_p, min_p, XTC, temperature, draw; with mirostat, temperature
   and mirostat in place of those

What is drawn, and whether XTC strikes, is decided by a random number that depends on the seed, the
number of the choice and the token's place in the answer, and on nothing else. So an answer with a
seed is the same with speculation as without, beside other requests as alone, and where it goes on
after the model's process has crashed, within what rounding changes. Mirostat also depends on what
it has seen: after a crash it begins anew.

At temperature 0 the best token after step 4 is taken. Log-probabilities are those of the model's
own odds, before step 1.

| parameter | values | default | meaning |
| --- | --- | --- | --- |
"""

_PRESETS = """
## Presets

`sampling_preset` is a key of a model's configuration, and a field of every request for text (in
Ollama's, of `options`). What is said beside it stands above it, one by one; what a stronger source
says stands above both: a request's own preset above all of the configuration's.

```json
{"model": "Qwen3-8B-Q8_0", "sampling_preset": "coding", "top_p": 1, "messages": []}
```

`GET /v1/kronk/presets` has this table as JSON.

| preset | parameters | for |
| --- | --- | --- |
"""
_EACH_ITS_OWN = "each model's own"


def document() -> str:
    """The whole page."""
    rows = "".join(_row(name, parameter) for name, parameter in PARAMETERS.items())
    return _HEAD + rows + _PRESETS + "".join(_preset(name) for name in NAMES)


def _preset(name: str) -> str:
    said = ", ".join(f"`{key}` {json.dumps(value)}" for key, value in values(name).items())
    return f"| `{name}` | {said or _EACH_ITS_OWN} | {meaning(name)} |\n"


def _row(name: str, parameter: Parameter) -> str:
    names = [name, *(alias for alias, meant in ALIASES.items() if meant == name)]
    named = ", ".join(f"`{each}`" for each in names)
    default = "none" if parameter.default in (None, {}) else f"`{json.dumps(parameter.default)}`"
    return f"| {named} | {parameter.expectation} | {default} | {parameter.meaning} |\n"


if __name__ == "__main__":
    print(document(), end="")
