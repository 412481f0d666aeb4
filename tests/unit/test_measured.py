"""What llama.cpp's log tells of a load, line by line."""

from __future__ import annotations

import pytest

from kronk.worker.library import Measured

MIB = 2**20
# As logged by llama.cpp, on a processor and by builds for graphics cards.
LINES = [
    "load_tensors: offloaded 29/33 layers to GPU",
    "llama_context: flash_attn            = auto",
    "llama_context:        CPU  output buffer size =     0.03 MiB",
    "llama_kv_cache:        CPU KV buffer size =    80.00 MiB",
    "llama_kv_cache:      CUDA0 KV buffer size =   512.50 MiB",
    "llama_kv_cache: size =  592.50 MiB ( 32768 cells,   5 layers,  4/1 seqs), K (f16):   40 MiB",
    "llama_memory_recurrent:        CPU RS buffer size =     0.15 MiB",
    "resolve_fused_ops: Flash Attention enabled",
    "sched_reserve:      CUDA0 compute buffer size =   300.00 MiB",
    "sched_reserve:  CUDA_Host compute buffer size =    16.01 MiB",
]


def measured(*lines: str) -> Measured:
    found = Measured()
    for line in lines:
        found.take(line)
    return found


def test_memory_is_the_sum_over_devices_and_kinds() -> None:
    found = measured(*LINES)
    assert found.memory == 80 * MIB + round(512.5 * MIB) + round(0.15 * MIB)
    assert sum(found.scratch.values()) == 300 * MIB + round(16.01 * MIB)
    assert found.gpu_layers == 29
    assert found.flash_attention
    assert not found.is_unlocked


def test_scratch_memory_reserved_anew_is_counted_once() -> None:
    later = "sched_reserve:      CUDA0 compute buffer size =   310.00 MiB"
    assert measured(*LINES, later).scratch["CUDA0"] == 310 * MIB


def test_two_caches_of_one_size_are_two() -> None:
    line = "llama_kv_cache:        CPU KV buffer size =    80.00 MiB"
    assert measured(line, line).memory == 160 * MIB


@pytest.mark.parametrize(
    ("lines", "is_on"),
    [
        (["llama_context: flash_attn            = enabled"], True),
        (["llama_context: flash_attn            = disabled"], False),
        ([LINES[1], "resolve_fused_ops: Flash Attention disabled"], False),
        ([], False),
    ],
)
def test_the_last_word_on_flash_attention_counts(lines: list[str], is_on: bool) -> None:
    assert measured(*lines).flash_attention is is_on


def test_memory_that_could_not_be_locked_is_noticed() -> None:
    line = "warning: failed to mlock 622592-byte buffer (after previously locking 0 bytes)"
    assert measured(line).is_unlocked
