"""The engine's answers beside plain llama.cpp's: how far apart they are, and how far apart plain
llama.cpp is from itself.

`Plain` is the `Llama` class of llama-cpp-python, one text at a time: the prompt at once, then each
token. `Company` is bare `llama_decode` on the same file, which computes the same text in other
batch shapes: cut into pieces, several tokens of the answer at a time, with rows of other sequences
in each batch and their cells between its own. The greatest distance between any two of these is the
noise that batch shape alone causes. `Parity` measures it and holds the engine's answers to it.

A distance is between natural log-probabilities: the greatest over the likeliest tokens of either
side, in one place of an answer. Plain llama.cpp is always given the tokens that the engine chose,
so that one choice between equals does not end the comparison.
"""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
from llama_cpp import Llama
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from kronk.shared.wire.values import Answer, Prompt, TokenLogprob
from kronk.worker.context import Batch, Context, ContextShape, DecodeResult
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model
from kronk.worker.speculation.payoff import Payoff

from .engine import Answered, EngineRun, Said

TOP = 5
SCORED = Answer(logprobs=TOP)
# How many times as far as measured two computations may be apart. What is measured is the greatest
# of a sample: the pairs of a few ways to compute some texts. An engine at work meets other ways and
# other texts, and the greatest of its sample is as likely above as below. Never far above: the 99th
# percentile is half the greatest, and the engine was at 1.2 times the noise at most (the starter
# model, whose sample is the smallest). What a fault does is beyond twice the noise on every model,
# see `test_a_fault_is_farther_off_than_any_noise`.
HEADROOM = 2.0
# For memories whose ways happen to agree to the last bit, and for the engine's float32 logarithms.
LEAST_NOISE = 1e-3
LOG = LlamaLog()

# Log-probabilities of all tokens, a row for each place.
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """What both sides' contexts agree in, apart from the number of sequences."""

    path: Path
    n_ctx: int = 1024
    n_batch: int = 512
    swa_full: bool = True


class Plain:
    """The `Llama` class of llama-cpp-python, configured as the engine is."""

    def __init__(self, shape: Shape) -> None:
        self._llama = Llama(
            str(shape.path),
            n_ctx=shape.n_ctx,
            n_batch=shape.n_batch,
            n_ubatch=shape.n_batch,
            n_threads=1,
            n_threads_batch=1,
            flash_attn=True,
            swa_full=shape.swa_full,
            verbose=False,
        )
        self.n_vocab: int = self._llama.n_vocab()

    def close(self) -> None:
        self._llama.close()

    def ends(self, token: int) -> bool:
        """Whether the token ends an answer."""
        return bool(lib.llama_vocab_is_eog(self._llama._model.vocab, token))

    def tokens(self, prompt: Prompt) -> list[int]:
        """The prompt by llama-cpp-python's own chat formatter and tokenizer."""
        if prompt.tokens is not None:
            return list(prompt.tokens)
        text = self._render(prompt) if prompt.text is None else prompt.text
        adds_bos = bool(self._llama._model.add_bos_token())
        return list(self._llama.tokenize(text.encode(), adds_bos, special=True))

    def follow(self, prompt: Sequence[int], answer: Sequence[int]) -> Rows:
        """The distribution at each token of the answer, and after the last."""
        pending = iter(answer)
        return self._run(prompt, lambda row: next(pending, None))[1]

    def answer(self, prompt: Sequence[int], count: int) -> tuple[list[int], Rows]:
        """Its own answer: the likeliest `count` tokens, or fewer where the model ends."""
        left = itertools.repeat(None, count)

        def likeliest(row: Rows) -> int | None:
            token = int(row.argmax())
            return None if self.ends(token) or next(left, self) is self else token

        return self._run(prompt, likeliest)

    def _run(
        self, prompt: Sequence[int], choose: Callable[[Rows], int | None]
    ) -> tuple[list[int], Rows]:
        said, found, rows = [], [], list(prompt)
        self._llama.reset()
        while True:
            self._llama.eval(rows)
            values = self._llama._ctx.get_logits_ith(-1)
            found.append(log_softmax(np.ctypeslib.as_array(values, (self.n_vocab,))))
            token = choose(found[-1])
            if token is None:
                return said, np.stack(found)
            said.append(token)
            rows = [token]

    def _render(self, prompt: Prompt) -> str:
        model = self._llama._model
        formatter = Jinja2ChatFormatter(
            self._llama.metadata["tokenizer.chat_template"],
            eos_token=model.token_get_text(self._llama.token_eos()),
            bos_token=model.token_get_text(self._llama.token_bos()),
        )
        thinking = prompt.enable_thinking
        variables = {} if thinking is None else {"enable_thinking": thinking}
        messages: Any = list(prompt.messages or ())
        return formatter(messages=messages, **variables).prompt


