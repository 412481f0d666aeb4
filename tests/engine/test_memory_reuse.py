"""What memory allows is right, and what it refuses would be wrong: on every kind llama.cpp has.

Each sequence that was cut back, copied or restored goes on as one that was computed anew, within
the rounding that the cut into batches alone causes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from harness import random_gguf
from harness.memory_lab import MORE, SEQUENCES, UBATCH, Lab, NoRoom, distance, load, text
from harness.random_gguf import HYBRID, LLAMA, MAMBA, MOE, SWA, WINDOW, Kind
from kronk.worker.cache.memory import State
from kronk.worker.model import Model

LENGTH = 400


@dataclass(frozen=True, slots=True)
class Setup:
    kind: Kind
    swa_full: bool = True
    # The shortest prefixes that can be had after decoding LENGTH tokens; None is something between
    # nothing and all, as cells happen to lie.
    floor: int | None = 0
    copy_floor: int = 0
    state_floor: int = 0

    def __str__(self) -> str:
        return self.kind.name + ("" if self.swa_full else "-windowed")


SETUPS = (
    Setup(LLAMA),
    Setup(MOE),
    Setup(SWA, state_floor=LENGTH - 1),
    Setup(SWA, swa_full=False, floor=None, copy_floor=LENGTH - 1, state_floor=LENGTH - 1),
    Setup(MAMBA, floor=LENGTH, copy_floor=LENGTH, state_floor=LENGTH),
    Setup(HYBRID, floor=LENGTH, copy_floor=LENGTH, state_floor=LENGTH),
)
MakeLab = Callable[..., Lab]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Model]:
    folder: Path = tmp_path_factory.mktemp("random")
    loaded: dict[str, Model] = {}

    def get(kind: Kind) -> Model:
        if kind.name not in loaded:
            path = folder / f"{kind.name}.gguf"
            random_gguf.write(path, kind)
            loaded[kind.name] = load(path)
        return loaded[kind.name]

    return get


@pytest.fixture
def make_lab(models: Callable[[Kind], Model]) -> Iterator[MakeLab]:
    made: list[Lab] = []

    def make(setup: Setup, **options: int | str) -> Lab:
        lab = Lab(models(setup.kind), setup.kind, swa_full=setup.swa_full, **options)  # type: ignore[arg-type]
        made.append(lab)
        return lab

    yield make
    for lab in made:
        lab.close()


@pytest.fixture(params=SETUPS, ids=str)
def setup(request: pytest.FixtureRequest) -> Setup:
    found: Setup = request.param
    return found


@pytest.fixture
def lab(setup: Setup, make_lab: MakeLab) -> Lab:
    return make_lab(setup)


# Ends of what is kept: nothing, a part, all but one, all.
ENDS = (0, 1, WINDOW, 200, LENGTH - 10, LENGTH - 1, LENGTH)


@pytest.mark.parametrize("end", ENDS)
def test_a_sequence_that_was_cut_goes_on_as_one_computed_anew(
    setup: Setup, lab: Lab, end: int
) -> None:
    first, other = text(lab.model, LENGTH, 1), text(lab.model, MORE, 2)
    wanted = first[:end] + other
    noise = lab.noise(wanted)
    expected = lab.anew(2, wanted, cuts=(end,))
    lab.anew(0, first)
    floor = lab.memory.floor(0)
    assert floor == setup.floor if setup.floor is not None else 200 < floor < LENGTH - 10
    allowed = end == 0 or end >= floor
    assert lab.memory.can_trim(0, end) == allowed
    before = lab.memory.positions(0)
    assert lab.memory.trim(0, end) == allowed
    if allowed:
        assert lab.memory.length(0) == end
        assert distance(lab.decode(0, other), expected) <= noise
        return
    # Refused: as it was, and good.
    assert lab.memory.positions(0) == before
    whole = first + other
    assert distance(lab.decode(0, other), lab.anew(2, whole, cuts=(LENGTH,))) <= lab.noise(whole)


@pytest.mark.parametrize("end", ENDS[1:])
def test_a_copy_and_its_origin_go_on_each_on_its_own(setup: Setup, lab: Lab, end: int) -> None:
    first = text(lab.model, LENGTH, 1)
    mine, yours = text(lab.model, MORE, 2), text(lab.model, MORE, 3)
    noise = max(lab.noise(first + mine), lab.noise(first[:end] + yours))
    expected_mine = lab.anew(2, first + mine, cuts=(LENGTH,))
    expected_yours = lab.anew(2, first[:end] + yours, cuts=(end,))
    lab.anew(0, first)
    lab.anew(1, yours)
    assert lab.memory.copy_floor(0) == setup.copy_floor
    allowed = end >= setup.copy_floor
    assert lab.memory.can_copy(0, end) == allowed
    assert lab.memory.copy(0, 1, end) == allowed
    if not allowed:
        assert lab.memory.length(1) == MORE
        return
    assert lab.memory.length(1) == end
    assert distance(lab.decode(1, yours), expected_yours) <= noise
    assert distance(lab.decode(0, mine), expected_mine) <= noise
    # What one does with the shared part is nothing to the other.
    lab.memory.clear(0)
    again = text(lab.model, MORE, 4)
    whole = first[:end] + yours + again
    assert distance(lab.decode(1, again), lab.anew(2, whole, cuts=(end, end + MORE))) <= lab.noise(
        whole
    )


@pytest.mark.parametrize("end", ENDS[1:])
def test_a_restored_sequence_goes_on_as_one_computed_anew(
    setup: Setup, lab: Lab, make_lab: MakeLab, end: int
) -> None:
    first, other = text(lab.model, LENGTH, 1), text(lab.model, MORE, 2)
    lab.anew(0, first)
    state = lab.memory.save(0)
    assert state is not None
    assert (state.length, state.floor) == (LENGTH, setup.state_floor)
    # Another context, of another size, as after a restart.
    fresh = make_lab(setup, n_ctx=2048)
    fresh.anew(2, text(lab.model, 100, 5))
    fresh.anew(1, other)
    assert fresh.memory.restore(1, state)
    allowed = end >= setup.state_floor
    assert fresh.memory.trim(1, end) == allowed
    if not allowed:
        assert fresh.memory.length(1) == LENGTH
        return
    wanted = first[:end] + other
    expected = lab.anew(2, wanted, cuts=(end,))
    assert distance(fresh.decode(1, other), expected) <= lab.noise(wanted)


@pytest.mark.parametrize("swa_full", [True, False], ids=["full", "windowed"])
def test_a_cut_before_the_window_is_refused_because_it_would_be_garbage(
    make_lab: MakeLab, swa_full: bool
) -> None:
    """llama.cpp itself does not refuse: the cut succeeds, the decode succeeds, the logits lie."""
    lab = make_lab(Setup(SWA, swa_full=swa_full))
    first, other = text(lab.model, LENGTH, 1), text(lab.model, MORE, 2)
    memory = lib.llama_get_memory(lab.context.handle)
    refused = []
    for length, end in (
        (LENGTH, LENGTH),
        (LENGTH, LENGTH - 1),
        (LENGTH, LENGTH - 10),
        (LENGTH, 200),
        (50, 20),
    ):
        lab.anew(0, first[:length])
        state = lab.memory.save(0)
        assert state is not None
        assert lab.memory.restore(0, state)
        is_allowed = lab.memory.can_trim(0, end)
        assert lib.llama_memory_seq_rm(memory, 0, end, -1)
        found = lab.decode(0, other, at=end)
        wanted = first[:end] + other
        off = distance(found, lab.anew(2, wanted, cuts=(end,)))
        assert is_allowed == (off <= lab.noise(wanted)), (end, off)
        refused.append(not is_allowed)
    assert refused == [False, False, True, True, False]


def test_floors_rise_while_others_decode(make_lab: MakeLab) -> None:
    """Even with cells for all: llama.cpp takes one whose position the window has passed before it
    takes an empty one."""
    lab = make_lab(Setup(SWA))
    first, other = text(lab.model, LENGTH, 1), text(lab.model, MORE, 2)
    lab.anew(1, first[:200])
    lab.anew(0, first)
    assert lab.memory.floor(0) == 0
    # Fills the first 200 cells, and comes to those of the other.
    lab.anew(1, first[:300])
    floor = lab.memory.floor(0)
    assert 0 < floor < LENGTH
    assert not lab.memory.trim(0, floor - 1)
    assert lab.memory.trim(0, floor)
    wanted = first[:floor] + other
    expected = lab.anew(2, wanted, cuts=(floor,))
    assert distance(lab.decode(0, other), expected) <= lab.noise(wanted)


def test_copies_leave_room_for_each_to_go_on_where_windows_have_cells_of_their_own(
    make_lab: MakeLab,
) -> None:
    """Shared cells are never reused, so llama.cpp's own copy ends in "no room" there."""
    lab = make_lab(Setup(SWA, swa_full=False))
    first = text(lab.model, LENGTH, 1)
    memory = lib.llama_get_memory(lab.context.handle)

    def all_go_on() -> None:
        for _ in range(4):
            for sequence in range(SEQUENCES):
                lab.decode(sequence, text(lab.model, UBATCH, 2))

    lab.anew(0, first)
    for target in range(1, SEQUENCES):
        assert lab.memory.copy(0, target, LENGTH)
    all_go_on()

    for sequence in range(SEQUENCES):
        lab.memory.clear(sequence)
    lab.anew(0, first)
    for target in range(1, SEQUENCES):
        lib.llama_memory_seq_cp(memory, 0, target, -1, -1)
    with pytest.raises(NoRoom):
        all_go_on()


