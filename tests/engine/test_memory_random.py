"""Whatever is done to sequences in whatever order, each stays what its tokens say it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import random_gguf
from harness.memory_lab import SEQUENCES, Lab, distance, load, text
from harness.random_gguf import HYBRID, LLAMA, MAMBA, SWA, Kind
from kronk.worker.cache.memory import State

# Cells for every sequence at its longest, and no more.
LONGEST = 300
N_CTX = 1024
# One sequence of another text at a time moves rounding further than the few that are measured.
HEADROOM = 3.0


@dataclass
class Books:
    """What the memory should hold."""

    lab: Lab
    held: list[list[int]] = field(default_factory=lambda: [[] for _ in range(SEQUENCES)])
    saved: list[tuple[list[int], State]] = field(default_factory=list)
    decoded: int = 0

    def do(self, name: str, one: int, other: int, share: float) -> None:
        memory, held = self.lab.memory, self.held
        length = round(share * len(held[one]))
        match name:
            case "decode":
                self.decode(one, min(1 + round(80 * share), LONGEST - len(held[one])))
            case "trim":
                can = memory.can_trim(one, length)
                assert memory.trim(one, length) == can
                held[one] = held[one][:length] if can else held[one]
            case "copy":
                can = one != other and memory.can_copy(one, length)
                assert memory.copy(one, other, length) == can
                held[other] = held[one][:length] if can else held[other]
            case "save":
                state = memory.save(one)
                assert (state is None) == (not held[one])
                if state is not None:
                    self.saved.append((held[one], state))
            case "restore" if self.saved:
                tokens, state = self.saved[other % len(self.saved)]
                assert memory.restore(one, state)
                held[one] = tokens
            case "clear":
                memory.clear(one)
                held[one] = []
        self.check()

    def decode(self, sequence: int, count: int) -> None:
        if count > 0:
            self.decoded += 1
            more = text(self.lab.model, count, self.decoded)
            self.lab.decode(sequence, more)
            self.held[sequence] = self.held[sequence] + more

    def check(self) -> None:
        for sequence, tokens in enumerate(self.held):
            memory = self.lab.memory
            assert memory.length(sequence) == len(tokens)
            assert 0 <= memory.floor(sequence) <= len(tokens)
            # All of it can always be had.
            assert memory.can_trim(sequence, len(tokens))
            assert memory.can_copy(sequence, len(tokens)) == bool(tokens)


@pytest.fixture(
    scope="module",
    params=[(LLAMA, True), (SWA, True), (SWA, False), (MAMBA, True), (HYBRID, True)],
    ids=lambda value: value[0].name + ("" if value[1] else "-windowed"),
)
def labs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lab, Lab]]:
    """One to work in, and one to compute anew in."""
    kind: Kind
    kind, swa_full = request.param
    path: Path = tmp_path_factory.mktemp("random") / "model.gguf"
    random_gguf.write(path, kind)
    model = load(path)
    both = tuple(Lab(model, kind, swa_full=swa_full, n_ctx=N_CTX) for _ in range(2))
    yield both[0], both[1]
    for lab in both:
        lab.close()


sequences = st.integers(0, SEQUENCES - 1)
steps = st.tuples(
    st.sampled_from(["decode", "decode", "decode", "trim", "copy", "save", "restore", "clear"]),
    sequences,
    sequences,
    st.one_of(st.floats(0, 1), st.just(1.0)),
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(steps, min_size=10, max_size=30))
def test_each_sequence_is_what_its_tokens_say(
    labs: tuple[Lab, Lab], todo: list[tuple[str, int, int, float]]
) -> None:
    lab, anew = labs
    for sequence in range(SEQUENCES):
        lab.memory.clear(sequence)
    books = Books(lab)
    for sequence in (0, 1):
        books.decode(sequence, LONGEST - 50)
    for step in todo:
        books.do(*step)
    probe = text(lab.model, 8, 999)
    tolerance = HEADROOM * lab.noise(text(lab.model, LONGEST, 7))
    for sequence, tokens in enumerate(books.held):
        if tokens:
            found = lab.decode(sequence, probe)
            assert distance(found, anew.anew(0, tokens + probe)) <= tolerance
    # No cell is left behind: afterwards one sequence has room for all.
    for sequence in range(SEQUENCES):
        lab.memory.clear(sequence)
    lab.decode(0, text(lab.model, N_CTX, 8))