def log_softmax(logits: Rows) -> Rows:
    """In double precision, so that all rounding is the model's."""
    distances = logits.astype(np.float64) - float(logits.max())
    return (distances - np.log(np.exp(distances).sum())).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Way:
    """How a text is decoded: how much of it goes into each batch, how many other sequences have a
    row there, and how many cells before its own are freed when half of the prompt is decoded. The
    other half is then put there, and attention adds up in the order of cells."""

    prompt_rows: int
    answer_rows: int
    beside: int
    freed: int


# As an engine would: alone, in small pieces, with guesses; alone, where others left room; among
# others, with small and large pieces, guesses, and room that was left.
WAYS = (
    Way(16, 3, 0, 0),
    Way(10_000, 1, 0, 50),
    Way(48, 1, 3, 200),
    Way(7, 2, 6, 100),
    Way(32, 1, 2, 17),
)


class Company:
    """A context of nine sequences: one that is looked at, others that keep it company, and one that
    lies before it for a while."""

    OTHERS = 7
    # Tokens after which one of the others begins anew.
    LONGEST = 50
    LYING = 1 + OTHERS

    def __init__(self, shape: Shape) -> None:
        model = Model(shape.path, log=LOG, on_progress=lambda _: None)
        self._n_batch = shape.n_batch
        self._capacity = shape.n_batch + self.OTHERS
        self._context = Context(
            model,
            ContextShape(
                n_ctx=2 * shape.n_ctx,
                n_batch=self._capacity,
                n_ubatch=self._capacity,
                n_seq_max=2 + self.OTHERS,
                n_threads=1,
                n_outputs_max=self._capacity,
                swa_full=shape.swa_full,
            ),
            LOG,
        )
        self.model = model
        self._lengths = [0] * self.OTHERS

    def close(self) -> None:
        lib.llama_free(self._context.handle)

    def follow(self, prompt: Sequence[int], answer: Sequence[int], way: Way) -> Rows:
        """What `Plain.follow` gives, computed in that way."""
        tokens = [*prompt, *answer]
        # Ends of the batches.
        step = min(way.prompt_rows, self._n_batch)
        ends = [*range(step, len(prompt), step), len(prompt)]
        ends += [*range(len(prompt) + way.answer_rows, len(tokens), way.answer_rows), len(tokens)]
        half = len(prompt) // 2 if way.freed else 0
        self._clear()
        self._lie_before(way.freed)
        found = []
        for begin, end in itertools.pairwise(sorted({0, half, *ends})):
            if begin == half:
                self._context.forget(self.LYING)
            outputs = min(end - begin, max(0, end - len(prompt) + 1))
            self._decode(begin, tokens[begin:end], outputs, way.beside)
            last = way.beside + end - begin
            found += [self._row(row) for row in range(last - outputs, last)]
        return np.stack(found)

    def _clear(self) -> None:
        for sequence in range(2 + self.OTHERS):
            self._context.forget(sequence)
        self._lengths = [0] * self.OTHERS

    def _lie_before(self, cells: int) -> None:
        for at in range(0, cells, self._n_batch):
            batch = Batch(self._capacity)
            tokens = range(300 + at, 300 + min(at + self._n_batch, cells))
            batch.add(self.LYING, at, tokens, output_last=False)
            assert self._context.decode(batch) is DecodeResult.OK

    def _decode(self, at: int, tokens: list[int], outputs: int, beside: int) -> None:
        batch = Batch(self._capacity)
        # Before the rows that are looked at, as what generates comes before what is prefilled:
        # which kernel computes a row depends on its place, too.
        for other in range(beside):
            if self._lengths[other] == self.LONGEST:
                self._context.forget(1 + other)
                self._lengths[other] = 0
            length = self._lengths[other]
            batch.add(1 + other, length, [300 + (7 * other + length) % 200], output_last=True)
            self._lengths[other] += 1
        batch.add(0, at, tokens, output_last=outputs > 0)
        if outputs > 1:
            batch.output_all(outputs)
        assert self._context.decode(batch) is DecodeResult.OK

    def _row(self, row: int) -> Rows:
        values = lib.llama_get_logits_ith(self._context.handle, row)
        return log_softmax(np.ctypeslib.as_array(values, (self.model.n_vocab,)))