def damaged(state: State) -> dict[str, State]:
    flipped = state.data.copy()
    flipped[:64] ^= 0xFF
    return {
        "cut short": State(state.data[:-1], state.length, state.floor),
        "half": State(state.data[: state.data.size // 2], state.length, state.floor),
        "a header": State(state.data[:8], state.length, state.floor),
        "nothing": State(state.data[:0], state.length, state.floor),
        "more than it read": State(np.append(state.data, np.uint8(0)), state.length, state.floor),
        "noise": State(
            np.random.default_rng(1).integers(0, 256, 10_000).astype(np.uint8), state.length, 0
        ),
        "a broken head": State(flipped, state.length, state.floor),
        "another length": State(state.data, state.length + 1, state.floor),
    }


def test_a_state_that_does_not_fit_leaves_the_sequence_empty_and_the_others_unharmed(
    setup: Setup, lab: Lab
) -> None:
    first, other = text(lab.model, LENGTH, 1), text(lab.model, MORE, 2)
    lab.anew(0, first)
    state = lab.memory.save(0)
    assert state is not None
    for name, broken in damaged(state).items():
        lab.anew(1, other)
        assert not lab.memory.restore(1, broken), name
        assert lab.memory.length(1) == 0, name
        assert not lab.memory.positions(1), name
    whole = first + other
    noise = lab.noise(whole)
    expected = lab.anew(2, whole, cuts=(LENGTH,))
    assert lab.memory.restore(1, state)
    assert distance(lab.decode(1, other), expected) <= noise
    assert distance(lab.decode(0, other), expected) <= noise


@pytest.mark.parametrize(
    ("setup", "kind", "options"),
    [
        pytest.param(Setup(LLAMA), LLAMA, {"cache_type": "q8_0"}, id="another cache type"),
        pytest.param(Setup(LLAMA), SWA, {}, id="another model"),
        pytest.param(Setup(HYBRID), MAMBA, {}, id="another memory"),
        pytest.param(Setup(LLAMA), LLAMA, {"n_ctx": 256}, id="too few cells"),
    ],
)
def test_a_state_of_another_context_is_refused(
    make_lab: MakeLab, setup: Setup, kind: Kind, options: dict[str, int | str]
) -> None:
    lab = make_lab(setup)
    lab.anew(0, text(lab.model, LENGTH, 1))
    state = lab.memory.save(0)
    assert state is not None
    other = make_lab(Setup(kind), **options)
    assert not other.memory.restore(1, state)
    assert other.memory.length(1) == 0
    other.anew(1, text(other.model, MORE, 2))


def test_an_empty_sequence_has_nothing_to_give(lab: Lab) -> None:
    memory = lab.memory
    assert not memory.positions(0)
    assert memory.save(0) is None
    assert memory.trim(0, 0)
    assert not memory.trim(0, 1)
    assert not memory.copy(0, 1, 0)
    assert not memory.copy(0, 1, 1)
    lab.anew(0, text(lab.model, MORE, 1))
    assert not memory.copy(0, 0, MORE)
    assert not memory.copy(0, 1, 0)
    memory.clear(0)
    assert memory.length(0) == 0


@pytest.mark.parametrize("sequence", [-1, SEQUENCES, 256])
def test_a_sequence_that_is_not_there_never_reaches_llama(lab: Lab, sequence: int) -> None:
    for call in (
        lambda: lab.memory.length(sequence),
        lambda: lab.memory.clear(sequence),
        lambda: lab.memory.copy(0, sequence, 1),
        lambda: lab.memory.save(sequence),
    ):
        with pytest.raises(AssertionError):
            call()
