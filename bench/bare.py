"""The peer: `llama_decode` driven directly, with nothing of Kronk's around it.

`python bench/bare.py MODEL --threads T` reads lines of JSON `{"prompts": [...], "tokens": N}` on
stdin, each prompt a rendered text, and answers each with one line of figures. Greedy.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
import time
from typing import Any

# The same as Kronk's workers, before the library loads.
for name, value in (("OMP_WAIT_POLICY", "passive"), ("GOMP_SPINCOUNT", "1000")):
    os.environ.setdefault(name, value)

import llama_cpp.llama_cpp as lib  # noqa: E402  # after the environment is set
import numpy as np  # noqa: E402

_UBATCH = 512


class Bare:
    def __init__(self, path: str, streams: int, context: int, threads: int) -> None:
        self._quiet = lib.llama_log_callback(lambda level, text, data: None)
        lib.llama_log_set(self._quiet, ctypes.c_void_p(0))
        self._model = lib.llama_model_load_from_file(
            path.encode(), lib.llama_model_default_params()
        )
        params = lib.llama_context_default_params()
        params.n_ctx = context * streams
        params.n_batch = params.n_ubatch = _UBATCH
        params.n_seq_max = params.n_outputs_max = streams
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = 1
        params.kv_unified = True
        self._context = lib.llama_init_from_model(self._model, params)
        self._vocab = lib.llama_model_get_vocab(self._model)
        self._n_vocab = lib.llama_vocab_n_tokens(self._vocab)
        self._batch = lib.llama_batch_init(_UBATCH, 0, 1)

    def run(self, texts: list[str], tokens: int) -> dict[str, Any]:
        """Prefill each prompt, then decode all of them a token a step."""
        started = time.perf_counter()
        prompts = [self._tokenize(text.encode()) for text in texts]
        last, times = {}, {stream: [] for stream in range(len(prompts))}
        for stream, prompt in enumerate(prompts):
            for at in range(0, len(prompt), _UBATCH):
                part = prompt[at : at + _UBATCH]
                rows = [(token, at + i, stream) for i, token in enumerate(part)]
                self._decode(rows, outputs={len(rows) - 1})
            last[stream] = self._argmax(len(rows) - 1)
            times[stream].append(time.perf_counter())
        for step in range(tokens - 1):
            alive = [s for s, token in last.items() if not self._ends(token)]
            if not alive:
                break
            self._decode(
                [(last[s], len(prompts[s]) + step, s) for s in alive], set(range(len(alive)))
            )
            for row, stream in enumerate(alive):
                last[stream] = self._argmax(row)
                times[stream].append(time.perf_counter())
            last = {s: last[s] for s in alive}
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)
        return {"started": started, "times": [times[s] for s in range(len(prompts))]}

    def _tokenize(self, text: bytes) -> list[int]:
        room = len(text) + 1
        tokens = (lib.llama_token * room)()
        return tokens[: lib.llama_tokenize(self._vocab, text, len(text), tokens, room, True, True)]

    def _ends(self, token: int) -> bool:
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    def _decode(self, rows: list[tuple[int, int, int]], outputs: set[int]) -> None:
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, (token, position, stream) in enumerate(rows):
            batch.token[i], batch.pos[i] = token, position
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, stream
            batch.logits[i] = i in outputs
        code = lib.llama_decode(self._context, batch)
        assert code == 0, f"llama_decode: {code}"

    def _argmax(self, row: int) -> int:
        logits = lib.llama_get_logits_ith(self._context, row)
        return int(np.ctypeslib.as_array(logits, shape=(self._n_vocab,)).argmax())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    bare = Bare(options.model, options.streams, options.context, options.threads)
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(bare.run(order["prompts"], order["tokens"])), flush=True)


if __name__ == "__main__":
    main()
