"""What a machine makes of the keys that say where weights go."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.shared.errors import ModelFailed
from kronk.shared.wire.loading import PlacementSpec, TensorPlace
from kronk.worker.placement import Layers, Machine, Placement, place

PLAIN = Machine((), ("CPU",))
ONE = Machine(("CUDA0",), ("CUDA0", "CPU"))
TWO = Machine(("CUDA0", "CUDA1"), ("CUDA0", "CUDA1", "CPU"), memory_nodes=2)
DENSE, MIXTURE = Layers(32), Layers(32, experts=8)


def placed(machine: Machine, layers: Layers = DENSE, **asked: Any) -> Placement:
    return place(PlacementSpec(**asked), machine, layers)


@pytest.mark.parametrize("machine", [PLAIN, ONE, TWO])
def test_the_defaults_suit_every_machine(machine: Machine) -> None:
    assert placed(machine).notes == ()
    assert placed(machine).overrides == ()


@pytest.mark.parametrize(
    ("machine", "mode", "told"),
    [
        # Without a GPU llama.cpp refuses some modes, and all of them mean nothing.
        (PLAIN, "none", "layer"),
        (PLAIN, "row", "layer"),
        (PLAIN, "tensor", "layer"),
        (ONE, "none", "none"),
        (ONE, "row", "none"),
        (TWO, "none", "none"),
        (TWO, "layer", "layer"),
        (TWO, "row", "row"),
        (TWO, "tensor", "tensor"),
    ],
)
def test_a_split_needs_something_to_split_over(machine: Machine, mode: str, told: str) -> None:
    assert placed(machine, split_mode=mode).split_mode == told


@pytest.mark.parametrize(
    ("machine", "layers", "asked", "words"),
    [
        (PLAIN, DENSE, {"n_gpu_layers": 20}, "n_gpu_layers has no effect: there is no GPU"),
        (PLAIN, DENSE, {"split_mode": "row"}, "split_mode has no effect"),
        (PLAIN, DENSE, {"tensor_split": (1.0, 1.0)}, "tensor_split has no effect"),
        (PLAIN, DENSE, {"main_gpu": 3}, "main_gpu has no effect"),
        (PLAIN, MIXTURE, {"n_cpu_moe": 3}, "n_cpu_moe has no effect"),
        (PLAIN, DENSE, {"numa": "isolate"}, "numa isolate has no effect"),
        (ONE, DENSE, {"split_mode": "row"}, "there is one GPU"),
        (TWO, DENSE, {"tensor_split": (1.0, 1.0)}, "no effect with split_mode none"),
        (TWO, DENSE, {"n_cpu_moe": 3}, "the model has no experts"),
    ],
)
def test_what_has_no_effect_is_noted(
    machine: Machine, layers: Layers, asked: dict[str, Any], words: str
) -> None:
    (note,) = placed(machine, layers, **asked).notes
    assert words in note


@pytest.mark.parametrize(
    ("machine", "asked", "words"),
    [
        (ONE, {"main_gpu": 1}, "main_gpu: there is no GPU 1; this machine has 1"),
        (ONE, {"tensor_split": (1.0, 1.0)}, "tensor_split: 2 shares for 1 GPU"),
        (
            PLAIN,
            {"tensor_places": (TensorPlace("exps", "CUDA0"),)},
            "there is no buffer type 'CUDA0' here, only CPU",
        ),
    ],
)
def test_what_cannot_be_is_refused(machine: Machine, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelFailed, match=words):
        placed(machine, **asked)


def test_shares_are_told_where_they_mean_something() -> None:
    assert placed(TWO, split_mode="layer", tensor_split=(3.0, 1.0)).tensor_split == (3.0, 1.0)
    assert placed(ONE, tensor_split=(1.0,)).tensor_split == ()
    assert placed(PLAIN, tensor_split=(1.0, 2.0, 3.0)).tensor_split == ()


def test_experts_of_the_first_layers_stay_in_main_memory_after_the_operators_own_patterns() -> None:
    own = TensorPlace("attn", "CUDA0")
    found = placed(ONE, MIXTURE, n_cpu_moe=2, tensor_places=(own,)).overrides
    assert found[0] == own
    assert [override.buffer for override in found[1:]] == ["CPU", "CPU"]
    assert [override.pattern[:10] for override in found[1:]] == [r"blk\.0\.ff", r"blk\.1\.ff"]


def test_no_more_layers_are_named_than_there_are() -> None:
    assert len(placed(ONE, MIXTURE, n_cpu_moe=9999).overrides) == 32


@pytest.mark.parametrize(
    ("mmap", "mlock", "mode"),
    [
        (True, False, "auto"),
        (False, False, "none"),
        (False, True, "mlock"),
        (True, True, "mmap_mlock"),
    ],
)
def test_mapping_and_locking_come_to_one_mode(mmap: bool, mlock: bool, mode: str) -> None:
    assert placed(PLAIN, use_mmap=mmap, use_mlock=mlock).load_mode == mode


def test_numa_is_set_up_only_where_memory_has_nodes() -> None:
    assert placed(TWO, numa="distribute").numa == "distribute"
    assert placed(PLAIN, numa="distribute").numa is None
