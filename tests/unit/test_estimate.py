"""What a model takes on a machine, what fits there, and the question that is answered."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from harness.tiny_variants import TINY
from kronk.cli.main import app
from kronk.shared import exits, settings
from kronk.shared.errors import InvalidArgument, NotFound
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import ModelConfig, parse
from kronk.shared.settings import Settings
from kronk.shared.sizing import ask, grounds, overrides, question
from kronk.shared.sizing.book import learned
from kronk.shared.sizing.estimate import Estimate, estimate
from kronk.shared.sizing.facts import Layer, ModelFacts, ModelFiles, Weight
from kronk.shared.sizing.identity import files_of, identity, load_of
from kronk.shared.sizing.learned import Learned
from kronk.shared.sizing.placing import Gpu, homes
from kronk.shared.sizing.predict import Machine
from kronk.shared.sizing.question import Question
from kronk.shared.sizing.room import Ground, Room
from kronk.shared.sizing.shape import Host
from kronk.shared.sizing.tensor_places import TensorPlaces
from kronk.shared.sizing.trial import Trial, with_slots, with_window
from kronk.shared.wire.loading import LoadSpec, PlacementSpec, TensorPlace

MIB, GIB = 2**20, 2**30
HOST = Host(4, 64 * GIB)

# 64 MiB of weights, 1 KiB of keys and values for each token and layer.
MODEL = ModelFacts(
    architecture="llama",
    layers=(Layer(keys=256, values=256, dense_bytes=16 * MIB),) * 4,
    file_bytes=64 * MIB,
    input_bytes=0,
    output_bytes=0,
    matrix_bytes=(),
    vocabulary=1000,
    width=256,
    heads=4,
    hidden=512,
    trained=16384,
    parameters=32_000_000,
)
EXPERTS = dataclasses.replace(
    MODEL,
    layers=(Layer(keys=256, values=256, dense_bytes=4 * MIB, expert_bytes=12 * MIB),) * 4,
    expert_parameters=24_000_000,
    experts=8,
    experts_used=2,
)
MIXED = dataclasses.replace(
    MODEL,
    layers=(
        Layer(keys=256, values=256),
        Layer(keys=256, values=256, windowed=True),
        Layer(keys=64, compressed=True),
        Layer(states=4096),
        Layer(keys=256, values=256, states=4096),
    ),
    window=512,
)


def spec(**keys: Any) -> LoadSpec:
    return load_spec("m", Path("/m.gguf"), parse({"prefix_cache": False, **keys}, "test"))


def on_host(budget: int, **room: int) -> Ground:
    return Ground(Machine(HOST), (Room("host", 64 * GIB, budget, **room),))


def on_gpu(host: int, gpu: int) -> Ground:
    machine = Machine(dataclasses.replace(HOST, has_gpu=True), (Gpu("gpu0", gpu),))
    return Ground(machine, (Room("host", host, host), Room("gpu0", gpu, gpu)))


def found(model: ModelFacts, ground: Ground, **keys: Any) -> Estimate:
    return estimate(spec(**keys), ModelFiles(model), ground)


def test_the_parts_are_all_that_is_predicted() -> None:
    got = found(MIXED, on_host(GIB), context_window=4096, n_seq_max=2)
    assert sum(part.total_bytes for part in got.parts) == sum(got.total.values())
    kinds = {part.kind: part.total_bytes for part in got.parts if part.kind}
    cells = 2 * 4096
    assert kinds == {
        "full_attention": 2 * 1024 * cells,
        "sliding_window": 1024 * cells,
        "latent": 128 * cells,
        "recurrent": 2 * 2 * 4096 * 4,
    }
    assert got.layer_kinds == {
        "full_attention": 2,
        "sliding_window": 1,
        "latent": 1,
        "recurrent": 2,
    }


@pytest.mark.parametrize(
    ("ground", "verdict"),
    [
        (on_host(GIB), "fits"),
        (on_host(GIB, held_bytes=500 * MIB), "fits"),
        (on_host(GIB, held_bytes=900 * MIB, idle_bytes=500 * MIB), "fits_without_idle"),
        (on_host(GIB, held_bytes=900 * MIB), "has_to_wait"),
        (on_host(200 * MIB), "does_not_fit"),
        (on_gpu(GIB, GIB), "fits"),
        (on_gpu(200 * MIB, GIB), "fits"),
        (on_gpu(GIB, 100 * MIB), "does_not_fit"),
    ],
)
def test_the_verdict_is_the_servers(ground: Ground, verdict: str) -> None:
    got = found(MODEL, ground, context_window=8192, n_seq_max=4)
    assert got.verdict == verdict
    assert bool(got.advice) == (verdict == "does_not_fit")


@given(budget=st.integers(100, 2000), slots=st.integers(1, 8), window=st.integers(256, 16384))
def test_the_limits_fit_and_one_step_more_does_not(budget: int, slots: int, window: int) -> None:
    trial = Trial(ModelFiles(MODEL), on_host(budget * MIB))
    asked = spec(context_window=window, n_seq_max=slots)
    largest, most = trial.largest_window(asked), trial.most_slots(asked)
    for limit, step, end, change in (
        (largest, 256, MODEL.trained, with_window),
        (most, 1, 256, with_slots),
    ):
        if limit:
            assert trial.fits(change(asked, limit))
        if limit < end:
            assert not trial.fits(change(asked, limit + step))


def test_the_grid_compares_contexts_up_to_what_the_model_was_trained_for() -> None:
    got = found(MODEL, on_host(400 * MIB), context_window=3000, n_seq_max=4)
    assert sorted({cell.context_window for cell in got.grid}) == [2048, 3000, 4096, 8192, 16384]
    size = {(cell.cache_type, cell.context_window): cell for cell in got.grid}
    assert size["f16", 16384].total_bytes > size["q8_0", 16384].total_bytes
    assert not size["f16", 16384].fits
    assert size["q4_0", 16384].fits
    assert {
        cell.cache_type for cell in found(MODEL, on_host(GIB), flash_attention="disabled").grid
    } == {"f16"}


def test_of_experts_only_those_that_are_used_are_active() -> None:
    got = found(EXPERTS, on_gpu(GIB, GIB), n_cpu_moe=3)
    assert got.experts is not None
    assert dataclasses.asdict(got.experts) == {
        "count": 8,
        "used": 2,
        "parameters": 32_000_000,
        "active_parameters": 14_000_000,
        "bytes": 48 * MIB,
        "active_bytes": 12 * MIB,
        "kept_layers": 3,
        "kept_bytes": 36 * MIB,
    }
    assert found(MODEL, on_gpu(GIB, GIB)).experts is None


def test_experts_in_main_memory_are_advised_where_that_is_enough() -> None:
    got = found(EXPERTS, on_gpu(GIB, 60 * MIB), context_window=1024, n_seq_max=1)
    (advice,) = (line for line in got.advice if line.startswith("n_cpu_moe"))
    layers = int(advice.split()[1])
    trial = Trial(ModelFiles(EXPERTS), on_gpu(GIB, 60 * MIB))
    keys = {"context_window": 1024, "n_seq_max": 1}
    assert trial.fits(spec(**keys, n_cpu_moe=layers))
    assert not trial.fits(spec(**keys, n_cpu_moe=layers - 1))


# Tensors by their names.


@pytest.mark.parametrize(
    ("pattern", "buffer", "name", "device"),
    [
        ("ffn_.*_exps", "CPU", "blk.3.ffn_up_exps.weight", "host"),
        ("ffn_.*_exps", "CUDA1", "blk.3.ffn_up_exps.weight", "gpu1"),
        ("ffn_.*_exps", "CUDA_Host", "blk.3.ffn_up_exps.weight", "host"),
        ("ffn_.*_exps", "CUDA2", "blk.3.ffn_up_exps.weight", None),
        ("ffn_.*_exps", "CPU", "blk.3.attn_q.weight", None),
        (r"blk\.(1|2)\.", "CPU", "blk.2.attn_q.weight", "host"),
        ("^attn", "CPU", "blk.2.attn_q.weight", None),
        # C++ would say what is wrong with it, and nobody waits for ever here.
        ("(", "CPU", "blk.2.attn_q.weight", None),
        ("(a+)+$", "CPU", "a" * 62 + "b", None),
        (".*.*.*.*.*x", "CPU", "a" * 62, None),
    ],
)
def test_a_tensor_goes_where_the_first_pattern_says(
    pattern: str, buffer: str, name: str, device: str | None
) -> None:
    places = (TensorPlace(pattern, buffer), TensorPlace("blk.9", "CUDA0"))
    assert TensorPlaces(places, ["gpu0", "gpu1"], "host").of(name) == device


def test_weights_that_go_by_their_names_are_counted_where_they_go() -> None:
    tensors = tuple(
        Weight(f"blk.{layer}.ffn_up_exps.weight", 12 * MIB, layer, True) for layer in range(4)
    )
    model = dataclasses.replace(EXPERTS, tensors=tensors)
    gpus = (Gpu("gpu0", GIB), Gpu("gpu1", GIB))
    asked = PlacementSpec(
        tensor_places=(TensorPlace(r"blk\.[01]\..*_exps", "CPU"), TensorPlace("exps", "CUDA1")),
        n_cpu_moe=3,
    )
    placed = homes(asked, model, gpus)
    assert placed.weights == {"host": 24 * MIB, "gpu0": 16 * MIB, "gpu1": 24 * MIB}
    assert placed.computing == ("host", "gpu0", "gpu1")


# Settings that are tried.


def test_what_is_tried_goes_before_what_is_configured() -> None:
    config = ModelConfig(n_seq_max=2, n_ubatch=512, n_batch=512)
    values = overrides.read({"context-window": 4096, "nubatch": 1024, "n_seq_max": None})
    tried = overrides.apply(config, values)
    assert (tried.context_window, tried.n_seq_max) == (4096, 2)
    assert (tried.n_ubatch, tried.n_batch) == (1024, 1024)
    assert overrides.apply(config, {"n_batch": 128}).n_ubatch == 128


def test_a_quantised_cache_cannot_be_tried_without_flash_attention() -> None:
    with pytest.raises(InvalidArgument) as caught:
        overrides.apply(ModelConfig(flash_attention="disabled"), {"cache_type_v": "q8_0"})
    assert caught.value.param == "config.cache_type_v"


def test_a_question_is_read_from_json() -> None:
    body = {
        "model": "m",
        "config": {"n_seq_max": 1},
        "machine": {"memory": "32GiB", "gpus": ["24GiB", 2**33]},
    }
    asked = question.read(body)
    assert asked == Question("m", {"n_seq_max": 1}, 32 * GIB, (24 * GIB, 8 * GIB))
    assert asked.is_imagined
    assert question.read({"source": "o/r"}) == Question("o/r", is_source=True)


# Answers.


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    folder = tmp_path / "models" / "o"
    folder.mkdir(parents=True)
    (folder / "Tiny.gguf").symlink_to(TINY)
    return settings.resolve({"base_path": str(tmp_path), "memory_budget": "1GiB"}, {})


def test_a_model_of_the_folder_is_sized_with_its_own_settings(chosen: Settings) -> None:
    configs = {"Tiny": parse({"n_seq_max": 2, "context_window": 512}, "test")}
    answer = ask.ask(chosen, configs, Question("Tiny", {"context_window": 1024}))
    assert (answer["settings"]["n_seq_max"], answer["settings"]["context_window"]) == (2, 1024)
    assert (answer["verdict"], answer["origin"]) == ("fits", "disk")
    assert answer["largest_context"] == 8192
    (device,) = answer["machine"]["devices"]
    assert device["budget_bytes"] <= GIB
    json.dumps(answer)
    with pytest.raises(NotFound):
        ask.ask(chosen, {}, Question("Tini"))


def test_an_imagined_machine_has_the_budgets_of_a_real_one(chosen: Settings) -> None:
    ground = grounds.imagined(chosen, 512 * MIB, (24 * GIB,))
    assert ground.imagined
    assert ground.machine.gpus[0].name == "gpu0"
    host, gpu = ground.rooms
    assert (host.total_bytes, gpu.total_bytes) == (512 * MIB, 24 * GIB)
    assert host.budget_bytes < 512 * MIB
    assert 22 * GIB < gpu.budget_bytes < 24 * GIB
    assert grounds.imagined(chosen, None, ()).machine.gpus == ()


def test_what_a_load_took_is_told_and_counts(chosen: Settings) -> None:
    found = ask.find(chosen, {}, Question("Tiny"))
    predicted = ask.ask(chosen, {}, Question("Tiny"))["predicted"]["devices"]
    names = files_of(found.spec)
    book = Learned()
    book.measured(load_of(identity(names), found.spec), {"host": 200 * MIB}, predicted)
    chosen.base.model_sizes.parent.mkdir(parents=True, exist_ok=True)
    chosen.base.model_sizes.write_bytes(book.to_json())
    answer = ask.ask(chosen, {}, Question("Tiny"))
    assert answer["measured"] == {"devices": {"host": 200 * MIB}, "bytes": 200 * MIB}
    assert answer["predicted"]["devices"] == predicted
    assert answer["set_aside"]["bytes"] - answer["set_aside"]["prefix_cache_bytes"] == 200 * MIB
    assert ask.ask(chosen, {}, Question("Tiny", {"n_seq_max": 1}))["measured"] is None
    # On another machine nothing was measured.
    assert ask.ask(chosen, {}, Question("Tiny", memory=GIB))["measured"] is None
    told = ask.estimate_for(chosen, {}, "Tiny")
    assert (told["estimated"]["devices"], told["measured"]["bytes"]) == (predicted, 200 * MIB)


def test_a_damaged_book_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "sizes.json"
    assert learned(path).to_json() == Learned().to_json()
    path.write_bytes(b"\0nonsense")
    assert learned(path).to_json() == Learned().to_json()


# The command.


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["model", "vram", *words])


def test_the_table_has_every_part_and_what_fits(chosen: Settings) -> None:
    base = ("--base-path", str(chosen.base.root), "--local")
    got = run("Tiny", *base, "--gpu", "8GiB", "--memory", "16GiB", "--slots", "2")
    assert got.exit_code == 0, got.output
    for words in ("KV cache: full attention, 5 layers", "gpu0", "in all", "It fits", "2 x 8192"):
        assert words in got.output
    answer = json.loads(run("Tiny", *base, "--json", "--n-gpu-layers", "none").output)
    assert answer["layers"]["on_gpus"] == 0


def test_what_does_not_fit_ends_with_a_code_of_its_own(chosen: Settings) -> None:
    base = ("--base-path", str(chosen.base.root), "--local")
    got = run("Tiny", *base, "--memory", "500MiB", "--context-window", "100000", "--slots", "8")
    assert got.exit_code == exits.NO_MEMORY
    assert "It does not fit" in got.output
    assert "context_window:" in got.output


def test_a_file_is_looked_at_where_it_is(chosen: Settings) -> None:
    got = run(str(TINY), "--base-path", str(chosen.base.root))
    assert got.exit_code == 0, got.output
    assert TINY.stem in got.output
