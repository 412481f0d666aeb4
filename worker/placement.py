"""Where a model's weights go: what the configuration asks for and this machine can do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kronk.shared.errors import ModelFailed
from kronk.shared.wire.loading import PlacementSpec, TensorPlace

# The name of ggml's buffer type for main memory.
MAIN_MEMORY = "CPU"
_EXPERTS = r"ffn_(up|down|gate_up|gate)_(ch|)exps"


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to place weights on."""

    # Names of its GPUs in llama.cpp's order.
    gpus: tuple[str, ...]
    # Names of the buffer types of all devices.
    buffers: tuple[str, ...]
    memory_nodes: int = 1


@dataclass(frozen=True, slots=True)
class Placement:
    """What llama.cpp is told, and what was asked for in vain."""

    # None: all.
    n_gpu_layers: int | None
    split_mode: Literal["none", "layer", "row", "tensor"]
    main_gpu: int
    tensor_split: tuple[float, ...]
    overrides: tuple[TensorPlace, ...]
    load_mode: Literal["auto", "none", "mlock", "mmap_mlock"]
    numa: Literal["distribute", "isolate", "numactl"] | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layers:
    """The model's layers, 0 where nobody looked; `experts` in each, 0 for a dense model."""

    count: int
    experts: int = 0


def place(asked: PlacementSpec, machine: Machine, layers: Layers) -> Placement:
    """How to load a model on this machine.

    `ModelFailed` names the key that this machine cannot honour; what merely has no effect is a
    note.
    """
    _check_gpus(asked, len(machine.gpus))
    _check_buffers(asked, machine.buffers)
    is_split = len(machine.gpus) > 1
    has_main = bool(machine.gpus)
    return Placement(
        n_gpu_layers=asked.n_gpu_layers,
        # llama.cpp refuses the mode `tensor` on a machine without a GPU.
        split_mode=asked.split_mode if is_split else "none" if has_main else "layer",
        main_gpu=asked.main_gpu if has_main else 0,
        tensor_split=asked.tensor_split if is_split and asked.split_mode != "none" else (),
        # The first that matches counts.
        overrides=(*asked.tensor_places, *_experts_in_main_memory(asked, machine, layers)),
        load_mode=_LOAD_MODES[asked.use_mmap, asked.use_mlock],
        numa=asked.numa if machine.memory_nodes > 1 else None,
        notes=tuple(_notes(asked, machine, layers)),
    )


_LOAD_MODES: dict[tuple[bool, bool], Literal["auto", "none", "mlock", "mmap_mlock"]] = {
    (True, False): "auto",
    (False, False): "none",
    (False, True): "mlock",
    (True, True): "mmap_mlock",
}


def _check_gpus(asked: PlacementSpec, gpus: int) -> None:
    if gpus and asked.main_gpu >= gpus:
        raise ModelFailed(
            f"main_gpu: there is no GPU {asked.main_gpu}; this machine has {gpus}, counted from 0",
            param="model",
        )
    if gpus and len(asked.tensor_split) > gpus:
        raise ModelFailed(
            f"tensor_split: {len(asked.tensor_split)} shares for {gpus} GPU", param="model"
        )


def _check_buffers(asked: PlacementSpec, buffers: Sequence[str]) -> None:
    for wanted in asked.tensor_places:
        if wanted.buffer not in buffers:
            raise ModelFailed(
                f"tensor_buffer_overrides: there is no buffer type {wanted.buffer!r} here, only"
                f" {', '.join(buffers)}",
                param="model",
            )


def _experts_in_main_memory(
    asked: PlacementSpec, machine: Machine, layers: Layers
) -> list[TensorPlace]:
    if not layers.experts or not machine.gpus:
        return []
    # One pattern per layer: C++ compiles a long one recursively, on a stack of limited size.
    count = min(asked.n_cpu_moe, layers.count)
    return [TensorPlace(rf"blk\.{layer}\.{_EXPERTS}", MAIN_MEMORY) for layer in range(count)]


def _notes(asked: PlacementSpec, machine: Machine, layers: Layers) -> list[str]:
    notes = []
    if not machine.gpus:
        named = [
            *(["n_gpu_layers"] if asked.n_gpu_layers else []),
            *(["split_mode"] if asked.split_mode != "none" else []),
            *(["tensor_split"] if asked.tensor_split else []),
            *(["main_gpu"] if asked.main_gpu else []),
            *(["n_cpu_moe"] if asked.n_cpu_moe else []),
        ]
        notes += [f"{key} has no effect: there is no GPU that this build can use" for key in named]
    elif len(machine.gpus) == 1 and asked.split_mode != "none":
        notes.append(f"split_mode {asked.split_mode} has no effect: there is one GPU")
    elif asked.tensor_split and asked.split_mode == "none":
        notes.append("tensor_split has no effect with split_mode none")
    if machine.gpus and asked.n_cpu_moe and not layers.experts:
        notes.append("n_cpu_moe has no effect: the model has no experts")
    if asked.numa and machine.memory_nodes == 1:
        notes.append(f"numa {asked.numa} has no effect: this machine has one memory node")
    return notes