def distance(a: Rows, b: Rows) -> float:
    """Between two rows."""
    ids = np.union1d(likeliest(a), likeliest(b))
    return float(np.abs(a[ids] - b[ids]).max())


def likeliest(row: Rows) -> npt.NDArray[np.intp]:
    """The ids of the `TOP` likeliest tokens, likeliest first."""
    ids = np.argpartition(-row, TOP)[:TOP]
    return ids[np.argsort(-row[ids], kind="stable")]


@dataclass(frozen=True, slots=True)
class Compared:
    """Some answers beside plain llama.cpp: `greatest` distance, how many places were compared, and
    in how many of them the likeliest token leads by more than noise."""

    greatest: float
    places: int
    clear: int


class Parity:
    """Plain llama.cpp for one model, the noise it has, and the judge of the engine's answers."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.plain = Plain(shape)
        self._company = Company(shape)
        # The greatest distance that batch shape alone makes; grows with each `measure`.
        self.noise = LEAST_NOISE
        # By prompt and answer: most of the engine's answers are the same every time.
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], Rows] = {}
        self._spelled: dict[bytes, list[int]] = defaultdict(list)
        for token in range(self.plain.n_vocab):
            self._spelled[self._company.model.spelling(token)].append(token)

    def close(self) -> None:
        self.plain.close()
        self._company.close()

    @property
    def bound(self) -> float:
        """How far apart two computations of the same may be."""
        return HEADROOM * self.noise

    def measure(
        self, prompts: Iterable[Sequence[int]], count: int, ways: Sequence[Way] = WAYS
    ) -> None:
        """Answer the prompts and compute those answers in other ways: the noise."""
        for prompt in prompts:
            answer, rows = self.plain.answer(prompt, count)
            self._known[tuple(prompt), tuple(answer)] = rows
            found = [rows, *(self._company.follow(prompt, answer, way) for way in ways)]
            for one, other in itertools.combinations(found, 2):
                self.noise = max(self.noise, *map(distance, one, other))

    def token(self, piece: bytes) -> int:
        """The token of that spelling."""
        (found,) = self._spelled[piece]
        return found

    def follow(self, prompt: Sequence[int], answer: Sequence[int]) -> Rows:
        """`Plain.follow`, computed once."""
        key = tuple(prompt), tuple(answer)
        if key not in self._known:
            self._known[key] = self.plain.follow(prompt, answer)
        return self._known[key]

    def judge(self, answers: Iterable[tuple[Sequence[int], Said]]) -> Compared:
        """Fails unless every answer to its prompt is plain llama.cpp's, up to noise: its
        log-probabilities in every place, its tokens wherever the likeliest leads clearly."""
        greatest, places, clear = 0.0, 0, 0
        for prompt, said in answers:
            assert said.tokens or said.reason == "stop"
            assert len(said.tokens) == len(said.logprobs)
            rows = self.follow(prompt, said.tokens)
            for row, token, score in zip(rows, said.tokens, said.logprobs, strict=False):
                apart = self._apart(row, token, score)
                assert apart <= self.bound, (
                    f"token {places} is {apart} off, of a noise of {self.noise}",
                    said,
                )
                greatest = max(greatest, apart)
                places += 1
                clear += self._is_right(row, token)
            if said.reason == "stop":
                # The end is a token too, which no client gets to see.
                best, second = likeliest(rows[-1])[:2]
                is_clear = bool(rows[-1][best] - rows[-1][second] > self.bound)
                assert self.plain.ends(int(best)) or not is_clear, "it stopped too early"
                places += 1
                clear += is_clear
        return Compared(greatest, places, clear)

    def _apart(self, row: Rows, token: int, score: TokenLogprob) -> float:
        """`distance`, where of the engine's side only the top is known, and that by spelling."""
        assert token in self._spelled[score.piece]
        assert len(score.top) == TOP
        found = [abs(score.logprob - float(row[token]))]
        named = set()
        for other in score.top:
            ids = self._spelled[other.piece]
            nearest = min(ids, key=lambda id_: abs(other.logprob - float(row[id_])))
            found.append(abs(other.logprob - float(row[nearest])))
            named.add(nearest)
        # What the engine does not name is no likelier there than the last it does.
        least = min(other.logprob for other in score.top)
        found += [float(row[id_]) - least for id_ in likeliest(row) if int(id_) not in named]
        return max(found)

    def _is_right(self, row: Rows, token: int) -> bool:
        """Whether the choice was clear; then it must be this one."""
        best, second = likeliest(row)[:2]
        is_clear = bool(row[best] - row[second] > self.bound)
        assert token == best or not is_clear, f"{token} instead of {best}"
        return is_clear


