"""What a model is, as the headers of its files and its template say: never its name. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from math import prod
from typing import Any

from kronk.shared.abilities import abilities_of
from kronk.shared.gguf import Header, Value, special_tokens

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
# Keys that name the token before the text in front of a gap.
_GAP = ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id")
# Of the general keys, those that people ask for, by what they are called here.
_ABOUT = {
    "name": "general.name",
    "size_label": "general.size_label",
    "finetune": "general.finetune",
    "organization": "general.organization",
    "author": "general.author",
    "quantized_by": "general.quantized_by",
    "licence": "general.license",
    "licence_name": "general.license.name",
    "licence_url": "general.license.link",
    "url": "general.url",
    "source_url": "general.source.url",
}


def weights(headers: Iterable[Header]) -> Counter[str]:
    """How many numbers are stored as each tensor type, in all files of a model."""
    kinds: Counter[str] = Counter()
    for header in headers:
        for tensor in header.tensors:
            kinds[tensor.kind] += prod(tensor.shape)
    return kinds


def tensor_types(headers: Iterable[Header]) -> dict[str, dict[str, int]]:
    """Tensors and bytes of each type, the most bytes first."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for header in headers:
        for tensor in header.tensors:
            counts[tensor.kind] += 1
            sizes[tensor.kind] += tensor.size_bytes
    return {kind: {"tensors": counts[kind], "bytes": size} for kind, size in sizes.most_common()}


def quantization(header: Header, kinds: Counter[str]) -> str:
    """What the file says of itself (`Q4_K_M`), else the type that most of its weights have."""
    file_type: Value | None = header.metadata.get("general.file_type")
    if isinstance(file_type, int) and file_type in _FILE_TYPES:
        return _FILE_TYPES[file_type]
    # As its tensors say: `q4_K` is written Q4_K.
    return kinds.most_common(1)[0][0].upper() if kinds else "unknown"


def parameter_size(parameters: int) -> str:
    """`3.2B`, `134.52M`, `3.5M`, `812K`."""
    for unit, size, digits in (("T", 10**12, 1), ("B", 10**9, 1), ("M", 10**6, 2)):
        if parameters >= size:
            text = f"{parameters / size:.{digits}f}"
            return f"{text.rstrip('0').rstrip('.')}{unit}"
    return f"{parameters // 1000}K" if parameters >= 1000 else str(parameters)


def uses_tools(template: str | None) -> bool:
    """Whether a chat template tells the model of tools."""
    return _TOOLS.search(_code(template)) is not None


def thinks(template: str | None) -> bool:
    """Whether a chat template knows of thinking before an answer."""
    return "<think>" in (template or "") or _THINKING.search(_code(template)) is not None


def fills_gaps(header: Header) -> bool:
    """Whether the model has the tokens with which the middle of a text is asked for."""
    return any(key in header.metadata for key in _GAP)


def capabilities(header: Header, template: str | None, projector: Header | None) -> list[str]:
    """What a model can be asked for, in the words that the catalog uses too."""
    able = abilities_of(header, projector)
    if "text" not in able:
        return [{"embedding": "embeddings", "rank": "rerank"}.get(one, one) for one in able]
    found = {
        "chat": template is not None,
        "completion": True,
        "tools": uses_tools(template),
        "reasoning": thinks(template),
        "insert": fills_gaps(header),
        "vision": "image" in able,
        "audio": "audio" in able,
    }
    return [name for name, is_there in found.items() if is_there]


def special(header: Header) -> dict[str, dict[str, Any]]:
    """The tokens with a purpose (`bos`, `eos`, ...): the id of each, and how it is written."""
    return {
        what: {"id": token, "text": header.special.get(what)}
        for what, token in special_tokens(header.metadata).items()
    }


def about(header: Header) -> dict[str, Any]:
    """What the file says of where it comes from and what may be done with it, as far as it does."""
    said = {name: header.metadata.get(key) for name, key in _ABOUT.items()}
    return {name: value for name, value in said.items() if isinstance(value, str) and value}


def _code(template: str | None) -> str:
    return " ".join(_CODE.findall(template or ""))
