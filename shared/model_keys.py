"""The keys of `model-config.yaml` as one table, with what each means and how its value is read.

Parsing, "did you mean", the documentation and its test are all derived from `KEYS`. A default is
that of the field of `ModelConfig` with the key's name.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import key_values as read
from .sampling_presets import NAMES as PRESETS

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
# Value types that llama.cpp can only hold with flash attention.
QUANTISED = frozenset({"q8_0", "q5_1", "q5_0", "q4_1", "q4_0"})
# The families of `worker/parsers/`.
TOOL_PARSERS = (
    "apriel",
    "deepseek",
    "functiongemma",
    "gemma3",
    "gemma4",
    "generic",
    "glm",
    "granite",
    "harmony",
    "hermes",
    "kimi",
    "lfm",
    "llama",
    "mistral",
    "nemotron",
    "phi",
    "pythonic",
    "qwen-coder",
)


@dataclass(frozen=True, slots=True)
class Key:
    """One row; hyphens may be written instead of underscores."""

    name: str
    read: read.Read
    # What may be written, for the documentation.
    values: str
    help: str
    # What "not said" means, where the field's default is None.
    unset: str = ""
    # Other spellings: the manual's, and those of its examples.
    also: tuple[str, ...] = ()
    # A catalog may not recommend it: it is about this machine, or what its operator wants.
    is_operators: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A chapter of the table."""

    title: str
    keys: tuple[Key, ...]


_CONTEXT = Group(
    "Context and batching",
    (
        Key(
            "context_window",
            read.whole(256, 16_777_216),
            "tokens",
            "Tokens of one request, prompt and answer together.",
            "what the model was trained for, 8192 at most",
        ),
        Key(
            "n_seq_max",
            read.whole(1, 256),
            "1 to 256",
            "Requests that decode at the same time, each with its own context window; where a model"
            " embeds or ranks, texts that are decoded together.",
            "4; 32 texts",
            also=("nseq_max",),
        ),
        Key(
            "queue_depth",
            read.whole(0, 1000),
            "requests per slot",
            "Requests that may wait, for each of `n_seq_max`; one more is refused with 503, unless"
            " its subject has less than its share of them (docs/access.md).",
        ),
        Key(
            "queue_timeout",
            read.seconds,
            "seconds, or `30s`",
            "How long a request may wait for a slot of the loaded model before it is refused with"
            " 503.",
            "no limit but `--write-timeout`",
        ),
        Key(
            "n_batch",
            read.whole(32, 65_536),
            "tokens",
            "Tokens per decode at most.",
            also=("nbatch",),
        ),
        Key(
            "n_ubatch",
            read.whole(32, 65_536),
            "tokens, `n_batch` at most",
            "Tokens computed at a time: sizes llama.cpp's scratch memory.",
            also=("nubatch",),
        ),
        Key(
            "n_threads",
            read.whole(1, 1024),
            "threads",
            "Threads that generate.",
            "the cores there are, less one from five on",
            also=("nthreads",),
        ),
        Key(
            "n_threads_batch",
            read.whole(1, 1024),
            "threads",
            "Threads that read prompts.",
            "as `n_threads`",
            also=("nthreads_batch",),
        ),
    ),
)

_MEMORY = Group(
    "Attention and its memory",
    (
        Key(
            "cache_type_k",
            read.one_of(*CACHE_TYPES),
            "`" + "` `".join(CACHE_TYPES) + "`",
            "What the keys of the cache are stored as.",
        ),
        Key(
            "cache_type_v",
            read.one_of(*CACHE_TYPES),
            "as `cache_type_k`",
            "What the values are stored as; q types need flash attention.",
        ),
        Key(
            "flash_attention",
            read.one_of("enabled", "disabled", "auto", on="enabled", off="disabled"),
            "`enabled` `disabled` `auto`",
            "Fused attention: less memory, usually faster. On a processor it halves the time of"
            " long texts to embed, and its rounding moves vectors by up to 0.0003 (cosine);"
            " without it, streams beside a prompt of thousands of tokens wait about half as long"
            " for each of theirs, and decode alone is slower.",
            "`enabled`; `disabled` for embeddings and ranks on a processor",
        ),
        Key(
            "swa_full",
            read.switch,
            "true or false",
            "Sliding-window layers keep the whole context, so that any cached prefix can be used;"
            " false saves memory.",
        ),
        Key(
            "offload_kqv",
            read.switch,
            "true or false",
            "Keep the cache on the GPU.",
        ),
        Key(
            "op_offload",
            read.switch,
            "true or false",
            "Compute large batches on the GPU also for weights that are not there.",
        ),
    ),
)

