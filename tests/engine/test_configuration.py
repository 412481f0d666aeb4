"""What a model's configuration says is what llama.cpp does: real loads of the tiny model."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
import pytest

from harness import random_gguf
from harness.tiny_variants import LAYERS, TINY, trained_for, write_adapter
from kronk.shared.errors import ModelFailed
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import parse
from kronk.shared.wire.loading import Fitted, LoadSpec
from kronk.worker.context import Batch, Context, DecodeResult
from kronk.worker.library import LlamaLog
from kronk.worker.loader import Loaded, load

SMALL = {"context_window": 512, "n_seq_max": 2, "n_threads": 1}
# Numbers of one position in the tiny model's keys, and as many in its values.
KV_WIDTH = 128
TEXT = "<|im_start|>user\nCount from 1 to 50<|im_end|>\n<|im_start|>assistant\n"
# Bytes of a block of 32 numbers.
BLOCK = {"f32": 128, "f16": 64, "bf16": 64, "q8_0": 34, "q5_1": 24, "q5_0": 22, "q4_1": 20,
         "q4_0": 18}  # fmt: skip


def spec(path: Path = TINY, **keys: Any) -> LoadSpec:
    return load_spec("tiny", path, parse(SMALL | keys, "models.tiny"))


def loaded(path: Path = TINY, **keys: Any) -> Loaded:
    return load_as(spec(path, **keys))


def load_as(wanted: LoadSpec) -> Loaded:
    # llama.cpp has one log, and calls whoever asked for it last: each load listens anew.
    found = load(wanted, log_lines=LlamaLog(), report=lambda _: None, emit=lambda _: None)
    assert isinstance(found, Loaded)
    return found


def fitted(path: Path = TINY, **keys: Any) -> Fitted:
    return loaded(path, **keys).fitted


def logits(model: Loaded, tokens: list[int] | None = None) -> npt.NDArray[np.float32]:
    """Of the last token of a text, decoded from its beginning."""
    context: Context = model.engine._context
    rows = tokens if tokens is not None else model.model.tokenize(TEXT)
    context.forget(0)
    size = model.fitted.n_ubatch
    for start in range(0, len(rows), size):
        batch = Batch(size)
        batch.add(0, start, rows[start : start + size], output_last=True)
        assert context.decode(batch) is DecodeResult.OK
    return context.outputs(1)[0].copy()


# Attention's memory.


@pytest.mark.parametrize(
    ("k", "v", "flash"),
    [
        *((k, "f16", flash) for k, flash in itertools.product(BLOCK, ("enabled", "disabled"))),
        *(("f16", v, flash) for v, flash in itertools.product(BLOCK, ("enabled", "auto"))),
        ("f32", "f32", "disabled"),
        ("bf16", "bf16", "disabled"),
        ("q8_0", "q8_0", "enabled"),
        ("q4_0", "q4_0", "auto"),
    ],
)
def test_keys_and_values_take_the_memory_of_their_types(k: str, v: str, flash: str) -> None:
    model = loaded(cache_type_k=k, cache_type_v=v, flash_attention=flash)
    found = model.fitted
    cells = 2 * 512
    # The log rounds to hundredths of a MiB.
    expected = cells * LAYERS * KV_WIDTH // 32 * (BLOCK[k] + BLOCK[v])
    assert found.kv_bytes == pytest.approx(expected, abs=2**20 / 100)
    assert (found.cache_type_k, found.cache_type_v) == (k, v)
    assert found.flash_attention is (flash != "disabled")
    assert found.compute_bytes > 2**20
    assert np.isfinite(logits(model)).all()


def test_quantised_values_without_flash_attention_are_refused_by_llama_cpp_too() -> None:
    bad = spec(cache_type_v="q8_0", flash_attention="auto")
    bad = replace(bad, context=replace(bad.context, flash_attention="disabled"))
    with pytest.raises(ModelFailed, match="cannot create a context"):
        load_as(bad)


def test_without_swa_full_a_sliding_window_takes_less(tmp_path: Path) -> None:
    path = tmp_path / "swa.gguf"
    random_gguf.write(path, random_gguf.SWA)
    small = fitted(path, context_window=2048, swa_full=False)
    large = fitted(path, context_window=2048)
    assert (small.swa_full, large.swa_full) == (False, True)
    assert small.kv_bytes < 0.8 * large.kv_bytes


# Sizes.


def test_what_was_fitted_is_what_llama_cpp_has() -> None:
    model = loaded(n_batch=300, n_ubatch=64, n_threads_batch=2)
    handle, found = model.engine._context.handle, model.fitted
    assert (found.n_ctx, found.slots, found.queue) == (512, 2, 4)
    assert found.n_batch == lib.llama_n_batch(handle) == 300
    assert found.n_ubatch == lib.llama_n_ubatch(handle) == 64
    assert found.n_threads == lib.llama_n_threads(handle) == 1
    assert found.n_threads_batch == lib.llama_n_threads_batch(handle) == 2
    assert lib.llama_n_ctx(handle) == 2 * 512
    assert (found.layers, found.gpu_layers, found.n_ctx_train) == (5, 0, 8192)
    assert found.notes == ()


def test_fewer_threads_for_a_crowd_are_fewer_for_prompts_too_and_come_back() -> None:
    context = loaded(n_threads=2, n_threads_batch=4).engine._context
    for count, batch in ((1, 1), (2, 4)):
        context.use_threads(count)
        assert lib.llama_n_threads(context.handle) == count
        assert lib.llama_n_threads_batch(context.handle) == batch


def test_the_default_window_is_what_the_model_was_trained_for(tmp_path: Path) -> None:
    assert fitted(context_window=None).n_ctx == 8192
    assert fitted(trained_for(tmp_path / "t.gguf", 700), context_window=None).n_ctx == 700


def test_rows_of_logits_suffice_for_every_slots_draft() -> None:
    plain, guessing = loaded(), loaded(speculative="ngram", draft_max=7)
    assert guessing.fitted.speculation == "ngram"
    assert guessing.fitted.compute_bytes >= plain.fitted.compute_bytes
    context = guessing.engine._context
    batch = Batch(16)
    for slot in range(2):
        batch.add(slot, 0, [1] * 8, output_last=True)
        batch.output_all(8)
    assert context.decode(batch) is DecodeResult.OK
    assert context.outputs(16).shape[0] == 16


# Weights.


@pytest.mark.parametrize(
    "keys",
    [
        {"n_gpu_layers": "all"},
        {"n_gpu_layers": "none"},
        {"n_gpu_layers": 0},
        {"n_gpu_layers": -1},
        {"use_mmap": False},
        {"use_mmap": False, "use_mlock": True},
        {"use_mlock": True},
        {"offload_kqv": False, "op_offload": False},
        {"tensor_buffer_overrides": [r"blk\.[0-2]\.ffn_(up|down)=CPU"]},
    ],
)
def test_where_weights_are_does_not_change_what_they_say(keys: dict[str, Any]) -> None:
    model = loaded(**keys)
    assert model.fitted.notes == ()
    assert int(logits(model).argmax()) == int(logits(loaded()).argmax())


@pytest.mark.parametrize(
    "keys",
    [
        {"n_gpu_layers": 3},
        {"split_mode": "row"},
        {"split_mode": "tensor"},
        {"tensor_split": [1, 1]},
        {"main_gpu": 5},
        {"n_cpu_moe": 4},
    ],
)
@pytest.mark.skipif(lib.llama_supports_gpu_offload(), reason="of a machine without a GPU")
def test_what_needs_a_gpu_is_noted_and_loads(keys: dict[str, Any]) -> None:
    (note,) = fitted(**keys).notes
    assert note.startswith(f"{next(iter(keys))} has no effect")


@pytest.mark.parametrize("numa", ["distribute", "isolate", "numactl"])
def test_numa_loads_everywhere(numa: str) -> None:
    assert np.isfinite(logits(loaded(numa=numa))).all()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("ffn=CUDA7", "there is no buffer type 'CUDA7' here"),
        ("(ffn=CPU", "regular expression"),
    ],
)
def test_a_bad_override_is_named(override: str, words: str) -> None:
    with pytest.raises(ModelFailed, match=words):
        fitted(tensor_buffer_overrides=[override])


# Positions.


def test_yarn_extends_the_context_and_decodes_past_what_was_trained(tmp_path: Path) -> None:
    path = trained_for(tmp_path / "short.gguf", 256)
    model = loaded(path, context_window=1024, rope_scaling="yarn", n_seq_max=1)
    found = model.fitted
    assert (found.n_ctx, found.n_ctx_train) == (1024, 256)
    assert found.rope is not None
    assert (found.rope.scaling, found.rope.freq_scale, found.rope.orig_ctx) == ("yarn", 0.25, 256)
    assert found.notes == ()
    tokens = (model.model.tokenize(TEXT) * 60)[:1000]
    assert np.isfinite(logits(model, tokens)).all()


YARN = {"rope_scaling": "yarn"}


@pytest.mark.parametrize(
    ("without", "keys"),
    [
        ({}, {"rope_scaling": "linear"}),
        ({}, YARN),
        ({}, {"rope_freq_base": 500000.0}),
        ({}, {"rope_freq_scale": 0.5}),
        ({"rope_scaling": "linear"}, YARN),
        (YARN, YARN | {"yarn_ext_factor": 0.0}),
        (YARN, YARN | {"yarn_beta_fast": 2.0}),
        (YARN, YARN | {"yarn_beta_slow": 8.0}),
        (YARN, YARN | {"yarn_orig_ctx": 128}),
        (
            YARN | {"yarn_ext_factor": 0.0},
            YARN | {"yarn_ext_factor": 0.0, "yarn_attn_factor": 0.5},
        ),
    ],
)
def test_every_key_of_rope_changes_what_is_computed(
    tmp_path: Path, without: dict[str, Any], keys: dict[str, Any]
) -> None:
    path = trained_for(tmp_path / "short.gguf", 256)
    before = logits(loaded(path, context_window=1024, **without))
    after = logits(loaded(path, context_window=1024, **keys))
    assert np.abs(after - before).max() > 0.01


def test_a_window_above_the_trained_one_works_and_says_so(tmp_path: Path) -> None:
    found = fitted(trained_for(tmp_path / "short.gguf", 256), context_window=1024)
    assert found.n_ctx == 1024
    assert "above the 256 tokens" in found.notes[0]


# Templates.


def test_a_template_file_takes_the_place_of_the_ggufs(tmp_path: Path) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text("{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}")
    model = loaded(chat_template_file=str(file))
    assert (model.fitted.template, model.fitted.template_name) == ("file", "mine.jinja")
    text = model.template.template.render(messages=[{"role": "user", "content": "hi"}])
    assert text == "[user] hi"


def test_the_built_in_template_can_be_asked_for() -> None:
    found = fitted(chat_template="chatml")
    assert (found.template, found.template_name) == ("chatml", "chatml")
    assert fitted().template == "model"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "mine.jinja: cannot be read: No such file"),
        (b"{% for %}", "mine.jinja is not valid Jinja, line 1"),
        (b"\xff\xfe", "mine.jinja: cannot be read: not UTF-8 text"),
    ],
)
def test_a_bad_template_file_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "mine.jinja"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelFailed, match=words):
        fitted(chat_template_file=str(file))


def test_an_unknown_template_is_refused_with_those_there_are() -> None:
    with pytest.raises(ModelFailed, match="has 'tool_use'; there is chatml"):
        fitted(chat_template="tool_use")


# Adapters.


def test_an_adapter_of_scale_zero_changes_nothing_and_one_of_scale_one_does(tmp_path: Path) -> None:
    path = str(write_adapter(tmp_path / "style.gguf"))
    plain = logits(loaded())
    off = loaded(adapters=[{"path": path, "scale": 0}])
    half = loaded(adapters=[{"path": path, "scale": 0.5}])
    full = loaded(lora=[path])
    assert np.abs(logits(off) - plain).max() < 1e-3
    assert np.abs(logits(full) - plain).max() > 0.5
    assert np.abs(logits(half) - logits(full)).max() > 0.1
    assert full.fitted.adapters == ("style.gguf x 1",)
    assert half.fitted.adapters == ("style.gguf x 0.5",)


def test_the_mix_of_two_adapters_is_not_one_of_them(tmp_path: Path) -> None:
    path = str(write_adapter(tmp_path / "a.gguf"))
    both = loaded(adapters=[{"path": path, "scale": 0.5}, {"path": path, "scale": 0.5}])
    one = loaded(adapters=[path])
    assert np.abs(logits(both) - logits(one)).max() < 0.05
    assert np.abs(logits(both) - logits(loaded())).max() > 0.5


def test_a_bias_on_a_token_that_there_is_not_is_the_configurations_fault() -> None:
    with pytest.raises(ModelFailed, match=r"sampling_parameters: .*logit_bias.* 2048"):
        fitted(sampling_parameters={"logit_bias": {2048: 1}})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "cannot be read: No such file"),
        (lambda path: path.write_bytes(b"not a GGUF"), "a.gguf"),
        (lambda path: path.write_bytes(TINY.read_bytes()), "not an adapter but a model"),
        (lambda path: write_adapter(path, architecture="qwen3"), "made for the architecture qwen3"),
    ],
)
def test_a_bad_adapter_is_named(tmp_path: Path, make: Any, words: str) -> None:
    path = tmp_path / "a.gguf"
    make(path)
    with pytest.raises(ModelFailed, match=words) as failed:
        fitted(adapters=[str(path)])
    assert str(path) in failed.value.message
