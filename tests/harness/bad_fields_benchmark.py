"""What the fields of a request for a benchmark may not be."""

from __future__ import annotations

from .bad_fields import Cases

BENCHMARK_FIELDS: Cases = {
    "a model that is a number": ({"model": 5}, "model"),
    "an empty model": ({"model": ""}, "model"),
    "a model with a line's end": ({"model": "a\nb"}, "model"),
    "an unknown preset": ({"preset": "slow"}, "preset"),
    "sizes that are a number": ({"prompt_sizes": 128}, "prompt_sizes"),
    "a size that is a word": ({"prompt_sizes": ["big"]}, "prompt_sizes[0]"),
    "no sizes": ({"prompt_sizes": []}, "prompt_sizes"),
    "too many sizes": ({"prompt_sizes": [*range(100, 109)]}, "prompt_sizes"),
    "a size that leaves no room": ({"prompt_sizes": [31]}, "prompt_sizes"),
    "nobody at once": ({"concurrency": [0]}, "concurrency"),
    "too many at once": ({"concurrency": [257]}, "concurrency"),
    "answers of one token": ({"max_tokens": 1}, "max_tokens"),
    "answers that are too long": ({"max_tokens": 8193}, "max_tokens"),
    "half a token": ({"max_tokens": 8.5}, "max_tokens"),
    "no repetitions": ({"repetitions": 0}, "repetitions"),
    "too many repetitions": ({"repetitions": 101}, "repetitions"),
    "too many requests": ({"repetitions": 100, "concurrency": [256]}, "repetitions"),
    "a warm-up of less than nothing": ({"warm_up": -1}, "warm_up"),
    "a shared prefix that is all of it": (
        {"prompt_sizes": [128], "shared_prefix": 128},
        "shared_prefix",
    ),
    "cold as a word": ({"cold": "yes"}, "cold"),
    "an empty seed": ({"seed": ""}, "seed"),
    "a key for our own server": ({"api_key": "k"}, "api_key"),
    "a key with a line's end": (
        {"base_url": "http://127.0.0.1:9/v1", "api_key": "a\r\nb: c"},
        "api_key",
    ),
    "an address of files": ({"base_url": "file:///etc/passwd"}, "base_url"),
    "an address with a user": ({"base_url": "http://me:pw@127.0.0.1:9"}, "base_url"),
    "an address with a query": ({"base_url": "http://127.0.0.1:9/v1?key=1"}, "base_url"),
    "a field that there is not": ({"targets": []}, "targets"),
}
