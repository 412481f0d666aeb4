"""What fields of a question about a model's size may not be, and which field the error names."""

from __future__ import annotations

from harness.bad_fields import Cases

SIZING_FIELDS: Cases = {
    "a model and a source": ({"source": "hf:o/r/f.gguf"}, "model"),
    "a configuration that is a list": ({"config": []}, "config"),
    "an unknown key": ({"config": {"temperature": 1}}, "config.temperature"),
    "a context that is a text": ({"config": {"context_window": "8k"}}, "config.context_window"),
    "no slots": ({"config": {"n-seq-max": 0}}, "config.n-seq-max"),
    "a cache type that is none": ({"config": {"cache_type_k": "f15"}}, "config.cache_type_k"),
    "quantised values without flash attention": (
        {"config": {"cache_type_v": "q8_0", "flash_attention": "disabled"}},
        "config.cache_type_v",
    ),
    "more rows at a time than in all": (
        {"config": {"n_batch": 64, "n_ubatch": 128}},
        "config.n_ubatch",
    ),
    "a key that is given twice": (
        {"config": {"n_seq_max": 1, "nseq_max": 2}},
        "config.nseq_max",
    ),
    "a file of the server's": ({"config": {"projector": "/etc/passwd"}}, "config.projector"),
    "a draft file of the server's": (
        {"config": {"draft_model": "/etc/passwd"}},
        "config.draft_model",
    ),
    "a pattern of tensors": (
        {"config": {"tensor_buffer_overrides": ["(a+)+=CPU"]}},
        "config.tensor_buffer_overrides",
    ),
    "a machine that is a text": ({"machine": "large"}, "machine"),
    "an unknown part of a machine": ({"machine": {"cores": 4}}, "machine.cores"),
    "memory of no size": ({"machine": {"memory": "much"}}, "machine.memory"),
    "memory that is too little": ({"machine": {"memory": 0}}, "machine.memory"),
    "GPUs that are a number": ({"machine": {"gpus": 2}}, "machine.gpus"),
    "too many GPUs": ({"machine": {"gpus": ["1GiB"] * 17}}, "machine.gpus"),
    "a GPU of no size": ({"machine": {"gpus": ["24GiB", True]}}, "machine.gpus[1]"),
}

TUNING_FIELDS: Cases = {
    "slots that are a text": ({"slots": "4"}, "slots"),
    "no slots": ({"slots": 0}, "slots"),
    "true slots": ({"slots": True}, "slots"),
    "a context that is too small": ({"context": 1}, "context"),
}
