"""What becomes of a request that has lost its worker: every row of the decision."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.gateway.recovery import Again, Facts, GiveUp, Loss, Policy, judge
from kronk.shared.errors import ModelCrashed, ModelUnloaded, Overloaded

DIED = Loss("org/tiny", "killed by SIGSEGV")
UNLOADED = Loss("org/tiny", "asked to", "unloaded")
INTERRUPTED = Loss("org/tiny", "", "interrupted")
ON, OFF = Policy(), Policy(resume=False)


def facts(crashes: int, *, was_alone: bool = False, is_draining: bool = False) -> Facts:
    return Facts(crashes, was_alone, is_draining)


AGAIN: list[tuple[str, Loss, Facts, Policy, bool]] = [
    ("the first time, with others", DIED, facts(1), ON, False),
    ("the worker had not got it yet", DIED, facts(0), ON, False),
    ("the last time but one is alone", DIED, facts(2), ON, True),
    ("as often as is set", DIED, facts(3), Policy(True, 5), False),
    ("and then alone", DIED, facts(4), Policy(True, 5), True),
    ("two in all: the second alone", DIED, facts(1), Policy(True, 2), True),
    ("one in all, and none was used up", DIED, facts(0), Policy(True, 1), False),
    ("a connection is lost", INTERRUPTED, facts(1), ON, False),
]


@pytest.mark.parametrize(
    ("loss", "known", "policy", "alone"), [row[1:] for row in AGAIN], ids=[row[0] for row in AGAIN]
)
def test_it_is_begun_again(loss: Loss, known: Facts, policy: Policy, alone: bool) -> None:
    assert judge(loss, known, policy) == Again(alone)


FAILS: list[tuple[str, Loss, Facts, Policy, type, str, bool]] = [
    ("resume is off", DIED, facts(1), OFF, ModelCrashed, "the process of org/tiny died: ", False),
    ("off, before it was asked", DIED, facts(0), OFF, ModelCrashed, "SIGSEGV", False),
    ("the server stops", DIED, facts(1, is_draining=True), ON, ModelCrashed, "stopping", False),
    (
        "an operator unloaded it",
        UNLOADED,
        facts(1),
        ON,
        ModelUnloaded,
        "was unloaded",
        False,
    ),
    ("unloaded, and off", UNLOADED, facts(1), OFF, ModelUnloaded, "was unloaded", False),
    (
        "unloaded as all are that stop",
        UNLOADED,
        facts(1, is_draining=True),
        ON,
        Overloaded,
        "the server was stopped",
        False,
    ),
    ("in company, once too often", DIED, facts(3), ON, ModelCrashed, "3 attempts", False),
    ("alone", DIED, facts(3, was_alone=True), ON, ModelCrashed, "3 attempts", True),
    (
        "alone, at the first",
        DIED,
        facts(1, was_alone=True),
        Policy(True, 1),
        ModelCrashed,
        "SIGSEGV",
        True,
    ),
    (
        "the connection, again and again",
        INTERRUPTED,
        facts(3, was_alone=True),
        ON,
        ModelCrashed,
        "interrupted",
        False,
    ),
]


@pytest.mark.parametrize(
    ("loss", "known", "policy", "error", "words", "quarantine"),
    [row[1:] for row in FAILS],
    ids=[row[0] for row in FAILS],
)
def test_it_fails(
    loss: Loss, known: Facts, policy: Policy, error: type[Any], words: str, quarantine: bool
) -> None:
    decision = judge(loss, known, policy)
    assert isinstance(decision, GiveUp)
    assert type(decision.error) is error
    assert words in decision.error.message
    assert decision.quarantine is quarantine
