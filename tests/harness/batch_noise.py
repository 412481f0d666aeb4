"""A script: how far logits move when the same tokens are decoded in other company.

Run in a process of its own, because it loads llama.cpp; prints one line of JSON. A request runs
through the engine while others join and leave at random, and every decode is recorded. Then bare
llama.cpp decodes batches of the very same shapes, with positions and memory kept by this script
instead of the engine. Both are compared with the logits of the sequence decoded all alone:

    plain    the greatest difference in bare llama.cpp: the noise that batch shape alone causes
    engine   the greatest difference in the engine
    margin   the narrowest lead of the best token over the second, alone
"""

from __future__ import annotations

import json
import os
import queue
import random
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
import structlog

from kronk.shared.wire.loading import ContextSpec, LoadSpec
from kronk.shared.wire.to_gateway import Done, Failed, GenerationDelta
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Prompt, Sampling
from kronk.worker.context import Batch, Context, ContextShape, DecodeResult
from kronk.worker.engine.commands import Begin, Cancel
from kronk.worker.library import LlamaLog
from kronk.worker.loader import Loaded, load
from kronk.worker.model import Model
from kronk.worker.prepare import prepare

SLOTS, CONTEXT, STEPS = 8, 512, 24
BATCHES = (1, 2, 4, 8)
ROUNDS = 8
PATIENCE = 120
TEXTS = (
    "Hello!",
    "Echo back the word: Gorilla",
    "What is the capital of France?",
    "Give me JSON for a person called Alice aged 30.",
)

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Alone:
    """A request decoded with nothing beside it: its tokens, and the logits of each step."""

    prompt: int
    tokens: list[int]
    logits: list[Logits]

    def distance(self, position: int, logits: Logits) -> float:
        return float(np.abs(logits - self.logits[position - self.prompt + 1]).max())

    @property
    def margin(self) -> float:
        best = [np.sort(logits)[-2:] for logits in self.logits]
        return min(float(second - first) for first, second in best)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a decode; `request` is the script's own count, a new one at each position 0."""

    request: int
    sequence: int
    token: int
    output: bool


class Recorder:
    """Watches an engine's context: what is decoded, what is forgotten, what came out."""

    def __init__(self, context: Context) -> None:
        self.log: list[list[Row] | int] = []
        # Request, position, logits of every output row.
        self.found: list[tuple[int, int, Logits]] = []
        self.tokens: list[list[int]] = []
        self._context = context
        self._decode, self._forget = context.decode, context.forget
        self._request_of: dict[int, int] = {}
        # The engine calls both through its context.
        context.decode = self.decode  # type: ignore[method-assign]
        context.forget = self.forget  # type: ignore[method-assign]

    def decode(self, batch: Batch) -> DecodeResult:
        result = self._decode(batch)
        assert result is DecodeResult.OK, result
        rows = batch.struct()
        self.log.append([self._row(rows, row) for row in range(rows.n_tokens)])
        return result

    def forget(self, sequence: int, start: int = 0) -> None:
        assert start == 0, "nothing was rolled back"
        self._forget(sequence)
        self.log.append(sequence)

    def _row(self, rows: lib.llama_batch, row: int) -> Row:
        sequence, position = rows.seq_id[row][0], rows.pos[row]
        if position == 0:
            self._request_of[sequence] = len(self.tokens)
            self.tokens.append([])
        request = self._request_of[sequence]
        self.tokens[request].append(rows.token[row])
        if rows.logits[row]:
            self.found.append((request, position, logits_of(self._context, row)))
        return Row(request, sequence, rows.token[row], bool(rows.logits[row]))


def main() -> None:
    # Without its engine there is nothing to wait for.
    threading.excepthook = die
    # What we found is all there is on stdout.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    path = Path(sys.argv[1])
    log = LlamaLog()
    running = Running(path, log)
    alone = [decode_alone(running.loaded.model, log, text) for text in TEXTS]
    recorder = Recorder(running.context)
    plain: dict[int, float] = {}
    engine: dict[int, float] = {}
    for batch in BATCHES:
        recorder.log.clear()
        recorder.found.clear()
        recorder.tokens.clear()
        play(running, batch)
        replayed = replay(running.loaded.model, log, recorder.log)
        plain[batch] = greatest(replayed, recorder.tokens, alone)
        engine[batch] = greatest(recorder.found, recorder.tokens, alone)
    margin = min(one.margin for one in alone)
    print(json.dumps({"plain": plain, "engine": engine, "margin": margin}))
    sys.stdout.flush()


def die(failed: threading.ExceptHookArgs) -> None:
    traceback.print_exception(failed.exc_value)
    os._exit(1)


def logits_of(context: Context, row: int) -> Logits:
    values = lib.llama_get_logits_ith(context.handle, row)
    return np.array(np.ctypeslib.as_array(values, (context._n_vocab,)))


