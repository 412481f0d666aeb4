"""From headers to measures, and from measures to bytes by device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import Counted, Header, Tensor, Value
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import parse
from kronk.shared.sizing.advice import advise, parts_in_words
from kronk.shared.sizing.facts import Layer, ModelFacts, ModelFiles
from kronk.shared.sizing.look import look
from kronk.shared.sizing.placing import Gpu, homes
from kronk.shared.sizing.predict import Machine, predict
from kronk.shared.sizing.read import MOST_LAYERS, model_facts, projector_facts
from kronk.shared.sizing.shape import Host
from kronk.shared.sizing.windows import windowed
from kronk.shared.wire.loading import LoadSpec, PlacementSpec, Taken
from kronk.worker import taken
from kronk.worker.taken import of_rollup, of_status

MIB, GIB = 2**20, 2**30
HERE = Machine(Host(4, 16 * GIB))
CARDS = (Gpu("gpu0", 10 * GIB), Gpu("gpu1", 30 * GIB))


def header(architecture: str, *tensors: tuple[str, int], **keys: Value) -> Header:
    """Two layers, 256 wide, with 4 heads of which 2 have keys."""
    own: dict[str, Value] = {
        "block_count": 2,
        "embedding_length": 256,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "feed_forward_length": 512,
        "context_length": 4096,
    } | {name.replace("__", "."): value for name, value in keys.items()}
    metadata: dict[str, Value] = {
        "general.architecture": architecture,
        "tokenizer.ggml.tokens": Counted("string", 1000),
    } | {f"{architecture}.{name}": value for name, value in own.items()}
    rows = tuple(Tensor(name, (256, size // 512), "f16", 0, size) for name, size in tensors)
    return Header(3, metadata, rows, 0, sum(size for _, size in tensors))


def spec(**keys: Any) -> LoadSpec:
    return load_spec("m", Path("/m.gguf"), parse(keys, "test"))


@pytest.mark.parametrize(
    ("architecture", "keys", "layers"),
    [
        ("llama", {}, [(128, 128), (128, 128)]),
        ("llama", {"attention__key_length": 96}, [(192, 128), (192, 128)]),
        ("llama", {"attention__head_count_kv": (1, 4)}, [(64, 64), (256, 256)]),
        # Compressed keys of which values are made.
        (
            "deepseek2",
            {
                "attention__head_count_kv": 1,
                "attention__key_length": 576,
                "attention__value_length": 512,
                "attention__key_length_mla": 192,
            },
            [(576, 0), (576, 0)],
        ),
        ("gemma4", {"attention__shared_kv_layers": 1}, [(128, 128), (0, 0)]),
        (
            "gemma4",
            {
                "attention__sliding_window": 512,
                "attention__sliding_window_pattern": (True, False),
                "attention__key_length": 128,
                "attention__key_length_swa": 64,
                "attention__value_length": 128,
                "attention__value_length_swa": 64,
            },
            [(128, 128), (256, 256)],
        ),
        ("bert", {"attention__causal": False}, [(0, 0), (0, 0)]),
    ],
)
def test_what_a_layer_keeps_of_a_token(
    architecture: str, keys: dict[str, Value], layers: list[tuple[int, int]]
) -> None:
    facts = model_facts(header(architecture, **keys))
    assert [(layer.keys, layer.values) for layer in facts.layers] == layers


SSM: dict[str, Value] = {
    "ssm__conv_kernel": 4,
    "ssm__inner_size": 512,
    "ssm__state_size": 16,
}


@pytest.mark.parametrize(
    ("architecture", "keys", "layers"),
    [
        ("mamba", SSM, [(0, 3 * 512 + 16 * 512)] * 2),
        ("mamba2", SSM | {"ssm__group_count": 2}, [(0, 3 * (512 + 64) + 16 * 512)] * 2),
        ("jamba", SSM | {"attention__head_count_kv": (0, 2)}, [(0, 9728), (128, 0)]),
        ("falcon-h1", SSM, [(128, 9728)] * 2),
        ("qwen3next", SSM | {"full_attention_interval": 2}, [(0, 9728), (128, 0)]),
        ("rwkv7", {"wkv__head_size": 64}, [(0, 2 * 256 + 256 * 64)] * 2),
        (
            "lfm2",
            {"shortconv__l_cache": 3, "attention__head_count_kv": (0, 2)},
            [(0, 512), (128, 0)],
        ),
    ],
)
def test_what_a_recurrent_layer_keeps_of_a_sequence(
    architecture: str, keys: dict[str, Value], layers: list[tuple[int, int]]
) -> None:
    facts = model_facts(header(architecture, **keys))
    assert [(layer.keys, layer.states) for layer in facts.layers] == layers


@pytest.mark.parametrize(
    ("architecture", "pattern", "expected"),
    [
        ("gemma3", None, "wwwwwf"),
        ("gemma3", 2, "wfwfwf"),
        ("gpt-oss", None, "wfwfwf"),
        ("cohere2", None, "wwwfww"),
        ("smallthinker", None, "fwwwfw"),
        ("gemma4", [1, 1, 0, 1], "wwfwff"),
        # Too much is safe to expect.
        ("unheard-of", None, "ffffff"),
    ],
)
def test_which_layers_have_a_window(architecture: str, pattern: Any, expected: str) -> None:
    flags = windowed(architecture, 6, pattern)
    assert "".join("w" if flag else "f" for flag in flags) == expected


@pytest.mark.parametrize("count", [0, MOST_LAYERS + 1, 2**63, "many"])
def test_a_file_that_claims_impossible_layers_has_no_size(count: Value) -> None:
    with pytest.raises(InvalidArgument, match="block_count"):
        model_facts(header("llama", block_count=count))


def test_a_file_that_is_no_model_has_no_size() -> None:
    with pytest.raises(InvalidArgument, match="not a model"):
        model_facts(Header(3, {}, (), 0, 0))


VALUES: st.SearchStrategy[Value] = st.one_of(
    st.integers(-(2**63), 2**64),
    st.floats(),
    st.booleans(),
    st.text(max_size=3),
    st.lists(st.one_of(st.integers(-9, 2**40), st.floats(), st.booleans()), max_size=3).map(tuple),
)
KEYS = st.sampled_from(
    [
        "embedding_length",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.sliding_window",
        "attention.sliding_window_pattern",
        "attention.shared_kv_layers",
        "attention.causal",
        "pooling_type",
        "context_length",
        "feed_forward_length",
        "ssm.conv_kernel",
        "ssm.inner_size",
        "ssm.state_size",
        "wkv.head_size",
        "full_attention_interval",
        "expert_used_count",
    ]
)
NAMES = st.sampled_from(["llama", "gemma3", "gemma3n", "jamba", "qwen3next", "bert", "odd"])


@given(NAMES, st.dictionaries(KEYS, VALUES))
def test_whatever_a_header_claims_its_model_has_a_size(
    architecture: str, keys: dict[str, Value]
) -> None:
    facts = model_facts(header(architecture, **keys))
    found = predict(spec(), ModelFiles(facts), HERE)
    assert all(size >= 0 for part in found.parts.values() for size in part.values())


@given(st.dictionaries(st.sampled_from(["image_size", "patch_size", "embedding_length"]), VALUES))
def test_whatever_a_projector_claims_it_has_a_size(keys: dict[str, Value]) -> None:
    metadata = {f"clip.vision.{name}": value for name, value in keys.items()}
    assert projector_facts(Header(3, metadata, (), 0, 5)).working >= 0


def facts(layers: int = 4, *, experts: int = 0) -> ModelFacts:
    one = Layer(keys=128, values=128, dense_bytes=100, expert_bytes=experts)
    return ModelFacts("llama", (one,) * layers, 1000, 50, 70, (), 1000, 256, 4, 512)


@pytest.mark.parametrize(
    ("asked", "cards", "weights", "computing"),
    [
        pytest.param({}, (), {"host": 520}, ("host",), id="no GPU"),
        pytest.param({"n_gpu_layers": 0}, CARDS, {"host": 520}, ("host",), id="none wanted"),
        pytest.param(
            {}, CARDS[:1], {"host": 50, "gpu0": 470}, ("host", "gpu0"), id="all on the only one"
        ),
        pytest.param(
            {"n_gpu_layers": 2},
            CARDS[:1],
            {"host": 350, "gpu0": 170},
            ("host", "gpu0"),
            id="the last layer and the output",
        ),
        pytest.param(
            {"main_gpu": 1}, CARDS, {"host": 50, "gpu1": 470}, ("host", "gpu1"), id="one of two"
        ),
        pytest.param(
            {"split_mode": "layer"},
            CARDS,
            {"host": 50, "gpu0": 200, "gpu1": 270},
            ("host", "gpu0", "gpu1"),
            id="in proportion to their memory",
        ),
        pytest.param(
            {"split_mode": "layer", "tensor_split": (3.0, 2.0)},
            CARDS,
            {"host": 50, "gpu0": 300, "gpu1": 170},
            ("host", "gpu0", "gpu1"),
            id="by the shares that were asked for",
        ),
    ],
)
def test_where_weights_are(
    asked: dict[str, Any],
    cards: tuple[Gpu, ...],
    weights: dict[str, int],
    computing: tuple[str, ...],
) -> None:
    found = homes(PlacementSpec(**asked), facts(), cards)
    assert {device: size for device, size in found.weights.items() if size} == weights
    assert found.computing == computing


def test_experts_may_stay_in_main_memory() -> None:
    found = homes(PlacementSpec(n_cpu_moe=3), facts(experts=1000), CARDS[:1])
    assert found.weights == {"host": 50 + 3000, "gpu0": 470 + 1000}


def test_keys_and_values_are_where_their_layer_is_unless_told_otherwise() -> None:
    machine = Machine(HERE.host, CARDS[:1])
    keys: dict[str, Any] = {"n_gpu_layers": 3, "context_window": 1024, "n_seq_max": 2}
    cell = 2 * 256 * 2048
    split = predict(spec(**keys), ModelFiles(facts()), machine)
    assert split.parts["kv"] == {"host": 2 * cell, "gpu0": 2 * cell}
    kept = predict(spec(**keys, offload_kqv=False), ModelFiles(facts()), machine)
    assert kept.parts["kv"] == {"host": 4 * cell}


@pytest.mark.parametrize(
    ("keys", "part", "factor"),
    [
        ({"n_seq_max": 8}, "kv", 2.0),
        ({"context_window": 4096}, "kv", 0.5),
        ({"cache_type_k": "q8_0", "cache_type_v": "q8_0"}, "kv", 34 / 64),
        ({"n_seq_max": 8}, "outputs", 2.0),
        ({"n_ubatch": 256}, "scratch", 0.5),
    ],
)
def test_a_part_follows_its_key(keys: dict[str, Any], part: str, factor: float) -> None:
    plain = {"context_window": 8192, "n_seq_max": 4, "n_ubatch": 512}
    before = predict(spec(**plain), ModelFiles(facts()), HERE).part(part)
    after = predict(spec(**(plain | keys)), ModelFiles(facts()), HERE).part(part)
    assert after == pytest.approx(factor * before, rel=0.01)


SMALL_CACHE = "cache_type_k and cache_type_v: q8_0"
GPU_MACHINE = Machine(HERE.host, (Gpu("gpu0", 8 * GIB),))


@pytest.mark.parametrize(
    ("keys", "budgets", "expected"),
    [
        (
            {},
            {"host": 150 * MIB},
            ["context_window: 6144", "n_seq_max: 3", SMALL_CACHE, "n_ubatch: 128"],
        ),
        ({}, {"host": 100 * MIB}, ["context_window: 1792"]),
        (
            {"n_gpu_layers": -1},
            {"host": 170 * MIB, "gpu0": 200 * MIB},
            [
                "context_window: 7680",
                "n_seq_max: 3",
                SMALL_CACHE,
                "n_gpu_layers: 0 (all layers on the GPU)",
                "n_ubatch: 256",
            ],
        ),
        (
            {},
            {"host": 170 * MIB, "gpu0": 80 * MIB},
            [
                "context_window: 6144",
                "n_seq_max: 3",
                SMALL_CACHE,
                "n_gpu_layers: 3",
                "n_ubatch: 128",
            ],
        ),
        ({}, {"host": 10 * MIB}, []),
    ],
)
def test_advice_names_what_is_enough_by_itself(
    keys: dict[str, Any], budgets: dict[str, int], expected: list[str]
) -> None:
    machine = GPU_MACHINE if "gpu0" in budgets else HERE
    files = ModelFiles(facts())

    def fits(other: LoadSpec) -> bool:
        sizes = predict(other, files, machine).by_device
        return all(sizes.get(device, 0) <= most for device, most in budgets.items())

    wanted = spec(**({"context_window": 8192, "n_seq_max": 4} | keys))
    prediction = predict(wanted, files, machine)
    found = advise(wanted, prediction, fits, has_gpu="gpu0" in budgets)
    assert not fits(wanted)
    assert found == expected
    assert parts_in_words(prediction).startswith("the process itself 72 MiB, weights ")
    seeing = replace(prediction, clip_bytes=128 * 2**20)
    assert parts_in_words(seeing).endswith(", kept images and recordings 128 MiB")


def test_what_may_grow_is_told_apart() -> None:
    found = predict(spec(cache_ram="512MiB"), ModelFiles(facts()), HERE)
    assert (found.cache_bytes, found.clip_bytes) == (512 * MIB, 0)
    assert predict(spec(prefix_cache=False), ModelFiles(facts()), HERE).cache_bytes == 0


def test_a_copy_for_the_processor_counts_once() -> None:
    tensors = [("blk.0.ffn_up.weight", 512 * 64), ("token_embd.weight", 512 * 8)]
    read = model_facts(header("llama", *tensors))
    machine = Machine(HERE.host, repacked=frozenset({"f16"}))
    found = predict(spec(), ModelFiles(read), machine)
    assert found.parts["weights"] == {"host": read.file_bytes}
    assert found.stale_bytes == 512 * 64
    unmapped = predict(spec(use_mmap=False), ModelFiles(read), machine)
    assert unmapped.stale_bytes == 0


def test_all_files_of_a_load_are_looked_at() -> None:
    read = {
        "/m-00001-of-00002.gguf": header("llama", ("blk.0.a.weight", 512 * 8), split__count=2),
        "/m-00002-of-00002.gguf": header("llama", ("blk.1.a.weight", 512 * 16)),
        "/a.gguf": header("llama", ("blk.0.lora_a", 512)),
    }
    read["/m-00001-of-00002.gguf"].metadata["split.count"] = 2
    config = parse({"adapters": [{"path": "/a.gguf"}]}, "test")
    wanted = load_spec("m", Path("/m-00001-of-00002.gguf"), config)
    found = look(wanted, lambda path: read[str(path)])
    assert found.model.file_bytes == 512 * 24
    assert [layer.dense_bytes for layer in found.model.layers] == [512 * 8, 512 * 16]
    assert found.adapter_bytes == 512


def test_what_a_process_has_is_read_from_either_file_of_the_kernel() -> None:
    rollup = (
        "00400000-7fff ---p 0 00:00 0 [rollup]\nRss:  300 kB\nAnonymous:  100 kB\nSwap:  20 kB\n"
    )
    assert of_rollup(rollup) == (120 * 1024, 200 * 1024)
    status = "Name:\tx\nRssAnon:\t100 kB\nRssFile:\t150 kB\nRssShmem:\t50 kB\nVmSwap:\t20 kB\n"
    assert of_status(status) == (120 * 1024, 200 * 1024)


def test_a_process_that_may_not_see_itself_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken, "_ROLLUP", tmp_path / "smaps_rollup")
    (tmp_path / "status").write_text("RssAnon:\t7 kB\nRssFile:\t5 kB\n")
    monkeypatch.setattr(taken, "_STATUS", tmp_path / "status")
    assert taken.measure(3) == Taken(7 * 1024, 5 * 1024, {}, 3)
    (tmp_path / "status").unlink()
    assert taken.measure(3) is None