_PLACEMENT = Group(
    "Where the model runs, and where the weights are",
    (
        Key(
            "worker",
            read.names,
            "`local`, a name, or a list of them",
            "Where its process runs: this machine, or worker hosts that `kronk worker add` made"
            " known. The first that is connected and has room.",
            "`local`",
            is_operators=True,
        ),
        Key(
            "processor",
            read.one_of("auto", "bundled", "cpu", "cuda", "metal", "vulkan", "rocm", "sycl"),
            "`auto` `bundled` `cpu` `cuda` `metal` `vulkan` `rocm` `sycl`",
            "Which build of llama.cpp it computes with, of those that `kronk libs` installed; where"
            " that one cannot be had, another one, and a note says why.",
            "`--processor`",
            is_operators=True,
        ),
        Key(
            "n_gpu_layers",
            read.layers,
            "`all` or 0, `none` or -1, or a number",
            "Layers on the GPU.",
            also=("ngpu_layers", "gpu_layers"),
        ),
        Key(
            "split_mode",
            read.one_of("none", "layer", "row", "tensor", off="none"),
            "`none` `layer` `row` `tensor`",
            "How several GPUs share the model; `none` uses `main_gpu` only.",
        ),
        Key(
            "tensor_split",
            read.shares,
            "list, such as [3, 1]",
            "Share of each GPU.",
            "in proportion to free memory",
            is_operators=True,
        ),
        Key(
            "main_gpu",
            read.whole(0, 15),
            "number of a GPU",
            "The GPU for what is not split.",
            is_operators=True,
        ),
        Key(
            "n_cpu_moe",
            read.whole(0, 10_000),
            "layers",
            "Layers, from the first, whose experts stay in main memory.",
        ),
        Key(
            "tensor_buffer_overrides",
            read.tensor_places,
            "list of `PATTERN=BUFFER`",
            "Tensors whose name matches the pattern go to that buffer type, such as"
            " `ffn_.*_exps=CPU`.",
        ),
        Key("use_mmap", read.switch, "true or false", "Map the file instead of reading it."),
        Key(
            "use_mlock",
            read.switch,
            "true or false",
            "Forbid the system to swap the weights.",
            is_operators=True,
        ),
        Key(
            "numa",
            read.one_of("distribute", "isolate", "numactl", "none", off="none"),
            "`distribute` `isolate` `numactl` `none`",
            "Placement of threads on machines with several memory nodes.",
            is_operators=True,
        ),
    ),
)

_ROPE = Group(
    "Contexts longer than trained (RoPE, YaRN)",
    (
        Key(
            "rope_scaling",
            read.one_of("none", "linear", "yarn", off="none"),
            "`none` `linear` `yarn`",
            "How positions beyond the trained ones are mapped.",
            "as the GGUF says",
            also=("rope_scaling_type",),
        ),
        Key(
            "rope_freq_base",
            read.number(1.0, 1e12),
            "number",
            "Base of the rotation.",
            "as the GGUF says",
        ),
        Key(
            "rope_freq_scale",
            read.number(1e-6, 1000.0),
            "number",
            "Factor on positions.",
            "with `rope_scaling`: trained context ÷ `context_window`",
        ),
        Key(
            "yarn_ext_factor",
            read.number(0.0, 1000.0),
            "0 to 1",
            "Mix of extrapolation, 0 is none.",
            "1 with `yarn`",
        ),
        Key(
            "yarn_attn_factor",
            read.number(0.0, 1000.0),
            "number",
            "Factor on attention's magnitude; only with `yarn_ext_factor: 0` another than 1.",
            "1",
        ),
        Key(
            "yarn_beta_fast",
            read.number(0.0, 10_000.0),
            "number",
            "Low correction dimension.",
            "32",
        ),
        Key(
            "yarn_beta_slow",
            read.number(0.0, 10_000.0),
            "number",
            "High correction dimension.",
            "1",
        ),
        Key(
            "yarn_orig_ctx",
            read.whole(1, 16_777_216),
            "tokens",
            "Context the model was trained for.",
            "as the GGUF says",
        ),
    ),
)

