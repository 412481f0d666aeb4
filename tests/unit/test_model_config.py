"""What `model-config.yaml` may say, what it comes to, and that all of it is documented."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from kronk.shared import key_table
from kronk.shared.errors import InvalidArgument
from kronk.shared.load_spec import Surroundings, load_spec
from kronk.shared.model_config import ModelConfig, load_file, parse
from kronk.shared.model_keys import KEYS
from kronk.shared.wire.codec import Family, encode
from kronk.shared.wire.loading import AdapterSpec, LoadSpec, TensorPlace
from kronk.shared.wire.to_worker import Load

DOCS = Path(__file__).parents[2] / "docs" / "model-config.md"


def read(text: str) -> ModelConfig:
    return parse(yaml.safe_load(text), "models.M", Path("/etc/kronk"))


def spec(text: str) -> LoadSpec:
    around = Surroundings(cache=Path("/base/cache"), draft=Path("/base/draft.gguf"))
    return load_spec("M", Path("/base/M.gguf"), read(text), around)


def test_every_key_is_documented_and_every_documented_key_exists() -> None:
    assert DOCS.read_text() == key_table.document(), (
        "run: python -m kronk.shared.key_table > docs/model-config.md"
    )
    documented = [line.split("`")[1] for line in DOCS.read_text().splitlines() if "| `" in line[:3]]
    assert documented == [field.name for field in dataclasses.fields(ModelConfig)]
    assert all(key.help and key.values for key in KEYS.values())


def test_a_key_without_a_default_says_what_that_means() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(ModelConfig)}
    assert all(bool(key.unset) == (defaults[key.name] is None) for key in KEYS.values())


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("context-window: 4096", "context_window", 4096),
        ("nseq-max: 2", "n_seq_max", 2),
        ("nseq_max: 2", "n_seq_max", 2),
        ("nbatch: 1024", "n_batch", 1024),
        ("nubatch: 256", "n_ubatch", 256),
        ("n-gpu-layers: 0", "n_gpu_layers", 0),
        ("n_gpu_layers: all", "n_gpu_layers", 0),
        ("n_gpu_layers: none", "n_gpu_layers", -1),
        ("n_gpu_layers: 20", "n_gpu_layers", 20),
        ("flash_attention: on", "flash_attention", "enabled"),
        ("flash_attention: false", "flash_attention", "disabled"),
        ("flash-attention: auto", "flash_attention", "auto"),
        ("cache_type_k: bf16", "cache_type_k", "bf16"),
        ("cache_type_v: q5_1", "cache_type_v", "q5_1"),
        ("swa_full: false", "swa_full", False),
        ("offload-kqv: false", "offload_kqv", False),
        ("split_mode: row", "split_mode", "row"),
        ("split_mode: off", "split_mode", "none"),
        ("tensor_split: [3, 1]", "tensor_split", (3.0, 1.0)),
        ("tensor_split: 3,1", "tensor_split", (3.0, 1.0)),
        ("numa: isolate", "numa", "isolate"),
        ("numa: no", "numa", "none"),
        ("rope_scaling: none", "rope_scaling", "none"),
        ("rope-scaling-type: yarn", "rope_scaling", "yarn"),
        ("rope_freq_scale: null", "rope_freq_scale", None),
        ("rope_freq_base: 1000000", "rope_freq_base", 1e6),
        ("yarn_ext_factor: 0", "yarn_ext_factor", 0.0),
        ("queue_depth: 0", "queue_depth", 0),
        ("queue_timeout: 90", "queue_timeout", 90.0),
        ("queue_timeout: 1m30s", "queue_timeout", 90.0),
        ("queue_timeout: 0", "queue_timeout", 0.0),
        ("cache_ram: 512MB", "cache_ram", 512_000_000),
        ("cache_ram: 512MiB", "cache_ram", 512 * 2**20),
        ("cache_ram: 1g", "cache_ram", 2**30),
        ("cache_ram: off", "cache_ram", 0),
        ("cache_disk: 1000", "cache_disk", 1000),
        ("cache_min_tokens: 0", "cache_min_tokens", 0),
        ("chat_template_file: mine.jinja", "chat_template_file", Path("/etc/kronk/mine.jinja")),
        ("chat_template_file: /a.jinja", "chat_template_file", Path("/a.jinja")),
        ("draft_model: org/small", "draft_model", "org/small"),
        ("draft_model: ./small.gguf", "draft_model", "/etc/kronk/small.gguf"),
        ("projector: eyes.gguf", "projector", "/etc/kronk/eyes.gguf"),
        ("mmproj: /eyes.gguf", "projector", "/eyes.gguf"),
        ("projector: none", "projector", "none"),
        ("projector: off", "projector", "none"),
        ("lora: a.gguf", "adapters", (AdapterSpec("/etc/kronk/a.gguf", 1.0),)),
        (
            "adapters: [{path: /a.gguf, scale: 0}, b.gguf]",
            "adapters",
            (AdapterSpec("/a.gguf", 0.0), AdapterSpec("/etc/kronk/b.gguf", 1.0)),
        ),
        (
            "tensor_buffer_overrides: ['a=b=CPU', exps=CPU]",
            "tensor_buffer_overrides",
            (TensorPlace("a=b", "CPU"), TensorPlace("exps", "CPU")),
        ),
        ("tensor_buffer_overrides: x=CPU,y=CPU", "tensor_buffer_overrides", None),
        ("ttl: 90", "ttl", 90.0),
        ("ttl: 1h30m", "ttl", 5400.0),
        ("ttl: 0", "ttl", 0.0),
        ("ttl: -1", "ttl", math.inf),
        ("ttl: forever", "ttl", math.inf),
        ("ttl: null", "ttl", None),
        ("pin: yes", "pin", True),
        ("preload: true", "preload", True),
        ("aliases: gpt-4o", "aliases", ("gpt-4o",)),
        ("aliases: [gpt-4o, llama3:8b, a/b, gpt-4o]", "aliases", ("gpt-4o", "llama3:8b", "a/b")),
        ("aliases: []", "aliases", ()),
    ],
)
def test_a_value_is_read_as_people_write_it(text: str, name: str, value: Any) -> None:
    if text.startswith("tensor_buffer_overrides: x"):
        value = (TensorPlace("x", "CPU"), TensorPlace("y", "CPU"))
    assert getattr(read(text), name) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("context_windw: 1", "models.M.context_windw: no such key; did you mean context_window?"),
        ("nseqmax: 1", "did you mean n_seq_max?"),
        ("xyzzy: 1", "models.M.xyzzy: no such key"),
        ("insecure-logging: true", "never logs"),
        ("n_batch: 1.5", "models.M.n_batch: expected a whole number from 32 to 65536, got 1.5"),
        ("n_seq_max: true", "expected a whole number"),
        ("n_seq_max: 257", "from 1 to 256, got 257"),
        ("cache_type_k: q6_K", "expected one of f32, f16, bf16, q8_0"),
        ("cache_type_k: [f16]", "models.M.cache_type_k: expected one of"),
        ("flash_attention: maybe", "expected one of enabled, disabled, auto"),
        ("swa_full: 1", "models.M.swa_full: expected true or false, got 1"),
        ("n_gpu_layers: -2", "expected all (or 0), none (or -1)"),
        ("n_gpu_layers: true", "expected all (or 0)"),
        ("split_mode: column", "expected one of none, layer, row, tensor"),
        ("tensor_split: [0, 0]", "expected a list of shares"),
        ("tensor_split: [-1, 2]", "expected a list of shares"),
        ("tensor_split: {a: 1}", "expected a list of shares"),
        ("tensor_split: 5", "expected a list of shares"),
        ("tensor_buffer_overrides: [exps]", "expected a list of PATTERN=BUFFER"),
        ("tensor_buffer_overrides: [=CPU]", "expected a list of PATTERN=BUFFER"),
        ("tensor_buffer_overrides: 5", "expected a list of PATTERN=BUFFER"),
        ("rope_freq_scale: 0", "expected a number from"),
        ("rope_freq_base: .nan", "expected a number from"),
        ("queue_timeout: soon", "expected a duration"),
        ("queue_timeout: -1", "expected seconds"),
        ("queue_timeout: .inf", "expected seconds"),
        ("cache_ram: lots", "expected a size"),
        ("cache_ram: -1", "expected bytes"),
        ("cache_ram: true", "expected bytes"),
        ("chat_template_file: 5", "expected the path of a file"),
        ("adapters: [{scale: 1}]", "expected a list of {path: FILE, scale: NUMBER}"),
        ("adapters: [{path: a, scale: big}]", "expected a list of {path"),
        ("adapters: [{path: a, weight: 1}]", "expected a list of {path"),
        ("sampling_parameters: 5", "models.M.sampling_parameters: expected a map"),
        ("sampling-parameters: {temprature: 1}", "sampling-parameters.temprature"),
        ("{n_seq_max: 1, nseq-max: 2}", "n_seq_max is given twice"),
        ("{n_batch: 128, n_ubatch: 256}", "models.M.n_ubatch: must not exceed n_batch (128)"),
        (
            "{cache_type_v: q8_0, flash_attention: disabled}",
            "models.M.cache_type_v: q8_0 needs flash_attention, which is disabled",
        ),
        (
            "{system_prompt_cache: true, incremental_cache: true}",
            "system_prompt_cache and incremental_cache exclude each other",
        ),
        (
            "{cache_scope: subject, cache_disk: 1GB}",
            "models.M.cache_scope: subject excludes cache_disk",
        ),
        ("cache_scope: mine", "expected one of shared, subject"),
        ("{chat_template: chatml, chat_template_file: a}", "exclude each other"),
        ("speculative: draft", "models.M.speculative: draft needs the key draft_model"),
        ("{speculative: ngram, draft_model: x}", "ngram uses no draft_model"),
        ("ttl: soon", "expected a duration"),
        ("ttl: .inf", "expected seconds, a duration such as 30m, or forever"),
        ("ttl: .nan", "expected seconds, a duration"),
        ("ttl: true", "expected seconds, a duration"),
        ("pin: 1", "models.M.pin: expected true or false"),
        ("preload: always", "models.M.preload: expected true or false"),
        ("{preload: true, ttl: 0}", "models.M.preload: with a ttl of 0 it would be unloaded"),
        ("aliases: 5", "models.M.aliases: expected a list of names"),
        ("aliases: ['']", "expected a list of names"),
        ("aliases: [' a']", "expected a list of names"),
        ('aliases: ["a\\nb"]', "expected a list of names"),
        ("aliases: [" + "a" * 101 + "]", "of up to 100 printable characters"),
        ("{draft_min: 9, draft_max: 8}", "models.M.draft_min: must not exceed draft_max (8)"),
    ],
)
def test_a_bad_value_is_refused_with_its_key_and_what_was_expected(text: str, words: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read(text)
    assert words in refused.value.message


def test_the_file_stands_before_the_key_in_an_error(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("models: {A: {n_batch: lots}}")
    with pytest.raises(InvalidArgument, match=r"models\.yaml:1:23: models\.A\.n_batch: expec"):
        load_file(file)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ("{A: {aliases: [B]}, B: {}}", "models.A.aliases: 'B' is the id of another model"),
        (
            "{A: {aliases: [x]}, B: {aliases: [y, x]}}",
            "models.B.aliases: 'x' is an alias of A already",
        ),
    ],
)
def test_a_name_that_could_mean_two_models_is_refused_with_both(
    tmp_path: Path, models: str, words: str
) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(f"models: {models}")
    with pytest.raises(InvalidArgument) as refused:
        load_file(file)
    assert words in refused.value.message


def test_the_manuals_example_for_coding_agents_is_read(tmp_path: Path) -> None:
    """Hyphens, an anchor, and a variant that merges it."""
    file = tmp_path / "models.yaml"
    file.write_text("""\
