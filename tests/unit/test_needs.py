"""What a model is promised: prediction, measurement and caches put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import Header, Tensor
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import parse
from kronk.shared.sizing.learned import Learned
from kronk.shared.sizing.predict import Machine
from kronk.shared.sizing.promise import CACHE_SHARE
from kronk.shared.sizing.shape import Host
from kronk.shared.wire.loading import LoadSpec, Taken
from kronk.supervisor.needs import AFTER_FAILURE, Needs
from kronk.supervisor.sizes import Sizes

MIB, GIB = 2**20, 2**30
WEIGHTS = 512 * MIB


def header(path: Path) -> Header:
    """One matrix that processors with AVX2 get a copy of."""
    if path.name == "bad.gguf":
        raise InvalidArgument("bad.gguf: not a GGUF file")
    metadata = {"general.architecture": "llama", "llama.block_count": 1}
    matrix = Tensor("blk.0.ffn_up.weight", (1024, 1024), "q4_0", 0, WEIGHTS)
    return Header(3, dict(metadata), (matrix,), 0, WEIGHTS)


class Desk:
    """Needs of one model file."""

    def __init__(self, folder: Path, budget: int = 10 * GIB, **machine: Any) -> None:
        self.path = folder / "m.gguf"
        self.path.touch()
        self.sizes = Sizes(header)
        self.learned = Learned()
        here = Machine(Host(1, 16 * GIB), **machine)
        self.needs = Needs(self.sizes, self.learned, here, {"host": budget})

    def spec(self, name: str = "m.gguf", **keys: Any) -> LoadSpec:
        spec = load_spec("m", self.path.with_name(name), parse(keys, "test"))
        self.sizes.look(spec)
        return spec

    def host(self, spec: LoadSpec) -> int:
        need = self.needs.need(spec)
        assert need is not None
        return need.bytes["host"]


NO_CACHE = {"prefix_cache": False}


def test_a_prediction_is_promised_until_something_better_is_known(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    spec = desk.spec(**NO_CACHE)
    first = desk.host(spec)
    assert WEIGHTS < first < WEIGHTS + 100 * MIB
    desk.needs.measured(spec, Taken(600 * MIB, 100 * MIB, {}, untouched_bytes=11 * MIB))
    assert desk.host(spec) == 711 * MIB
    other = desk.spec(**NO_CACHE, n_seq_max=1)
    assert desk.host(other) == pytest.approx(first * 711 * MIB / first, rel=0.01)


def test_memory_for_the_cache_is_bounded_by_the_budget(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    plain = desk.host(desk.spec(**NO_CACHE))
    assert desk.host(desk.spec(cache_ram="256MiB")) == plain + 256 * MIB
    large = desk.spec(cache_ram="100GiB")
    assert desk.host(large) == plain + 10 * GIB // CACHE_SHARE
    assert desk.needs.trimmed(large).cache.ram_bytes == 10 * GIB // CACHE_SHARE
    small = desk.spec(cache_ram="1MiB")
    assert desk.needs.trimmed(small) is small
    # Never at the price of the model itself.
    tight = Desk(tmp_path, plain + MIB)
    spec = tight.spec()
    assert tight.host(spec) == plain + MIB
    assert tight.needs.trimmed(spec).cache.ram_bytes == MIB


def test_pages_that_nobody_reads_any_more_are_not_held_against_a_model(tmp_path: Path) -> None:
    desk = Desk(tmp_path, repacked=frozenset({"q4_0"}))
    spec = desk.spec(**NO_CACHE)
    desk.needs.measured(spec, Taken(600 * MIB, WEIGHTS + 25 * MIB, {}))
    assert desk.host(spec) == 625 * MIB


def test_growth_is_learned_beyond_what_caches_were_promised(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    spec = desk.spec(cache_ram="256MiB")
    desk.needs.measured(spec, Taken(700 * MIB, 0, {}))
    assert desk.host(spec) == 956 * MIB
    desk.needs.grew(spec, 956 * MIB)
    assert desk.host(spec) == 956 * MIB
    desk.needs.grew(spec, 1000 * MIB)
    assert desk.host(spec) == 1000 * MIB


def test_what_has_run_here_is_never_refused_for_what_it_took(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GIB)
    spec = desk.spec(**NO_CACHE)
    desk.needs.measured(spec, Taken(3 * GIB, 0, {}))
    assert desk.host(spec) == GIB
    desk.needs.grew(spec, 5 * GIB)
    assert desk.host(spec) == GIB


def test_a_failure_asks_for_more_until_something_works(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GIB)
    spec = desk.spec(**NO_CACHE)
    first = desk.host(spec)
    desk.needs.failed(spec)
    assert desk.host(spec) == int(first * AFTER_FAILURE)
    for _ in range(9):
        desk.needs.failed(spec)
    assert desk.host(spec) == GIB
    desk.needs.measured(spec, Taken(600 * MIB, 0, {}))
    assert desk.host(spec) == 600 * MIB


def test_a_file_that_cannot_be_read_has_no_size(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "bad.gguf").touch()
    for name in ("bad.gguf", "absent.gguf"):
        spec = desk.spec(name)
        assert desk.needs.need(spec) is None
        assert desk.needs.trimmed(spec) is spec
        desk.needs.measured(spec, Taken(1, 1, {}))
        desk.needs.failed(spec)
        desk.needs.grew(spec, 5)


def test_another_file_under_the_same_name_is_another_model(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    spec = desk.spec(**NO_CACHE)
    before = desk.host(spec)
    desk.needs.measured(spec, Taken(2 * GIB, 0, {}))
    desk.path.write_bytes(b"longer")
    assert desk.host(desk.spec(**NO_CACHE)) == before


def test_headers_are_read_once_for_each_state_of_a_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    reads: list[Path] = []

    def read(path: Path) -> Header:
        reads.append(path)
        return header(path)

    desk.sizes = Sizes(read)
    desk.spec()
    desk.spec(n_seq_max=2)
    assert len(reads) == 1
    desk.path.write_bytes(b"longer")
    desk.spec()
    assert len(reads) == 2