_CHAT = Group(
    "Chat and sampling",
    (
        Key(
            "chat_template_file",
            read.path,
            "path",
            "A Jinja chat template instead of the GGUF's.",
            "the GGUF's",
            is_operators=True,
        ),
        Key(
            "chat_template",
            read.text,
            "`chatml`, or a name",
            "One of the GGUF's named templates, a file of `templates/` under the base path, or one"
            " of the [templates' repository](catalog.md#chat-templates).",
            "the GGUF's default one",
        ),
        Key(
            "tool_parser",
            read.one_of(*TOOL_PARSERS),
            f"name of a family: {' '.join(f'`{name}`' for name in TOOL_PARSERS)}",
            "How reasoning and tool calls are read from answers.",
            "chosen from the template",
        ),
        Key(
            "sampling_preset",
            read.one_of(*PRESETS),
            "`" + "` `".join(PRESETS) + "`",
            "Sampling parameters under [one name](sampling.md#presets), below those of"
            " `sampling_parameters`. A request may name another.",
            "none",
        ),
        Key(
            "sampling_parameters",
            read.mapping,
            "map",
            "Defaults for requests that do not say, such as `temperature`.",
        ),
        Key(
            "adapters",
            read.adapters,
            "list of {path, scale}",
            "LoRA adapters to apply; one that is not there is looked for by its name in `adapters/`"
            " under the base path.",
            also=("lora",),
            is_operators=True,
        ),
        Key(
            "projector",
            read.file_or_none,
            "path, or `none`",
            "The GGUF that lets the model take images or audio.",
            "the one beside the model, with `mmproj` in its name",
            also=("mmproj", "proj_file"),
            is_operators=True,
        ),
    ),
)

_CACHE = Group(
    "Cached prompts",
    (
        Key(
            "prefix_cache",
            read.switch,
            "true or false",
            "Reuse the longest known beginning of a prompt.",
        ),
        Key(
            "system_prompt_cache",
            read.switch,
            "true or false",
            "Keep the system prompt before all else; excludes `incremental_cache`.",
        ),
        Key(
            "incremental_cache",
            read.switch,
            "true or false",
            "Keep conversations by their `imc_id`; excludes `system_prompt_cache`.",
        ),
        Key(
            "max_imc_sessions",
            read.whole(1, 10_000),
            "conversations",
            "Conversations kept at a time.",
        ),
        Key(
            "cache_min_tokens",
            read.whole(0, 16_777_216),
            "tokens",
            "Shorter prefixes are not kept.",
        ),
        Key(
            "cache_ram",
            read.size,
            "bytes, `512MB` or `off`",
            "Memory for kept prefixes, up to an eighth of `--memory-budget`.",
        ),
        Key(
            "cache_disk",
            read.size,
            "bytes, `10GB` or `off`",
            "Disk for kept prefixes, which then survive an unload and a restart.",
        ),
        Key(
            "cache_scope",
            read.one_of("shared", "subject"),
            "`shared` `subject`",
            "Whose prefixes a prompt may start from: everybody's, or its subject's own; the latter"
            " excludes `cache_disk`.",
        ),
    ),
)

_SPECULATION = Group(
    "Speculative decoding",
    (
        Key(
            "speculative",
            read.one_of("none", "ngram", "draft", off="none"),
            "`none` `ngram` `draft`",
            "Guess tokens ahead: from the text so far, or by a draft model.",
            "`draft` with a `draft_model`, else `none`",
        ),
        Key(
            "draft_model",
            read.text,
            "model id or path",
            "A small model of the same vocabulary.",
            "none",
        ),
        Key("draft_max", read.whole(1, 64), "tokens", "Tokens guessed at a time, at most."),
        Key("draft_min", read.whole(0, 64), "tokens", "Shorter guesses are not tried."),
        Key(
            "draft_p_min",
            read.number(0.0, 1.0),
            "0 to 1",
            "A draft ends before a token less likely than this.",
        ),
        Key(
            "spec_ngram_size",
            read.whole(1, 64),
            "tokens",
            "Tokens that must repeat before what followed them is guessed.",
        ),
    ),
)

_RESIDENCY = Group(
    "Names, and when it is loaded",
    (
        Key(
            "aliases",
            read.aliases,
            "list of names",
            "Other names that requests may use for the model, such as `gpt-4o`. None may be the id"
            " or an alias of another model.",
            is_operators=True,
        ),
        Key(
            "ttl",
            read.lifetime,
            "seconds, `30m`, or `forever` (or -1)",
            "How long the model stays loaded while unused; 0 unloads it right after its last"
            " request. A request's own `ttl` or `keep_alive` goes before it.",
            "`--cache-ttl`",
            is_operators=True,
        ),
        Key(
            "pin",
            read.switch,
            "true or false",
            "Once loaded it stays: it is not unloaded for being unused or to make room, whatever"
            " requests say, and is loaded again after a crash. Only `kronk model unload` ends it.",
            is_operators=True,
        ),
        Key(
            "preload",
            read.switch,
            "true or false",
            "Load it when the server starts, where there is room, one model after the other. It"
            " leaves as others do; with `pin` it stays.",
            is_operators=True,
        ),
    ),
)

GROUPS = (_CONTEXT, _MEMORY, _PLACEMENT, _ROPE, _CHAT, _CACHE, _SPECULATION, _RESIDENCY)
KEYS: dict[str, Key] = {key.name: key for group in GROUPS for key in group.keys}
ALIASES: dict[str, str] = {other: key.name for key in KEYS.values() for other in key.also}
