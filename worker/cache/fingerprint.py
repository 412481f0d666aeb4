"""What a saved state depends on: two workers whose fingerprints agree may use each other's states.

llama.cpp refuses a state of another shape, and takes one of other weights of the same shape without
a word. So everything that decides the bytes of a state is part of the fingerprint, and a doubt
makes it another one: that costs a prefill.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import llama_cpp.llama_cpp as lib

from kronk.shared import gguf
from kronk.worker import backends, gguf_file

from .state_file import VERSION

# Bytes read where each tensor begins, and at even distances over the whole file.
_SAMPLE = 4096
_SAMPLES = 256
# llama.cpp's own switches that change what is in the cache come from the environment.
_ENVIRONMENT = "LLAMA_ATTN_ROT_DISABLE"

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter in use."""

    path: Path
    scale: float


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything a state depends on, as far as it is configured."""

    model: Path
    # ggml's names, as `ContextShape` has them.
    cache_type_k: str
    cache_type_v: str
    flash_attention: str
    swa_full: bool
    # Streams of the KV cache: 1 where all sequences share it.
    streams: int
    # RoPE and YaRN settings by name; None is what the GGUF says.
    rope: Mapping[str, Scalar]
    adapters: tuple[Adapter, ...]
    # Makes the embeddings of images and recordings.
    projector: Path | None
    # The chat template's text: other templates, other prompts.
    template: str


def fingerprint(of: Dependencies) -> str:
    """32 hexadecimal digits; reads the header and samples of each file. `InvalidArgument` when a
    file is no GGUF."""
    # Every field, so that a new one cannot be forgotten here.
    facts = {field.name: getattr(of, field.name) for field in dataclasses.fields(of)}
    facts |= {
        "model": file_identity(of.model),
        "rope": dict(of.rope),
        "adapters": [[file_identity(one.path), one.scale] for one in of.adapters],
        "projector": file_identity(of.projector) if of.projector is not None else None,
        "format": VERSION,
        "build": build(),
        "environment": os.environ.get(_ENVIRONMENT),
    }
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def build() -> str:
    """What computes: llama.cpp's commit and versions, its devices, and the version of its saved
    states."""
    version, commit = backends.version()
    devices = ",".join(device.name for device in backends.devices())
    binding = f"{llama_cpp.__version__} {lib.LLAMA_STATE_SEQ_VERSION}"
    return f"{binding} {commit} {version} {devices}"


def file_identity(path: Path) -> str:
    """Changes with the weights: of each file of a model, its size and time of change, its header,
    and samples of its data. A few thousand small reads, however large the file."""
    digest = hashlib.sha256()
    header = gguf_file.read(path)
    for part in (path, *gguf.other_shards(path, header)):
        _add_file(digest, part, header if part == path else gguf_file.read(part))
    return digest.hexdigest()


def _add_file(digest: hashlib._Hash, path: Path, header: gguf.Header) -> None:
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        # A change that no sample meets still changes the time.
        digest.update(f"{facts.st_size} {facts.st_mtime_ns} {header.data_offset} ".encode())
        digest.update(file.read(header.data_offset))
        for offset in _offsets(header):
            digest.update(os.pread(file.fileno(), _SAMPLE, offset))


def _offsets(header: gguf.Header) -> Iterator[int]:
    for tensor in header.tensors:
        yield header.data_offset + tensor.offset
    size = header.file_size - header.data_offset
    for number in range(_SAMPLES):
        yield header.data_offset + size * number // _SAMPLES