def new_context(model: Model, log: LlamaLog) -> Context:
    shape = ContextShape(
        n_ctx=SLOTS * CONTEXT, n_batch=CONTEXT, n_ubatch=CONTEXT, n_seq_max=SLOTS, n_threads=1
    )
    return Context(model, shape, log)


def decode_alone(model: Model, log: LlamaLog, text: str) -> Alone:
    """The prompt at once, then token by token."""
    # As the tiny model's template renders one user message.
    rows = model.tokenize(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n")
    prompt = len(rows)
    context = new_context(model, log)
    tokens: list[int] = []
    found: list[Logits] = []
    for _ in range(STEPS):
        batch = Batch(CONTEXT)
        batch.add(0, len(tokens), rows, output_last=True)
        assert context.decode(batch) is DecodeResult.OK
        tokens += rows
        found.append(logits_of(context, len(rows) - 1))
        rows = [int(found[-1].argmax())]
    lib.llama_free(context.handle)
    return Alone(prompt, tokens, found)


def play(running: Running, batch: int) -> None:
    """Each text among `batch` requests: random lengths, half of the rounds with one cancelled."""
    dice = random.Random(batch)
    for turn in range(ROUNDS):
        others = [
            running.begin("Count from 1 to 50", dice.randint(2, 40)) for _ in range(batch - 1)
        ]
        running.begin(TEXTS[turn % len(TEXTS)], STEPS)
        if others and turn % 2:
            running.cancel(dice.choice(others))
        running.wait_for_all()


def replay(
    model: Model, log: LlamaLog, recorded: list[list[Row] | int]
) -> list[tuple[int, int, Logits]]:
    """The recorded shapes in a context of our own, by our own books."""
    context = new_context(model, log)
    # Position of each request's next token.
    position: dict[int, int] = {}
    found = []
    for step in recorded:
        if isinstance(step, int):
            context.forget(step)
            continue
        batch = Batch(CONTEXT)
        for row in step:
            if row.request not in position:
                # In case the engine did not.
                context.forget(row.sequence)
            at = position.setdefault(row.request, 0)
            batch.add(row.sequence, at, [row.token], row.output)
            position[row.request] += 1
        assert context.decode(batch) is DecodeResult.OK
        for index, row in enumerate(step):
            if row.output:
                found.append((row.request, position[row.request] - 1, logits_of(context, index)))
    lib.llama_free(context.handle)
    return found


def greatest(
    found: list[tuple[int, int, Logits]], tokens: list[list[int]], alone: list[Alone]
) -> float:
    """The greatest distance, over the requests that were also decoded alone."""
    distances = []
    for one in alone:
        mine = {n for n, held in enumerate(tokens) if held == one.tokens[: len(held)]}
        assert mine, "a text was not decoded"
        distances += [one.distance(at, values) for n, at, values in found if n in mine]
    return max(distances)


class Running:
    """A loaded engine on a thread of its own."""

    def __init__(self, path: Path, log: LlamaLog) -> None:
        self._events: dict[int, queue.SimpleQueue[Any]] = {}
        # Begun, and neither cancelled nor waited for.
        self._open: set[int] = set()
        self._next = 0
        self.loaded: Loaded = load(
            LoadSpec(
                model="noise",
                path=str(path),
                context=ContextSpec(
                    window=CONTEXT, slots=SLOTS, n_batch=CONTEXT, n_ubatch=CONTEXT, n_threads=1
                ),
            ),
            log_lines=log,
            report=lambda _: None,
            emit=self._emit,
        )
        self.context: Context = self.loaded.engine._context
        threading.Thread(target=self.loaded.engine.run, daemon=True).start()

    def _emit(self, events: list[Any]) -> None:
        for event in events:
            self._events[event.request].put(event)

    def begin(self, text: str, tokens: int) -> int:
        self._next += 1
        self._open.add(self._next)
        self._events[self._next] = queue.SimpleQueue()
        messages = ({"role": "user", "content": text},)
        greedy = Sampling(temperature=0.0)
        submit = Submit(self._next, "noise", Prompt(messages), greedy, Answer(), tokens, (), 10_000)
        self.loaded.engine.tell(Begin(prepare(submit, self.loaded)))
        return self._next

    def cancel(self, request: int) -> None:
        """Not before its first word: a prefill that is broken off leaves other holes behind."""
        while not isinstance(self._events[request].get(timeout=PATIENCE), GenerationDelta):
            pass
        self.loaded.engine.tell(Cancel(request))
        self._open.remove(request)

    def wait_for_all(self) -> None:
        """Until all that was begun and not cancelled has ended."""
        for request in self._open:
            events = self._events[request]
            while not isinstance(event := events.get(timeout=PATIENCE), Done):
                assert not isinstance(event, Failed), (request, event)
        self._open.clear()


if __name__ == "__main__":
    main()
