"""A prefix that was computed once is not computed again, and the answer stays what it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import random_gguf
from harness.engine import EngineRun
from harness.random_gguf import KINDS
from kronk.shared.wire.loading import CacheScope, CacheSpec, ContextSpec, LoadSpec, PlacementSpec
from kronk.shared.wire.values import Answer, Prompt
from kronk.worker.cache.memory import Memory

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
CACHE = CacheSpec(min_tokens=8)
LONG = "Echo back the word: Gorilla. " * 20


def spec(path: Path, slots: int = 2, **changes: object) -> LoadSpec:
    given = LoadSpec(
        "tiny",
        str(path),
        context=ContextSpec(window=1024, slots=slots, n_threads=1, swa_full=False),
        placement=PlacementSpec(n_gpu_layers=0),
        cache=CACHE,
    )
    return dataclasses.replace(given, **changes)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.architecture)
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("random") / "model.gguf"
    random_gguf.write(path, request.param)
    return path


@pytest.fixture
def tiny() -> Iterator[EngineRun]:
    run = EngineRun(spec(TINY))
    yield run
    run.stop_all()


def test_the_same_prompt_again_is_all_but_cached(tiny: EngineRun) -> None:
    first = tiny.ask(LONG, 20)
    again = tiny.ask(LONG, 20)
    assert first.usage.cached_tokens == 0
    assert first.timings.cache == "no entry"
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1
    assert again.timings.cache.startswith("retained")
    assert again.text == first.text


def test_a_conversation_goes_on_from_what_was_said(tiny: EngineRun) -> None:
    question = {"role": "user", "content": "Hello!"}
    first = tiny.ask(Prompt((question,), enable_thinking=False), 60)
    more = (question, {"role": "assistant", "content": first.text}, question)
    second = tiny.ask(Prompt(more, enable_thinking=False), 60)
    # All but the empty thinking, which the template leaves out of the history.
    assert second.usage.cached_tokens == first.usage.prompt_tokens - 4


def test_requests_that_run_at_the_same_time_share_a_prefix(tiny: EngineRun) -> None:
    alone = tiny.ask(LONG, 30)
    one, two = tiny.begin(LONG, 30), tiny.begin(LONG, 30)
    answers = tiny.result(one), tiny.result(two)
    assert [answer.text for answer in answers] == [alone.text] * 2
    assert all(answer.usage.cached_tokens for answer in answers)


def test_what_has_to_make_room_is_kept_in_memory_and_comes_back(tiny: EngineRun) -> None:
    texts = [f"Echo back the word: {word}. " * 15 for word in ("Gorilla", "Paris", "Alice", "Hi")]
    before = [tiny.ask(text, 20).text for text in texts]
    again = [tiny.ask(text, 20) for text in texts]
    assert [answer.text for answer in again] == before
    assert [answer.usage.cached_tokens for answer in again] == [
        answer.usage.prompt_tokens - 1 for answer in again
    ]
    assert "stored" in {answer.timings.cache.split(":")[0] for answer in again}


def test_several_choices_are_one_prefill(tiny: EngineRun) -> None:
    alone = tiny.ask(LONG, 20)
    answered = tiny.ask(LONG + "again", 20, answer=Answer(choices=2))
    assert len(answered.choices) == 2
    assert answered.choices[0].text == answered.choices[1].text
    assert alone.usage.prompt_tokens < answered.usage.prompt_tokens


def test_more_choices_than_slots_all_come(tiny: EngineRun) -> None:
    answered = tiny.ask(LONG, 10, answer=Answer(choices=5))
    assert [said.reason for said in answered.choices] == ["length"] * 5
    assert len({said.text for said in answered.choices}) == 1
    assert answered.usage.completion_tokens == 50


def test_no_cache_is_no_cache() -> None:
    run = EngineRun(spec(TINY, cache=CacheSpec(mode="off")))
    for _ in range(2):
        answered = run.ask(LONG, 5)
        assert (answered.usage.cached_tokens, answered.timings.cache) == (0, "off")
    run.stop_all()


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize(("scope", "is_shared"), [("shared", True), ("subject", False)])
def test_a_prompt_starts_from_its_own_subjects_prefixes_where_that_is_wanted(
    scope: CacheScope, is_shared: bool, slots: int
) -> None:
    run = EngineRun(spec(TINY, slots, cache=CacheSpec(min_tokens=8, scope=scope)))
    texts = set()
    # With one slot, what each has computed is saved for the next.
    for subject in ("ann", "bob", "", "ann", "bob", ""):
        answered = run.ask(LONG, 5, subject=subject)
        texts.add(answered.text)
        is_first = len(run.events) <= (1 if is_shared else 3)
        assert (answered.usage.cached_tokens == 0) is is_first
        if is_first:
            # Nothing is told of what others have.
            assert answered.timings.cache == "no entry"
    both = [run.begin(LONG + "more", 30, subject=subject) for subject in ("ann", "carl")]
    answers = [run.result(one) for one in both]
    assert [bool(one.usage.cached_tokens) for one in answers] == [True, is_shared]
    assert len(texts) == 1
    run.stop_all()


def test_every_kind_of_memory_answers_the_same_with_and_without_a_hit(kind: Path) -> None:
    run = EngineRun(spec(kind))
    words = [f"word{number} " for number in range(60)]
    history: tuple[dict[str, str], ...] = ({"role": "system", "content": "".join(words)},)
    cached = []
    for turn in range(4):
        history += ({"role": "user", "content": f"question {turn} " * 10},)
        warm = run.ask(Prompt(history), 12)
        cold = EngineRun(spec(kind, cache=CacheSpec(mode="off")))
        assert cold.ask(Prompt(history), 12).text == warm.text, (turn, warm.timings.cache)
        cold.stop_all()
        cached.append(warm.usage.cached_tokens)
        history += ({"role": "assistant", "content": "an answer of somebody else"},)
    assert cached[0] == 0
    assert all(cached[1:]), cached
    run.stop_all()


def test_what_is_on_disk_outlives_the_engine_and_is_not_for_other_settings(tmp_path: Path) -> None:
    on_disk = CacheSpec(min_tokens=8, disk_bytes=100_000_000, directory=str(tmp_path / "cache"))
    first = EngineRun(spec(TINY, cache=on_disk))
    before = first.ask(LONG, 20)
    first.stop_all()
    first.loaded.close()

    second = EngineRun(spec(TINY, cache=on_disk))
    after = second.ask(LONG, 20)
    assert after.text == before.text
    assert after.usage.cached_tokens == after.usage.prompt_tokens - 1
    assert after.timings.cache.startswith("disk")
    second.stop_all()

    coarser = ContextSpec(window=1024, slots=2, n_threads=1, cache_type_k="q8_0")
    other = EngineRun(spec(TINY, cache=on_disk, context=coarser))
    assert other.ask(LONG, 20).usage.cached_tokens == 0
    other.stop_all()


@pytest.mark.parametrize("harm", ["cut", "flipped"])
def test_a_damaged_file_is_a_miss_and_is_gone(tmp_path: Path, harm: str) -> None:
    on_disk = CacheSpec(min_tokens=8, disk_bytes=100_000_000, directory=str(tmp_path))
    first = EngineRun(spec(TINY, cache=on_disk))
    before = first.ask(LONG, 20).text
    first.stop_all()
    first.loaded.close()
    (largest, *_) = sorted(tmp_path.rglob("*.state"), key=lambda one: -one.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data[: len(data) // 2] if harm == "cut" else data)

    second = EngineRun(spec(TINY, cache=on_disk))
    after = second.ask(LONG, 20)
    assert after.text == before
    assert after.usage.cached_tokens == 0
    # One that is cut short is not even listed.
    is_told = after.timings.cache == "disk entry damaged or gone"
    assert is_told == (harm == "flipped"), after.timings.cache
    second.stop_all()
    second.loaded.close()


def test_a_state_that_llama_cpp_refuses_is_chosen_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk = CacheSpec(min_tokens=8, disk_bytes=100_000_000, directory=str(tmp_path))
    first = EngineRun(spec(TINY, cache=on_disk))
    before = first.ask(LONG, 20).text
    first.loaded.close()
    first.stop_all()

    second = EngineRun(spec(TINY, cache=on_disk))
    monkeypatch.setattr(Memory, "restore", lambda self, sequence, state: False)
    refused = second.ask(LONG, 20)
    assert refused.text == before
    assert refused.usage.cached_tokens == 0
    assert refused.timings.cache.endswith("which llama.cpp did not take")
    assert not list(tmp_path.rglob("*.state"))
    second.loaded.close()
    second.stop_all()
