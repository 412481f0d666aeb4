"""What a GGUF's header says of a model, in Ollama's words. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from kronk.shared.gguf import Counted, Header, Value

# llama.cpp's `llama_ftype`, the mixtures of types that files are made in.
_FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
}
# In the places where a template speaks to the renderer, not in its text.
_CODE = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_TOOLS = re.compile(r"\btools\b")
_THINKING = re.compile(r"\benable_thinking\b|\breasoning_(content|effort)\b|\bthinking\b")
# One of the keys that name the token before the text in front of a gap.
_GAP = ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id")
# llama.cpp's `llama_pooling_type`: by relevance, which gives no embedding.
_BY_RANK = 4


@dataclass(frozen=True, slots=True)
class Details:
    """The facts that every list of models has."""

    family: str
    parameters: int
    quantization: str

    def json(self) -> dict[str, Any]:
        """Ollama's object."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": in_words(self.parameters),
            "quantization_level": self.quantization,
        }


def details(headers: Iterable[Header]) -> Details:
    """Of a model's file, or all files of a split one; the first has the metadata."""
    first, *others = headers
    kinds: Counter[str] = Counter()
    for header in (first, *others):
        for tensor in header.tensors:
            kinds[tensor.kind] += prod(tensor.shape)
    return Details(
        family=str(first.metadata.get("general.architecture", "")),
        parameters=kinds.total(),
        quantization=_quantization(first.metadata.get("general.file_type"), kinds),
    )


def _quantization(file_type: Value | None, kinds: Counter[str]) -> str:
    if isinstance(file_type, int) and file_type in _FILE_TYPES:
        return _FILE_TYPES[file_type]
    # As its tensors say: `q4_K` is written Q4_K.
    return kinds.most_common(1)[0][0].upper() if kinds else "unknown"


def in_words(parameters: int) -> str:
    """`3.2B`, `134.52M`, `3.5M`, `812K`."""
    for unit, size, digits in (("T", 10**12, 1), ("B", 10**9, 1), ("M", 10**6, 2)):
        if parameters >= size:
            text = f"{parameters / size:.{digits}f}"
            return f"{text.rstrip('0').rstrip('.')}{unit}"
    return f"{parameters // 1000}K" if parameters >= 1000 else str(parameters)


def capabilities(header: Header, template: str | None, projector: Header | None) -> list[str]:
    """What a model can be asked for, from its metadata and its template, never its name."""
    metadata = header.metadata
    architecture = metadata.get("general.architecture")
    pooling = metadata.get(f"{architecture}.pooling_type", 0)
    if pooling or not metadata.get(f"{architecture}.attention.causal", True):
        has_head = any(tensor.name.startswith("cls.") for tensor in header.tensors)
        is_ranking = pooling == _BY_RANK or (not pooling and has_head)
        return [] if is_ranking else ["embedding"]
    code = " ".join(_CODE.findall(template or ""))
    found = {
        "completion": True,
        "tools": _TOOLS.search(code) is not None,
        "thinking": "<think>" in (template or "") or _THINKING.search(code) is not None,
        "insert": any(key in metadata for key in _GAP),
        "vision": _encodes(projector, "vision"),
        "audio": _encodes(projector, "audio"),
    }
    return [name for name, is_there in found.items() if is_there]


def _encodes(projector: Header | None, what: str) -> bool:
    return projector is not None and bool(projector.metadata.get(f"clip.has_{what}_encoder"))


def model_info(header: Header, parameters: int) -> dict[str, Any]:
    """The metadata but for what has a field of its own; long arrays are null, as Ollama has it."""
    info: dict[str, Any] = {"general.parameter_count": parameters}
    for key, value in header.metadata.items():
        if key != "general.name" and not key.startswith("tokenizer.chat_template"):
            info[key] = None if isinstance(value, Counted | tuple) and _is_long(value) else value
    return info


def _is_long(value: Counted | tuple[Any, ...]) -> bool:
    return isinstance(value, Counted) or len(value) > 256
