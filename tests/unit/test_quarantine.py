"""Requests that are refused for a while: which are the same, for how long, and how many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kronk.gateway.job import Job, embed, generate, inspect, rank
from kronk.gateway.quarantine import LASTS, MOST, Quarantine, digest
from kronk.shared.errors import PromptQuarantined
from kronk.shared.wire.values import Answer, Constraint, Media, Prompt, Sampling

CHAT = Prompt(messages=({"role": "user", "content": "hi"},), media=(Media("image", b"x", "m"),))


def chat(prompt: Prompt = CHAT, model: str = "tiny", **sampling: float) -> Job:
    return generate(model, prompt, Sampling(**sampling), Answer(), 100, ())  # type: ignore[arg-type]


SAME: list[tuple[str, Job, Job]] = [
    ("sampling", chat(), chat(temperature=1.0, seed=7)),
    ("the client's name for it", chat(), chat(replace(CHAT, param="input"))),
    ("its conversation", chat(), chat(replace(CHAT, session="mine"))),
    (
        "the order of keys",
        chat(),
        chat(replace(CHAT, messages=({"content": "hi", "role": "user"},))),
    ),
    ("the limit", chat(), generate("tiny", CHAT, Sampling(), Answer(), 5, ("x",))),
    ("how long it stays loaded", chat(), replace(chat(), ttl=5.0, priority="batch")),
]
OTHERS: list[Job] = [
    chat(),
    chat(model="other"),
    chat(Prompt(text="hi")),
    chat(Prompt(text="hi", suffix="x")),
    chat(Prompt(tokens=(1, 2))),
    chat(replace(CHAT, media=(Media("image", b"y", "m"),))),
    chat(replace(CHAT, media=())),
    chat(replace(CHAT, tools=({"type": "function"},))),
    chat(replace(CHAT, template_kwargs={"a": 1})),
    generate("tiny", CHAT, Sampling(), Answer(Constraint("regex", "a+", "regex")), 1, ()),
    embed("tiny", ("hi",), None, False),
    embed("tiny", ("hi", "there"), None, False),
    rank("tiny", "q", ("d",), False),
    rank("tiny", "q", ("d", "e"), False),
    inspect("tiny", CHAT),
]


@pytest.mark.parametrize(("one", "other"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_what_asks_the_model_for_the_same_is_the_same(one: Job, other: Job) -> None:
    assert digest(one) == digest(other)


def test_what_asks_for_something_else_is_another() -> None:
    assert len({digest(job) for job in OTHERS}) == len(OTHERS)


def test_it_is_refused_for_a_while_and_says_why_and_how_long() -> None:
    quarantine = Quarantine()
    quarantine.put(chat(), "org/tiny", "killed by SIGSEGV", 100.0)
    for job in OTHERS[1:]:
        quarantine.check(job, 100.0)
    with pytest.raises(PromptQuarantined, match=r"org/tiny.* 590 s.*SIGSEGV") as caught:
        quarantine.check(chat(seed=1), 110.0)
    assert caught.value.retry_after is None
    quarantine.check(chat(), 100.0 + LASTS)
    assert len(quarantine) == 0


@pytest.mark.parametrize("name", ["tiny", "org/tiny"])
def test_a_model_is_cleared_by_its_id_and_by_the_name_it_was_asked_for(name: str) -> None:
    quarantine = Quarantine()
    quarantine.put(chat(), "org/tiny", "x", 0.0)
    quarantine.put(chat(model="other"), "org/other", "x", 0.0)
    quarantine.clear(name)
    quarantine.check(chat(), 1.0)
    with pytest.raises(PromptQuarantined):
        quarantine.check(chat(model="other"), 1.0)


def test_of_too_many_those_nobody_asks_for_are_forgotten() -> None:
    quarantine = Quarantine()
    jobs = [chat(Prompt(text=str(number))) for number in range(MOST + 1)]
    for job in jobs[:-1]:
        quarantine.put(job, "org/tiny", "x", 0.0)
    with pytest.raises(PromptQuarantined):
        quarantine.check(jobs[0], 1.0)
    quarantine.put(jobs[-1], "org/tiny", "x", 0.0)
    assert len(quarantine) == MOST
    quarantine.check(jobs[1], 1.0)
    with pytest.raises(PromptQuarantined):
        quarantine.check(jobs[0], 1.0)
