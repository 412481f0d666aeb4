"""Logits in a batch: the engine adds nothing to the noise that batch shape alone causes.

llama.cpp chooses its kernels by the number of rows, and the tiny model's weights are 8-bit, so its
logits move when the same tokens are decoded in other company. Measured on a Xeon with AVX-512
(one thread; greatest absolute difference from the same sequence alone, over 8 requests that meet
others joining and leaving): 0 alone, 0.20 among 2, 0.28 to 0.39 among 4, 0.20 to 0.23 among 8,
depending on who joins when. Bare llama.cpp, given batches of the very same shapes, moves exactly
as far each time. The best token leads the second by 2.7 or more, so the text is the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import harness

TIMEOUT = 300


@pytest.fixture(scope="module")
def measured(tiny: Path) -> Any:
    """What the script prints; a process of its own, because it loads llama.cpp."""
    script = Path(harness.__file__).with_name("batch_noise.py")
    done = subprocess.run(
        [sys.executable, "-P", script, tiny], capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("batch", ["1", "2", "4", "8"])
def test_the_engine_moves_logits_no_further_than_batch_shape_alone(
    measured: Any, batch: str
) -> None:
    engine, plain = measured["engine"][batch], measured["plain"][batch]
    assert engine <= plain, f"{engine} through the engine, {plain} in bare llama.cpp"


def test_a_sequence_alone_is_the_same_through_the_engine(measured: Any) -> None:
    assert measured["engine"]["1"] == 0.0


def test_the_noise_cannot_change_a_clear_choice(measured: Any) -> None:
    # The best may fall and the second rise.
    assert 2 * max(measured["plain"].values()) < measured["margin"], measured
