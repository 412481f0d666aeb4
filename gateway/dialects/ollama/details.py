"""What a GGUF's header says of a model, in Ollama's words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kronk.shared.abilities import abilities_of
from kronk.shared.gguf import Counted, Header
from kronk.shared.models import traits


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
            "parameter_size": traits.parameter_size(self.parameters),
            "quantization_level": self.quantization,
        }


def details(headers: Iterable[Header]) -> Details:
    """Of a model's file, or all files of a split one; the first has the metadata."""
    files = list(headers)
    kinds = traits.weights(files)
    return Details(
        family=str(files[0].metadata.get("general.architecture", "")),
        parameters=kinds.total(),
        quantization=traits.quantization(files[0], kinds),
    )


def capabilities(header: Header, template: str | None, projector: Header | None) -> list[str]:
    """What a model can be asked for, in Ollama's words; it has none for ranking."""
    able = abilities_of(header, projector)
    if "text" not in able:
        return ["embedding"] if "embedding" in able else []
    found = {
        "completion": True,
        "tools": traits.uses_tools(template),
        "thinking": traits.thinks(template),
        "insert": traits.fills_gaps(header),
        "vision": "image" in able,
        "audio": "audio" in able,
    }
    return [name for name, is_there in found.items() if is_there]


def model_info(header: Header, parameters: int) -> dict[str, Any]:
    """The metadata but for what has a field of its own; long arrays are null, as Ollama has it."""
    info: dict[str, Any] = {"general.parameter_count": parameters}
    for key, value in header.metadata.items():
        if key != "general.name" and not key.startswith("tokenizer.chat_template"):
            info[key] = None if isinstance(value, Counted | tuple) and _is_long(value) else value
    return info


def _is_long(value: Counted | tuple[Any, ...]) -> bool:
    return isinstance(value, Counted) or len(value) > 256
