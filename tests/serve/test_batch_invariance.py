"""A greedy answer is the same whoever else is in the batch, joining and leaving at random."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from harness.prompts import CLEAR
from harness.server import Server

ROUNDS = 4


@pytest.fixture(scope="module")
def alone(house: Server) -> dict[str, str]:
    """What each prompt is answered when nothing else runs."""
    return {prompt: house.text("Tiny", prompt) for prompt in CLEAR}


@pytest.mark.parametrize("concurrency", [1, 2, 4, 8])
def test_greedy_answers_do_not_depend_on_the_batch(
    house: Server, alone: dict[str, str], concurrency: int
) -> None:
    dice = random.Random(concurrency)
    with ThreadPoolExecutor(concurrency) as pool:
        for _ in range(ROUNDS):
            with ExitStack() as others:
                prompts = dice.choices(list(CLEAR), k=concurrency)
                answers = []
                for prompt in prompts:
                    answers.append(pool.submit(house.text, "Tiny", prompt))
                    join(house, others, dice)
                assert [answer.result() for answer in answers] == [alone[p] for p in prompts]


def join(house: Server, others: ExitStack, dice: random.Random) -> None:
    """Put one more request into the batch, of random length; half of them hang up early."""
    prompt = "Count from 1 to 50 " * dice.randint(1, 12)
    other = house.stream("Tiny", prompt, max_tokens=dice.randint(1, 120), temperature=0.8, seed=1)
    if dice.random() < 0.5:
        others.enter_context(other)
    else:
        other.close()
