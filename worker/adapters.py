"""LoRA adapters: loaded for a model, applied to a context."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import llama_cpp.llama_cpp as lib

from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.shared.wire.loading import AdapterSpec

from . import gguf_file
from .context import Context
from .library import LlamaLog
from .model import Model


def apply(model: Model, context: Context, wanted: Sequence[AdapterSpec], log: LlamaLog) -> None:
    """Set the whole mix of adapters of a context; they live as long as the model.

    `ModelFailed` names the file that is none, or none for this model.
    """
    if not wanted:
        return
    handles = [_load(model, Path(adapter.path), log) for adapter in wanted]
    pointers = (lib.llama_adapter_lora_p_ctypes * len(handles))(*handles)
    scales = (ctypes.c_float * len(handles))(*(adapter.scale for adapter in wanted))
    if lib.llama_set_adapters_lora(context.handle, pointers, len(handles), scales) != 0:
        raise ModelFailed(f"llama.cpp does not apply the adapters: {log.explain()}", param="model")


def names(wanted: Sequence[AdapterSpec]) -> tuple[str, ...]:
    """For reports: file and scale."""
    return tuple(f"{Path(adapter.path).name} x {adapter.scale:g}" for adapter in wanted)


def _load(model: Model, path: Path, log: LlamaLog) -> lib.llama_adapter_lora_p:
    _check(path, model.architecture)
    handle = lib.llama_adapter_lora_init(model.handle, str(path).encode())
    # A NULL pointer is falsy but not None.
    if not handle:
        raise ModelFailed(f"adapter {path} cannot be loaded: {log.explain()}", param="model")
    return handle


def _check(path: Path, architecture: str) -> None:
    try:
        header = gguf_file.read(path)
    except InvalidArgument as error:
        raise ModelFailed(f"adapter {path}: {error.message}", param="model") from error
    kind = header.metadata.get("general.type")
    if kind != "adapter":
        raise ModelFailed(f"adapter {path}: not an adapter but a {kind or 'model'}", param="model")
    made_for = header.metadata.get("general.architecture")
    if made_for != architecture:
        raise ModelFailed(
            f"adapter {path}: made for the architecture {made_for}, the model is {architecture}",
            param="model",
        )
