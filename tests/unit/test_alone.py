"""A lease that wants its model to itself: it waits for the others, the others wait for it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import ModelConfig
from kronk.shared.wire.loading import Fitted
from kronk.shared.wire.values import Priority, Purpose
from kronk.supervisor.lifecycle import Event
from kronk.supervisor.model import Model
from kronk.supervisor.workers import newborn

SLOTS, QUEUE = 2, 1


@pytest.fixture
def model() -> Model:
    return ready()


def ready() -> Model:
    model = Model(load_spec("a", Path("/models/a.gguf"), ModelConfig()), 0.0, 300.0)
    model.worker = newborn(1, 0.0)
    model.worker.fitted = Fitted(8192, SLOTS, QUEUE, 2, 100, 1000, "llama", "model")
    model.enter(Event.LOAD, 0.0)
    model.enter(Event.READY, 0.0)
    return model


def ask(
    model: Model,
    lease: int,
    priority: Priority = "interactive",
    purpose: Purpose = "answer",
    *,
    alone: bool = False,
) -> None:
    model.attach(lease, 0.0, None, priority, purpose, alone=alone)


def test_it_waits_until_the_model_does_nothing_else(model: Model) -> None:
    ask(model, 1)
    ask(model, 2, purpose="inspect")
    assert model.grantable(0.0) == [2, 1]
    ask(model, 3, alone=True)
    assert model.grantable(0.0) == []
    model.forget(1, 0.0)
    assert model.grantable(0.0) == []
    model.forget(2, 0.0)
    assert model.grantable(0.0) == [3]


def test_nothing_is_granted_beside_it(model: Model) -> None:
    ask(model, 1, alone=True)
    assert model.grantable(0.0) == [1]
    ask(model, 2)
    ask(model, 3, purpose="inspect")
    ask(model, 4, "batch")
    assert model.grantable(0.0) == []
    model.forget(1, 0.0)
    assert model.grantable(0.0) == [3, 2]


def test_who_came_before_it_goes_first_and_who_came_later_waits(model: Model) -> None:
    for lease in range(1, 5):
        ask(model, lease)
    ask(model, 5, alone=True)
    ask(model, 6)
    ask(model, 7, purpose="inspect")
    assert model.grantable(0.0) == [1, 2, 3]
    model.forget(1, 0.0)
    assert model.grantable(0.0) == [4]
    for lease in (2, 3):
        model.forget(lease, 0.0)
        assert model.grantable(0.0) == []
    model.forget(4, 0.0)
    assert model.grantable(0.0) == [5]
    model.forget(5, 0.0)
    assert model.grantable(0.0) == [7, 6]


def test_several_go_one_after_the_other(model: Model) -> None:
    for lease in (1, 2, 3):
        ask(model, lease, alone=True)
    for lease in (1, 2, 3):
        assert model.grantable(0.0) == [lease]
        assert model.grantable(0.0) == []
        model.forget(lease, 0.0)
    assert not model.line.alone


def test_one_that_leaves_holds_nobody_up(model: Model) -> None:
    ask(model, 1)
    assert model.grantable(0.0) == [1]
    ask(model, 2, alone=True)
    ask(model, 3)
    assert model.grantable(0.0) == []
    model.forget(2, 0.0)
    assert model.grantable(0.0) == [3]


def test_of_a_batch_it_waits_for_all_others_and_holds_up_only_batches(model: Model) -> None:
    ask(model, 1)
    ask(model, 2, "batch", alone=True)
    ask(model, 3, "batch")
    assert model.grantable(0.0) == [1]
    ask(model, 4)
    assert model.grantable(0.0) == [4]
    model.forget(1, 0.0)
    model.forget(4, 0.0)
    assert model.grantable(0.0) == [2]
    ask(model, 5)
    assert model.grantable(0.0) == []
    model.forget(2, 0.0)
    assert model.grantable(0.0) == [5]


def test_nobody_starves_whatever_comes_and_goes() -> None:
    for seed in range(200):
        rng = random.Random(seed)
        model, waiting, lease = ready(), dict[int, int](), 0
        alone = set[int]()
        for step in range(300):
            if rng.random() < 0.6:
                lease += 1
                is_alone = rng.random() < 0.2
                purpose: Purpose = "inspect" if rng.random() < 0.2 else "answer"
                ask(model, lease, purpose=purpose, alone=is_alone)
                waiting[lease] = step
                alone |= {lease} if is_alone else set()
            for granted in model.grantable(0.0):
                del waiting[granted]
            running = set(model.leases)
            assert len(running) == 1 or not running & alone
            if running and rng.random() < 0.7:
                model.forget(rng.choice(sorted(running)), 0.0)
        # What still waits is granted as the running end.
        while waiting:
            for granted in model.grantable(0.0):
                del waiting[granted]
            assert model.leases, f"seed {seed}: {waiting} wait for nobody"
            model.forget(min(model.leases), 0.0)