class AlwaysOn(Payoff):
    """Guesses whatever it costs: what pays depends on the machine, and on what else it does."""

    @property
    def is_on(self) -> bool:
        """Yes."""
        return True


def guess_always(run: EngineRun) -> None:
    """No step of the engine goes without an attempt to guess."""
    assert run.engine._guesser is not None
    run.engine._guesser._payoff = AlwaysOn()


class Watch:
    """What an engine decodes, batch by batch; and requests that come in the middle of it."""

    def __init__(self, run: EngineRun) -> None:
        # The sequence of each row.
        self.batches: list[tuple[int, ...]] = []
        self._run = run
        # Of whoever plays: what begins next, and after how many batches.
        self._arrivals: deque[tuple[int, Callable[[], None]]] = deque()
        context = run.engine._context
        self._decode = context.decode
        # The engine calls it through its context.
        context.decode = self.decode  # type: ignore[method-assign]

    def decode(self, batch: Batch) -> DecodeResult:
        """In place of the context's."""
        result = self._decode(batch)
        assert result is DecodeResult.OK, result
        self.batches.append(tuple(batch._seq[: batch.size].tolist()))
        while self._arrivals and self._arrivals[0][0] <= len(self.batches):
            self._arrivals.popleft()[1]()
        return result

    def play(self, prompts: Sequence[Prompt], counts: Sequence[int], gap: int) -> list[Answered]:
        """Ask one after another, each `gap` batches after the one before it: the engine itself
        counts, so that they meet however slow the rest is."""
        numbers: list[int] = []

        def arrive(prompt: Prompt, count: int) -> None:
            numbers.append(self._run.begin(prompt, count, answer=SCORED))

        start = len(self.batches)
        for at, (prompt, count) in enumerate(zip(prompts, counts, strict=True)):
            begin = functools.partial(arrive, prompt, count)
            self._arrivals.append((start + gap * at, begin))
        answers = []
        for at in range(len(prompts)):
            if at == len(numbers):
                # All before it have ended, and nothing is decoded that could count.
                self._arrivals.popleft()[1]()
            answers.append(self._run.result(numbers[at]))
        return answers

    @property
    def rows(self) -> int:
        """Of all batches."""
        return sum(len(batch) for batch in self.batches)

    @property
    def widest(self) -> int:
        """The most sequences in one batch."""
        return max(len(set(batch)) for batch in self.batches)
