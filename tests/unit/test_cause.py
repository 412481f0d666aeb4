"""The end of a process in words, and what it means for its model."""

from __future__ import annotations

import signal

import pytest

from kronk.shared import exits
from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.supervisor import cause
from kronk.supervisor.cause import Exit
from kronk.supervisor.verdict import (
    Crashed,
    Ending,
    Expected,
    Facts,
    Rejected,
    RetryPlain,
    Unfit,
    Verdict,
    judge,
    outcome,
)


@pytest.mark.parametrize(
    ("exit", "words"),
    [
        (Exit(-9), "SIGKILL"),
        (Exit(-11), "SIGSEGV"),
        (Exit(-40), "signal 40"),
        (Exit(3), "exit 3: the model cannot be loaded"),
        (Exit(0), "exit 0: ended normally"),
        (Exit(77), "exit 77"),
        (Exit(None), "could not be started"),
        (Exit(-24), "SIGXCPU: its limit of processor time (ulimit -t)"),
        (Exit(-31), "SIGSYS: a system call that its sandbox does not allow"),
        (
            Exit(-9, out_of_memory="cgroup"),
            "SIGKILL: out of memory: the kernel killed a process of Kronk's cgroup",
        ),
        (
            Exit(-9, out_of_memory="machine"),
            "SIGKILL: probably out of memory: the kernel killed a process of this machine for it",
        ),
    ],
)
def test_an_exit_has_a_name(exit: Exit, words: str) -> None:
    assert cause.short(exit) == words


@pytest.mark.parametrize(
    ("lines", "quoted"),
    [
        ((), ()),
        (("one", "", "two"), ("one", "two")),
    ],
)
def test_the_last_words_are_the_lines_that_say_why(
    lines: tuple[str, ...], quoted: tuple[str, ...]
) -> None:
    assert cause.last_words(Exit(-6, lines)) == quoted


def test_a_long_line_is_cut() -> None:
    assert len(cause.with_last_line(Exit(1, ("x" * 10_000,)))) < 400


@pytest.mark.parametrize(
    ("exit", "ours", "word"),
    [
        (Exit(-signal.SIGKILL), False, "memory"),
        (Exit(-signal.SIGKILL), True, None),
        (Exit(-signal.SIGKILL, out_of_memory="cgroup"), False, "context_window"),
        (Exit(-signal.SIGABRT, ("  what():  std::bad_alloc",)), False, "context_window"),
        (Exit(-signal.SIGBUS), False, "cut or replaced"),
        (Exit(-signal.SIGSEGV), False, "doctor"),
        (Exit(exits.NO_MEMORY), False, "context_window"),
        (Exit(1), False, None),
    ],
)
def test_a_hint_is_given_where_there_is_something_to_look_at(
    exit: Exit, ours: bool, word: str | None
) -> None:
    hint = cause.hint(exit, ours=ours)
    assert hint is None if word is None else hint is not None and word in hint


def facts(
    exit: Exit,
    *,
    was_ready: bool = False,
    phase: str | None = None,
    extra_buffers: bool = True,
    ending: Ending | None = None,
) -> Facts:
    return Facts("m", was_ready, phase, extra_buffers, ending, exit)


BAD = InvalidArgument("not a GGUF file")
FULL = ModelFailed("not enough memory")


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (facts(Exit(0), ending=Ending("unused", "ttl", expected=True)), Expected()),
        (facts(Exit(-9), ending=Ending("unused", "ttl", expected=True)), Expected()),
        (facts(Exit(3), ending=Ending("bad", "failed", error=BAD)), Rejected(BAD)),
        (facts(Exit(3), ending=Ending("full", "failed", error=FULL)), Crashed(FULL)),
        (facts(Exit(-9), was_ready=True, ending=Ending("no beat", "frozen")), Crashed()),
        (facts(Exit(-11), phase="first_decode"), RetryPlain()),
        (facts(Exit(-4), phase="first_decode"), RetryPlain()),
        (facts(Exit(-7), phase="first_decode"), RetryPlain()),
        (facts(Exit(-6), phase="first_decode"), RetryPlain()),
        # Not a crash of the code it ran.
        (facts(Exit(-9), phase="first_decode"), Crashed()),
        (facts(Exit(1), phase="first_decode"), Crashed()),
        # Not the first decode.
        (facts(Exit(-11), phase="weights"), Crashed()),
        (facts(Exit(-11), phase=None), Crashed()),
        (facts(Exit(-11), phase="first_decode", was_ready=True), Crashed()),
        (facts(Exit(0), was_ready=True), Crashed()),
    ],
)
def test_what_an_exit_means(case: Facts, verdict: Verdict) -> None:
    assert judge(case) == verdict


def test_a_second_death_in_the_first_decode_names_signal_cause_and_cure() -> None:
    verdict = judge(facts(Exit(-4), phase="first_decode", extra_buffers=False))
    assert isinstance(verdict, Unfit)
    for word in ("SIGILL", "first decode", "AMX", "GCC 12", "kronk doctor"):
        assert word in verdict.error.message


@pytest.mark.parametrize(
    ("code", "verdict"), [(exits.BAD_MODEL, Rejected), (exits.NO_MEMORY, Crashed)]
)
def test_an_exit_code_speaks_for_a_worker_that_could_not(code: int, verdict: type) -> None:
    answer = judge(facts(Exit(code, ("tensor data out of bounds",))))
    assert isinstance(answer, verdict)
    assert "tensor data out of bounds" in str(getattr(answer, "error", None))


@pytest.mark.parametrize(
    ("case", "word"),
    [
        (facts(Exit(0), ending=Ending("unused", "ttl", expected=True)), "unloaded"),
        # It was to end anyway, and did so by a crash.
        (
            facts(Exit(-11), was_ready=True, ending=Ending("unused", "ttl", expected=True)),
            "unloaded",
        ),
        (facts(Exit(-6), was_ready=True, ending=Ending("no step", "stuck")), "killed"),
        (facts(Exit(-6), ending=Ending("no Hello", "late")), "killed"),
        (facts(Exit(3), ending=Ending("bad", "failed", error=BAD)), "failed"),
        (facts(Exit(4), ending=Ending("full", "failed", error=FULL)), "failed"),
        (facts(Exit(exits.BAD_MODEL)), "failed"),
        (facts(Exit(exits.NO_MEMORY)), "failed"),
        (facts(Exit(-4), phase="first_decode", extra_buffers=False), "failed"),
        (facts(Exit(-4), phase="first_decode"), "crashed"),
        (facts(Exit(-11), phase="weights"), "crashed"),
        (facts(Exit(-9), was_ready=True), "crashed"),
        (facts(Exit(exits.NO_MEMORY), was_ready=True), "crashed"),
    ],
)
def test_a_history_has_one_word_for_each_end(case: Facts, word: str) -> None:
    assert outcome(case, judge(case)) == word