models:
  Coder: &base
    context-window: 131072
    nbatch: 2048
    nubatch: 512
    cache-type-k: q8_0
    cache-type-v: q8_0
    flash-attention: enabled
    nseq-max: 2
    sampling-parameters:
      temperature: 0.7
      top_p: 0.8
      top_k: 20
  Coder/IMC:
    <<: *base
    nseq-max: 1
    incremental-cache: true
    max-imc-sessions: 1
""")
    plain, cached = load_file(file).values()
    assert (plain.context_window, plain.n_seq_max, plain.incremental_cache) == (131072, 2, False)
    assert (cached.context_window, cached.n_seq_max, cached.incremental_cache) == (131072, 1, True)
    assert cached.sampling_parameters == plain.sampling_parameters


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("models: {A: {chat_template_file: t.jinja, lora: [l.gguf]}}")
    config = load_file(file)["A"]
    assert config.chat_template_file == tmp_path / "t.jinja"
    assert config.adapters[0].path == str(tmp_path / "l.gguf")


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("{}", "automatic"),
        ("prefix_cache: false", "off"),
        ("system_prompt_cache: true", "system"),
        ("{prefix_cache: false, incremental_cache: true}", "incremental"),
    ],
)
def test_the_caching_keys_come_to_one_mode(text: str, mode: str) -> None:
    assert spec(text).cache.mode == mode


def test_a_disk_cache_has_a_folder_and_no_disk_cache_has_none() -> None:
    folder = spec("cache_disk: 1GB").cache.directory
    assert folder is not None and folder.startswith("/base/cache/M-")
    assert spec("{}").cache.directory is None


@pytest.mark.parametrize(
    ("text", "mode", "path"),
    [
        ("{}", "none", None),
        ("speculative: ngram", "ngram", None),
        ("draft_model: small", "draft", "/base/draft.gguf"),
        ("{speculative: none, draft_model: small}", "none", None),
    ],
)
def test_a_draft_model_means_to_use_it(text: str, mode: str, path: str | None) -> None:
    found = spec(text).speculation
    assert (found.mode, found.draft_path) == (mode, path)


@pytest.mark.parametrize(
    ("text", "layers"), [("{}", None), ("n_gpu_layers: -1", 0), ("n_gpu_layers: 7", 7)]
)
def test_layers_are_told_to_a_worker_without_magic_numbers(text: str, layers: int | None) -> None:
    assert spec(text).placement.n_gpu_layers == layers


def test_every_key_reaches_the_worker() -> None:
    """Each key set to something else than its default changes the specification on the wire."""
    other = {
        "context_window": 512, "n_seq_max": 3, "queue_depth": 5, "queue_timeout": 9.0,
        "n_batch": 777, "n_ubatch": 77, "n_threads": 3, "n_threads_batch": 2,
        "cache_type_k": "q8_0", "cache_type_v": "bf16", "flash_attention": "auto",
        "swa_full": False, "offload_kqv": False, "op_offload": False, "worker": ["gpu1", "local"],
        "n_gpu_layers": 4,
        "split_mode": "layer", "tensor_split": [1, 2], "main_gpu": 1, "n_cpu_moe": 2,
        "tensor_buffer_overrides": ["a=CPU"], "use_mmap": False, "use_mlock": True,
        "numa": "distribute", "rope_scaling": "yarn", "rope_freq_base": 5.0,
        "rope_freq_scale": 0.5, "yarn_ext_factor": 0.5, "yarn_attn_factor": 0.5,
        "yarn_beta_fast": 5.0, "yarn_beta_slow": 5.0, "yarn_orig_ctx": 512,
        "chat_template_file": "/t", "chat_template": "chatml", "tool_parser": "hermes",
        "sampling_preset": "coding",
        "sampling_parameters": {"temperature": 0}, "adapters": ["/a"], "projector": "/p",
        "prefix_cache": False,
        "system_prompt_cache": True, "incremental_cache": True, "max_imc_sessions": 9,
        "cache_min_tokens": 9, "cache_ram": 9, "cache_disk": 9, "cache_scope": "subject",
        "speculative": "ngram",
        "draft_model": "x", "draft_max": 9, "draft_min": 9, "draft_p_min": 0.5,
        "spec_ngram_size": 9, "ttl": 5.0, "pin": True,
    }  # fmt: skip
    # By what names it is asked for, and when it is loaded, is nothing to its worker; which build a
    # processor means is for the installed ones to say (test_libraries).
    assert other.keys() == KEYS.keys() - {"aliases", "preload", "processor"}
    family, plain = Family("test", Load), spec("{}")
    for key, value in other.items():
        told = load_spec(
            "M",
            Path("/base/M.gguf"),
            parse({key: value}, "M"),
            Surroundings(cache=Path("/base/cache"), draft=Path("/base/draft.gguf")),
        )
        assert told != plain, key
        _, (message,) = family.decode(encode(1, [Load(told, "")]))
        assert message.spec == told, key
