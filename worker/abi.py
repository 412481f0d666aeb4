"""Whether the loaded llama.cpp has the functions and structures that the binding calls.

The binding passes structures by value: with a field more in one of them, everything behind it is
garbage, silently. Their true size is seen by having the library fill a buffer that is larger.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Iterator
from typing import Any

import llama_cpp.llama_cpp as lib
import llama_cpp.mtmd_cpp as mtmd

from . import backends

# More than any structure grows by.
_SPARE = 512
_FILLS = (0xA5, 0x5A)
# What a C compiler aligns these structures to.
_ALIGNMENT = 8
# Function that returns a structure, that structure, and some of its values.
_DEFAULTS: tuple[tuple[str, Any, dict[str, object]], ...] = (
    (
        "llama_model_default_params",
        lib.llama_model_params,
        {"main_gpu": 0, "vocab_only": False, "check_tensors": False, "use_extra_bufts": True},
    ),
    (
        "llama_context_default_params",
        lib.llama_context_params,
        {
            "n_ctx": 512,
            "n_batch": 2048,
            "n_ubatch": 512,
            "n_seq_max": 1,
            "yarn_ext_factor": -1.0,
            "yarn_attn_factor": -1.0,
            "yarn_beta_fast": -1.0,
            "yarn_beta_slow": -1.0,
            "type_k": 1,
            "type_v": 1,
            "offload_kqv": True,
            "no_perf": True,
            "swa_full": True,
            "kv_unified": False,
        },
    ),
    ("llama_sampler_chain_default_params", lib.llama_sampler_chain_params, {"no_perf": True}),
)
_MTMD = ("mtmd_context_params_default", mtmd.mtmd_context_params)
# Numbers of types that the binding and GGUF files use.
_TYPES = {0: "f32", 1: "f16", 2: "q4_0", 8: "q8_0", 12: "q4_K", 30: "bf16"}


def differences() -> list[str]:
    """What is not as the binding expects it, in words; that all functions are there was seen when
    it was imported."""
    # What is larger than expected would be written beyond the end of what the values are read into.
    return [*_sizes()] or [*_values(), *_type_names()]


def _values() -> Iterator[str]:
    for name, structure, expected in _DEFAULTS:
        params = getattr(lib, name)()
        assert isinstance(params, structure)
        for field, value in expected.items():
            if getattr(params, field) != value:
                yield f"{name}: {field} is {getattr(params, field)!r}, expected {value!r}"


def _sizes() -> Iterator[str]:
    """By the calling convention of x86-64: the caller passes where a large structure is to be
    written as the first argument. Others leave the comparison to the values."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return
    functions = [(lib._lib, name, structure) for name, structure, _ in _DEFAULTS]
    for library, name, structure in (*functions, (mtmd._libmtmd, *_MTMD)):
        size = ctypes.sizeof(structure)
        # Smaller ones come back in registers.
        if size <= 16:
            continue
        found = _written(library, name, size)
        if found != _aligned(size):
            yield f"{name}: the structure has {found} bytes, expected {size}"


def _written(library: ctypes.CDLL, name: str, size: int) -> int:
    """How far a function writes into what it is given."""
    # Another object than the one that the binding has set types for.
    function = ctypes.CDLL(library._name)[name]
    function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    buffers = [_filled(function, fill, size + _SPARE) for fill in _FILLS]
    # What differs between the two was left as it was.
    last = max(
        (index for index, (a, b) in enumerate(zip(*buffers, strict=True)) if a == b), default=-1
    )
    return _aligned(last + 1)


def _filled(function: Callable[[Any], object], fill: int, size: int) -> bytes:
    buffer = (ctypes.c_ubyte * size)(*([fill] * size))
    function(ctypes.byref(buffer))
    return bytes(buffer)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _type_names() -> Iterator[str]:
    for number, name in _TYPES.items():
        found = backends.type_name(number)
        if found != name:
            yield f"ggml's type {number} is {found!r}, expected {name!r}"
