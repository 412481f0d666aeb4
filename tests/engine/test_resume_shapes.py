"""Answers resumed as in life: other batches, caches, guesses, images, memories, and company.

What the shape of a batch does to logits moves no choice where the margin is wide: greedy answers of
the tiny model's frozen prompts, the counting model's, and what is drawn cold from such rows. Where
margins are not, rows are decoded one at a time as in `test_resume.py`.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import counting_model, random_gguf
from harness.engine import GREEDY, EngineRun
from harness.media_files import png, wav
from harness.random_gguf import KINDS, Kind
from harness.resuming import Ask, assert_same, resume, transcript, whole
from kronk.shared.errors import ModelCrashed
from kronk.shared.wire.loading import (
    CacheMode,
    CacheSpec,
    ContextSpec,
    LoadSpec,
    PlacementSpec,
    SpeculationSpec,
)
from kronk.shared.wire.to_gateway import Done, Failed, Finished, Silent
from kronk.shared.wire.to_worker import Resumed
from kronk.shared.wire.values import Answer, Constraint, Media, Prompt, Sampling
from kronk.worker.engine.commands import Cancel, Credit

MODELS = Path(__file__).parents[1] / "models"
TINY = LoadSpec(
    "tiny",
    str(MODELS / "tiny-chat-q8_0.gguf"),
    projector=str(MODELS / "tiny-mmproj-f16.gguf"),
    context=ContextSpec(window=1024, slots=4, n_threads=1),
    placement=PlacementSpec(n_gpu_layers=0),
    cache=CacheSpec(min_tokens=8),
)
NGRAM = SpeculationSpec(mode="ngram", draft_max=8, ngram_size=2)
DRAFT = SpeculationSpec(
    mode="draft",
    draft_model="tiny-f16",
    draft_path=str(MODELS / "tiny-chat-f16.gguf"),
    draft_max=6,
    draft_p_min=0.5,
)
COUNT = "Count from 1 to 50"
# A token by which the tiny model ends its answers.
END = 2
# Frozen, with wide margins.
PROMPTS = (
    "Hello!",
    "Echo back the word: Gorilla",
    "What is the capital of France?",
    "Give me JSON for a person called Alice aged 30.",
)

Start = Callable[[LoadSpec], EngineRun]


@pytest.fixture
def start() -> Iterator[Start]:
    runs: list[EngineRun] = []

    def begin(spec: LoadSpec) -> EngineRun:
        runs.append(EngineRun(spec))
        return runs[-1]

    yield begin
    for run in runs:
        run.stop_all()


@pytest.fixture(scope="module")
def tiny() -> Iterator[EngineRun]:
    run = EngineRun(TINY)
    yield run
    run.stop_all()


def cuts(title: object, events: list[Any], count: int) -> list[int]:
    dice = random.Random(str(title))
    return sorted({len(events) - 1, *(dice.randrange(len(events)) for _ in range(count))})


@pytest.mark.parametrize("prompt", PROMPTS)
def test_with_caches_and_prompts_read_in_batches(tiny: EngineRun, prompt: str) -> None:
    ask = Ask(prompt, 100)
    events = tiny.record(ask.begin(tiny))
    uncut = whole(events)
    for at in cuts(prompt, events, 12):
        again = resume(tiny, ask, events, at)
        assert_same(again, uncut)
        assert again.usage.cached_tokens <= again.usage.prompt_tokens


@pytest.mark.parametrize("guessing", [NGRAM, DRAFT], ids=["ngram", "draft"])
@pytest.mark.parametrize(
    "sampling", [GREEDY, Sampling(temperature=0.4, top_k=20, seed=7)], ids=["greedy", "seeded"]
)
def test_where_tokens_are_guessed(
    start: Start, guessing: SpeculationSpec, sampling: Sampling
) -> None:
    run = start(dataclasses.replace(TINY, projector=None, speculation=guessing))
    ask = Ask(COUNT, 80, sampling)
    events = run.record(ask.begin(run))
    accepted = 0
    for at in cuts(guessing, events, 12):
        again = resume(run, ask, events, at)
        assert_same(again, whole(events))
        accepted += again.timings.accepted
    assert accepted > 0


def test_several_at_once(tiny: EngineRun) -> None:
    asks = [Ask(prompt, 60) for prompt in PROMPTS]
    known = [tiny.record(ask.begin(tiny)) for ask in asks]
    numbers = []
    for at, (ask, events) in enumerate(zip(asks, known, strict=True)):
        numbers.append(ask.begin(tiny, transcript(events[: 3 * at + 5]).resumed()))
    for number, events in zip(numbers, known, strict=True):
        assert_same(whole(tiny.record(number)), whole(events))


def test_choices_that_have_come_differently_far(tiny: EngineRun) -> None:
    ask = Ask(PROMPTS[2], 60, answer=Answer(choices=4))
    events = tiny.record(ask.begin(tiny))
    uncut = whole(events)
    ids = tuple(uncut.choices[0].ids)
    resumed = (
        Resumed(0, ids, finished=True),
        Resumed(1, ids[:7]),
        Resumed(3, ids),
    )
    again = tiny.record(ask.begin(tiny, resumed))
    ended = [event.choice for event in again if isinstance(event, Finished)]
    assert sorted(ended) == [1, 2, 3]
    assert not any(event.choice == 0 for event in again[:-1])
    usage = again[-1].usage
    assert usage.completion_tokens == uncut.usage.completion_tokens
    assert usage.reasoning_tokens == uncut.usage.reasoning_tokens
    # The prompt was read once: the others took it over.
    assert usage.prompt_tokens == uncut.usage.prompt_tokens


def test_a_request_of_which_only_the_end_was_lost_ends(tiny: EngineRun) -> None:
    ask = Ask(PROMPTS[0], 12, answer=Answer(choices=2))
    uncut = whole(tiny.record(ask.begin(tiny)))
    said = [tuple(choice.ids) for choice in uncut.choices]
    finished = tuple(Resumed(n, ids, finished=True) for n, ids in enumerate(said))
    (done,) = tiny.record(ask.begin(tiny, finished))
    assert done.usage.completion_tokens == uncut.usage.completion_tokens
    # All tokens of it, and no end yet.
    begun = tuple(Resumed(n, ids) for n, ids in enumerate(said))
    assert_same(whole(tiny.record(ask.begin(tiny, begun))), uncut)


def test_no_more_deltas_are_sent_again_than_the_client_has_room_for(tiny: EngineRun) -> None:
    ask = Ask(COUNT, 60)
    events = tiny.record(ask.begin(tiny))
    number = ask.begin(tiny, transcript(events[:30]).resumed(), window=4)
    heard: list[Any] = []
    while not heard or not isinstance(heard[-1], Done):
        for _ in range(4):
            heard.append(tiny.next(number))
            while isinstance(heard[-1], Silent):
                heard.append(tiny.next(number))
            if isinstance(heard[-1], Finished):
                break
        if isinstance(heard[-1], Finished):
            heard.append(tiny.next(number))
        else:
            # Silent tokens and ends are free; else there is nothing more without credit.
            assert tiny.events[number].empty()
            tiny.engine.tell(Credit(number, 4))
    assert_same(whole(heard), whole(events))


def test_a_client_that_goes_while_it_is_told_again_frees_the_slot(tiny: EngineRun) -> None:
    ask = Ask(COUNT, 60)
    events = tiny.record(ask.begin(tiny))
    number = ask.begin(tiny, transcript(events[:40]).resumed(), window=1)
    tiny.delta(number)
    tiny.engine.tell(Cancel(number))
    assert_same(whole(tiny.record(ask.begin(tiny))), whole(events))
    assert tiny.engine.busy_slots == 0


def test_a_new_process_has_it_from_disk(start: Start, tmp_path: Path) -> None:
    cache = CacheSpec(min_tokens=8, disk_bytes=1 << 28, directory=str(tmp_path))
    spec = dataclasses.replace(TINY, projector=None, cache=cache)
    first = start(spec)
    ask = Ask(COUNT, 60)
    events = first.record(ask.begin(first))
    first.loaded.close()
    later = start(spec)
    again = resume(later, ask, events, 40)
    assert_same(again, whole(events))
    assert again.usage.cached_tokens == again.usage.prompt_tokens
    assert again.timings.cache.startswith("disk")


def test_a_model_that_counts_goes_on_counting(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "counting.gguf"
    counting_model.write(path)
    run = start(dataclasses.replace(TINY, path=str(path), projector=None))
    ask = Ask("Count on from 7", 300)
    events = run.record(ask.begin(run))
    assert whole(events).text == counting_model.counted(7, 300)
    for at in (1, 2, 99, 100, 298, 299, 300, 301):
        assert_same(resume(run, ask, events, at), whole(events))


MEMORIES = [(kind, True) for kind in KINDS] + [(kind, False) for kind in KINDS if kind.window]


@pytest.mark.parametrize(
    ("kind", "swa_full"), MEMORIES, ids=[f"{kind.name}-{full}" for kind, full in MEMORIES]
)
@pytest.mark.parametrize("mode", ["off", "automatic"])
def test_every_kind_of_memory(
    start: Start, tmp_path: Path, kind: Kind, swa_full: bool, mode: CacheMode
) -> None:
    path = tmp_path / "model.gguf"
    random_gguf.write(path, kind)
    context = ContextSpec(
        window=256, slots=1, n_batch=1, n_ubatch=1, n_threads=1, swa_full=swa_full
    )
    cache = CacheSpec(mode=mode, min_tokens=6)
    run = start(
        dataclasses.replace(TINY, path=str(path), projector=None, context=context, cache=cache)
    )
    prompt = Prompt(tokens=tuple(range(300, 330)))
    for sampling in (GREEDY, Sampling(temperature=1.0, top_k=0, top_p=1.0, seed=9)):
        endless = dataclasses.replace(sampling, ignore_eos=True)
        ask = Ask(prompt, 70, endless)
        events = run.record(ask.begin(run))
        for at in cuts(kind.name, events, 5):
            assert_same(resume(run, ask, events, at), whole(events))


def seen(*parts: str | bytes) -> Prompt:
    content: list[dict[str, object]] = []
    media: list[Media] = []
    for at, part in enumerate(parts):
        if isinstance(part, str):
            content.append({"type": "text", "text": part})
        else:
            kind = "audio" if part[:4] == b"RIFF" else "image"
            content.append({"type": kind, "media": len(media)})
            media.append(Media(kind, part, f"messages[0].content[{at}]"))
    message = {"role": "user", "content": content}
    return Prompt((message,), media=tuple(media), enable_thinking=False)


@pytest.mark.parametrize(
    ("file", "question"),
    [(png(220, 30, 30), "What color is this image?"), (wav(200, 1.0), "What do you hear?")],
    ids=["image", "sound"],
)
def test_an_image_or_a_recording_is_read_again(tiny: EngineRun, file: bytes, question: str) -> None:
    ask = Ask(seen(file, question), 40)
    events = tiny.record(ask.begin(tiny))
    for at in range(len(events)):
        assert_same(resume(tiny, ask, events, at), whole(events))


# What cannot be gone on with.


def refused(run: EngineRun, ask: Ask, *resumed: Resumed) -> Failed:
    event = run.next(ask.begin(run, resumed))
    assert isinstance(event, Failed)
    return event


JSON = Answer(constraint=Constraint("json_object", "", "response_format"))
OFF = Prompt(({"role": "user", "content": "Hello!"},), enable_thinking=False)


@pytest.mark.parametrize(
    ("ask", "said", "why"),
    [
        (Ask(OFF, 60, answer=JSON), "so it goes", "grammar does not allow"),
        (Ask("Hello!", 60, answer=Answer(thinking_budget=0)), "<think>so", "had to be written"),
        (Ask(OFF, 60, stop=("a",)), "a b c d", "it was complete"),
    ],
    ids=["grammar", "thinking", "stop"],
)
def test_an_answer_that_cannot_have_been_given_is_refused(
    tiny: EngineRun, ask: Ask, said: str, why: str
) -> None:
    failed = refused(tiny, ask, Resumed(0, tuple(tiny.loaded.model.tokenize_part(said))))
    assert failed.code == "model_crashed"
    assert why in failed.message
    tiny.settle()
    assert tiny.engine.busy_slots == 0


@pytest.mark.parametrize(
    ("resumed", "why"),
    [
        ((Resumed(0, (400, -1)),), "token -1"),
        ((Resumed(0, (2048 + 7,)),), "token 2055"),
        ((Resumed(0, (END,)),), f"token {END}"),
        ((Resumed(0, (400,) * 31),), "31 tokens, where 30"),
        ((Resumed(2, (400,)),), "choice 2"),
        ((Resumed(1, (400,)), Resumed(1, (400,))), "choice 1"),
    ],
)
def test_what_no_answer_of_this_model_is_made_of_is_refused(
    tiny: EngineRun, resumed: tuple[Resumed, ...], why: str
) -> None:
    assert END in tiny.loaded.model.ends
    with pytest.raises(ModelCrashed, match=why):
        Ask("Hello!", 30, answer=Answer(choices=2)).begin(tiny, resumed)
