"""Whatever way a prompt takes through the engine, the answer is plain llama.cpp's.

Every path of the prefix cache, every batch size, choices that part, guesses ahead: on the trained
tiny model, and on untrained ones of each kind of memory, whose weights are float32 and whose noise
is therefore a hundredth of the trained one's. Each test also proves that its path was taken.

Measured on a Xeon with AVX-512: the noise that batch shape alone causes, and how far the engine was
from plain llama.cpp at most, on all paths together, in natural log-probability.

                     noise     engine
    tiny             0.89      0.42
    llama            0.040     0.040
    moe              0.037     0.019
    swa              0.029     0.026
    swa, windowed    0.028     0.026
    mamba            0.00001   0.00001
    hybrid           0.021     0.010

A token lost, wrong or there twice is 0.1 to 13 off.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import random_gguf
from harness.engine import PATIENCE, Answered, EngineRun, Said
from harness.parity import SCORED, Parity, Shape, Watch, distance, guess_always
from harness.parity_prompts import CODE, RULES, STORY, TABLE, chat, plain
from harness.random_gguf import HYBRID, LLAMA, MAMBA, MOE, SWA, Kind
from kronk.shared.errors import ModelFailed
from kronk.shared.wire.loading import (
    CacheSpec,
    ContextSpec,
    LoadSpec,
    PlacementSpec,
    SpeculationSpec,
)
from kronk.shared.wire.values import Prompt
from kronk.worker.engine.engine import Credit

MODELS = Path(__file__).parents[1] / "models"
TINY, TINY_F16 = MODELS / "tiny-chat-q8_0.gguf", MODELS / "tiny-chat-f16.gguf"
# Long enough for a slot to hold more than the sliding window, short enough for a test.
COUNT = 12
N_BATCH = 64
# What a second prompt goes on with.
MORE = "<|im_end|>\n<|im_start|>user\nCount from 1 to 50<|im_end|>\n<|im_start|>assistant\n"
OFF = CacheSpec(mode="off")
AUTOMATIC = CacheSpec(min_tokens=8)
NGRAM = SpeculationSpec(mode="ngram", draft_max=8, ngram_size=1)


@dataclass(frozen=True, slots=True)
class Setup:
    """A model and its memory; `kind` is None for the trained one."""

    name: str
    kind: Kind | None
    swa_full: bool = True

    @property
    def is_recurrent(self) -> bool:
        return self.kind in (MAMBA, HYBRID)

    @property
    def is_rigid(self) -> bool:
        """Of a sequence only the whole can be had, or nearly."""
        return self.is_recurrent or not self.swa_full


SETUPS = (
    Setup("tiny", None),
    Setup("llama", LLAMA),
    Setup("moe", MOE),
    Setup("swa", SWA),
    Setup("swa-windowed", SWA, swa_full=False),
    Setup("mamba", MAMBA),
    Setup("hybrid", HYBRID),
)


class Case:
    """A setup, plain llama.cpp for it, and engines."""

    def __init__(self, setup: Setup, path: Path) -> None:
        self.setup = setup
        self.path = path
        self.parity = Parity(Shape(path, n_batch=N_BATCH, swa_full=setup.swa_full))

    def spec(self, slots: int, **changes: Any) -> LoadSpec:
        spec = LoadSpec(
            self.setup.name,
            str(self.path),
            context=ContextSpec(
                window=1024,
                slots=slots,
                n_batch=N_BATCH,
                n_ubatch=N_BATCH,
                n_threads=1,
                swa_full=self.setup.swa_full,
            ),
            placement=PlacementSpec(n_gpu_layers=0),
            cache=AUTOMATIC,
        )
        return dataclasses.replace(spec, **changes)

    def tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self.parity.plain.tokens(plain(text)))

    def on(self, prompt: Sequence[int], said: Said) -> tuple[int, ...]:
        """A prompt that goes on from an answer."""
        return (*prompt, *said.tokens, *self.tokens(MORE))

    def judge(self, *answers: tuple[Sequence[int], Answered]) -> None:
        said = [(prompt, one) for prompt, answered in answers for one in answered.choices]
        compared = self.parity.judge(said)
        assert compared.places >= len(said)
        assert compared.clear > 0


def ask(run: EngineRun, tokens: Sequence[int], count: int = COUNT, **options: Any) -> Answered:
    return run.ask(Prompt(tokens=tuple(tokens)), count, **({"answer": SCORED} | options))


@pytest.fixture(scope="module", params=SETUPS, ids=lambda setup: setup.name)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    setup: Setup = request.param
    path = TINY
    if setup.kind is not None:
        path = tmp_path_factory.mktemp("random") / "model.gguf"
        random_gguf.write(path, setup.kind)
    case = Case(setup, path)
    texts = [case.tokens(text) for text in (STORY, TABLE, CODE + MORE, MORE)]
    case.parity.measure(texts, COUNT)
    yield case
    case.parity.close()


Start = Callable[..., EngineRun]


@pytest.fixture
def start(case: Case) -> Iterator[Start]:
    """Engines; each ends with nothing left in it."""
    started: list[EngineRun] = []

    def start(slots: int, **changes: Any) -> EngineRun:
        started.append(EngineRun(case.spec(slots, **changes)))
        return started[-1]

    yield start
    for run in started:
        run.stop_all()


def assert_cached(answered: Answered, source: str, tokens: int) -> None:
    assert answered.timings.cache.startswith(source), answered.timings.cache
    assert answered.usage.cached_tokens == tokens, answered.timings.cache


def test_a_fault_is_farther_off_than_any_noise(case: Case) -> None:
    """What the other tests are for: a lost token, a wrong one, one that is there twice."""
    tokens = case.tokens(STORY)
    answer, rows = case.parity.plain.answer(tokens, COUNT)
    at = len(tokens) - 40
    for faulty in (
        (*tokens[:at], *tokens[at + 1 :]),
        (*tokens[:at], tokens[at + 1], *tokens[at + 1 :]),
        (*tokens[: at + 1], *tokens[at:]),
    ):
        found = case.parity.plain.follow(faulty, answer)
        assert max(map(distance, rows, found)) > case.parity.bound


def test_without_a_cache(case: Case, start: Start) -> None:
    run = start(1, cache=OFF)
    for text in (STORY, CODE, TABLE, STORY):
        tokens = case.tokens(text)
        answered = ask(run, tokens)
        assert_cached(answered, "off", 0)
        case.judge((tokens, answered))


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize("cache", [OFF, AUTOMATIC], ids=["off", "automatic"])
def test_in_a_batch_that_others_join_and_leave(
    case: Case, start: Start, size: int, cache: CacheSpec
) -> None:
    run = start(8, cache=cache)
    watch = Watch(run)
    prompts = [chat(f"Count from {n} to 50") for n in range(1, 1 + size)]
    answers = watch.play(prompts, [20 + n for n in range(size)], gap=2)
    assert watch.widest == size
    case.judge(*zip(map(case.parity.plain.tokens, prompts), answers, strict=True))


def test_on_from_what_a_slot_retains(case: Case, start: Start) -> None:
    run = start(2)
    tokens = case.tokens(STORY)
    first = ask(run, tokens)
    assert_cached(first, "no entry", 0)
    longer = case.on(tokens, first.choices[0])
    # The last token of an answer is never decoded.
    second = ask(run, longer)
    assert_cached(second, "retained", len(tokens) + first.usage.completion_tokens - 1)
    case.judge((tokens, first), (longer, second))


def test_the_same_again_from_what_a_slot_retains(case: Case, start: Start) -> None:
    run = start(2)
    tokens = case.tokens(TABLE)
    ask(run, tokens)
    again = ask(run, tokens)
    if case.setup.is_recurrent:
        assert_cached(again, "rigid memory", 0)
    else:
        # One token is left to decode, for its logits.
        assert_cached(again, "retained", len(tokens) - 1)
    case.judge((tokens, again))


def test_where_two_prompts_part(case: Case, start: Start) -> None:
    run = start(1)
    first = case.tokens(TABLE)
    second = (*first[:100], *case.tokens(CODE))
    ask(run, first)
    answered = ask(run, second)
    if case.setup.is_rigid:
        # Cut back to there, it would answer garbage.
        assert_cached(answered, "rigid memory", 0)
    else:
        assert_cached(answered, "retained", common(first, second))
    case.judge((second, answered))


def test_beside_a_stream_that_it_is_copied_from(case: Case, start: Start) -> None:
    run = start(2)
    tokens = case.tokens(STORY)
    # A client that does not read: its slot stays busy, and stands still.
    window = 5
    paused = run.begin(Prompt(tokens=tokens), 2 * COUNT, answer=SCORED, window=window)
    deltas = [run.delta(paused) for _ in range(window)]
    said = tuple(token for delta in deltas for token in delta.tokens)
    longer = (*tokens, *said, *case.tokens(MORE))
    second = ask(run, longer)
    assert_cached(second, "busy", len(tokens) + len(said) - 1)
    # The one it was copied from goes on unharmed.
    run.engine.tell(Credit(paused, 1000))
    for delta in reversed(deltas):
        run.events[paused].queue.appendleft(delta)
    case.judge((tokens, run.result(paused)), (longer, second))


def test_on_from_a_state_in_memory(case: Case, start: Start) -> None:
    run = start(1)
    tokens, other = case.tokens(TABLE), case.tokens(CODE)
    first = ask(run, tokens)
    between = ask(run, other)
    longer = case.on(tokens, first.choices[0])
    second = ask(run, longer)
    assert_cached(second, "stored", len(tokens) + first.usage.completion_tokens - 1)
    case.judge((tokens, first), (other, between), (longer, second))


def test_on_from_a_state_on_disk(case: Case, start: Start, tmp_path: Path) -> None:
    cache = dataclasses.replace(AUTOMATIC, disk_bytes=10**9, directory=str(tmp_path / "cache"))
    run = start(2, cache=cache)
    tokens = case.tokens(TABLE)
    first = ask(run, tokens)
    disk = run.engine._prefixes._disk
    assert disk is not None
    assert disk.flush(PATIENCE)
    # Another engine, with nothing in memory.
    later = start(2, cache=cache)
    longer = case.on(tokens, first.choices[0])
    second = ask(later, longer)
    assert_cached(second, "disk", len(tokens) + first.usage.completion_tokens - 1)
    case.judge((tokens, first), (longer, second))


def test_a_system_prompt_outlives_what_was_asked_with_it(case: Case, start: Start) -> None:
    system = RULES + " " + STORY
    questions = [chat(text, system=system) for text in ("Why?", "Who rang the bell?", "Hm.")]
    cache = dataclasses.replace(AUTOMATIC, mode="system")
    prompts = [case.parity.plain.tokens(prompt) for prompt in questions]
    # Room for that one state, and for no other beside it.
    probe = start(1, cache=cache)
    probe.ask(questions[0], COUNT)
    (kept,) = [entry for entry in probe.engine._prefixes._store.entries() if entry.pin]
    run = start(1, cache=dataclasses.replace(cache, ram_bytes=kept.size + 1000))
    for at, (question, prompt) in enumerate(zip(questions, prompts, strict=True)):
        answered = run.ask(question, COUNT, answer=SCORED)
        if at == 0:
            assert_cached(answered, "no entry", 0)
        else:
            whole = common(prompts[0], prompt)
            assert answered.timings.cache.startswith("stored"), answered.timings.cache
            assert whole - 5 <= answered.usage.cached_tokens <= whole
        case.judge((prompt, answered))
        # Takes the only slot.
        other = case.tokens(CODE)
        case.judge((other, ask(run, other)))


def test_a_session_goes_on_from_its_last_turn(case: Case, start: Start) -> None:
    cache = dataclasses.replace(AUTOMATIC, mode="incremental", max_sessions=2)
    run = start(1, cache=cache)
    turns: dict[str, list[str]] = {"ann": [STORY + "Why?"], "bob": [CODE + "What is it?"]}
    cached: list[int] = []
    for _ in range(3):
        for session, said in turns.items():
            question = chat(*said, system=RULES, session=session)
            answered = run.ask(question, COUNT, answer=SCORED)
            case.judge((case.parity.plain.tokens(question), answered))
            cached.append(answered.usage.cached_tokens)
            if len(cached) > 2:
                assert answered.timings.cache.startswith("stored"), answered.timings.cache
                assert answered.usage.cached_tokens > 100
            said += [answered.text, "And then?"]
    assert sorted(cached[::2]) == cached[::2]
    assert sorted(cached[1::2]) == cached[1::2]


def common(a: Sequence[int], b: Sequence[int]) -> int:
    pairs = zip(a, b, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


@pytest.mark.parametrize("slots", [4, 2])
def test_choices_of_one_prefill(case: Case, start: Start, slots: int) -> None:
    """With too few slots some come later, and start from what the others left."""
    run = start(slots)
    watch = Watch(run)
    tokens = case.tokens(STORY)
    answered = ask(run, tokens, answer=dataclasses.replace(SCORED, choices=3))
    assert len(answered.choices) == 3
    assert answered.usage.prompt_tokens == len(tokens)
    once = len(tokens) + 3 * (COUNT - 1)
    if slots >= 3:
        assert watch.rows <= once
    elif not case.setup.is_rigid:
        # The prompt's last token is decoded again for its logits.
        assert watch.rows <= once + 1
    case.judge((tokens, answered))


def draft_of(case: Case) -> SpeculationSpec:
    """The same model in other precision, or the very same: guesses that are mostly right."""
    path = TINY_F16 if case.setup.kind is None else case.path
    return SpeculationSpec("draft", "draft", str(path), draft_max=6, draft_p_min=0.0)


@pytest.mark.parametrize("mode", ["ngram", "draft"])
def test_with_guesses(case: Case, start: Start, mode: str) -> None:
    guesses = NGRAM if mode == "ngram" else draft_of(case)
    if case.setup.is_rigid:
        with pytest.raises(ModelFailed, match="cannot be taken back"):
            start(4, speculation=guesses)
        return
    run = start(4, speculation=guesses)
    guess_always(run)
    watch = Watch(run)
    texts = (TABLE, CODE, STORY, "1, 2, 3, 1, 2, 3, 1, 2, 3,")
    prompts = [case.tokens(text) for text in texts]
    alone = [(tokens, ask(run, tokens)) for tokens in prompts]
    assert alone[0][1].timings.drafted > 0
    # Each slot's sequence was cut back behind its guesses, and is gone on from.
    longer = [case.on(tokens, answered.choices[0]) for tokens, answered in alone]
    asked = [Prompt(tokens=tokens) for tokens in longer]
    together = list(zip(longer, watch.play(asked, [COUNT] * len(asked), gap=1), strict=True))
    for tokens, (_, answered) in zip(prompts, together, strict=True):
        assert answered.usage.cached_tokens >= len(tokens)
    # Right guesses end the first answers early.
    assert watch.widest > 1
    every = [answered for _, answered in (*alone, *together)]
    assert sum(answered.timings.drafted for answered in every) > 10
    if mode == "draft":
        assert sum(answered.timings.accepted for answered in every) > 10
    case.judge(*alone, *together)
