"""Requests outlive the process that answers them: their clients get one whole answer.

The first half is of scripted workers, which die where a prompt says; the second of real ones.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from harness.counting_model import counted
from harness.damage import pid_of, unharmed
from harness.fault_house import fault_house
from harness.invariants import after_fault, milliseconds_since
from harness.server import SMALL, Server, running_server
from harness.waiting import PATIENCE

# Of the scripted engine; each is harmed by one test.
SCRIPTED = (
    *("Kill", "Exit=0", "Exit=1", "Reading", "Twice", "Poisoned"),
    *("Slowly-Left", "Slowly-Again", "Slowly-Silent"),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Requests go on when their process dies."""
    flags = {"stream_keepalive": "200ms"}
    with fault_house(tmp_path_factory.mktemp("lab"), SCRIPTED, None, flags) as server:
        yield server


@pytest.mark.parametrize("word", ["kill", "exit=0", "exit=1"])
def test_streams_go_on_when_their_process_dies_in_the_middle(lab: Server, word: str) -> None:
    model = word.capitalize()
    with after_fault(
        lab, f"resumed: {word}", "mid-stream", models=(model,), refused=False
    ) as fault:
        others = fault.streams(model, 3, "pace 5", tokens=1000)
        plain = fault.whole(model, "pace 5", tokens=1000)
        lab.wait_for_row(model, active_streams=4)
        culprit = fault.stream(model, f"{word} once at 50", tokens=100)
        assert {asked.end() for asked in (*others, plain, culprit)} == {"done"}
        gaps = [max(map(float.__sub__, one.times[1:], one.times)) for one in others]
        fault.figure("longest silence, ms", 1000 * max(gaps))
    assert len(lab.events("load started", model=model)) == 2
    recovered = lab.events("request recovered", model=model)
    assert len(recovered) == 5
    assert {line["attempt"] for line in recovered} == {2}


@pytest.mark.parametrize("stream", [False, True])
def test_a_process_that_dies_while_it_reads_the_prompt_is_not_noticed(
    lab: Server, stream: bool
) -> None:
    with after_fault(
        lab, "resumed: SIGSEGV", f"prefill, stream {stream}", models=("Reading",), refused=False
    ) as fault:
        words = f"segv once at 0, {stream}"
        asked = (fault.stream if stream else fault.whole)("Reading", words, 20)
        assert asked.end() == "done"
    requests = lab.events("request", model="Reading", resumed=1)
    assert [line["status"] for line in requests] == [200] * (1 + stream)


def test_two_deaths_in_one_answer_are_outlived(lab: Server) -> None:
    with after_fault(
        lab, "resumed: SIGKILL", "twice in an answer", models=("Twice",), refused=False
    ) as fault:
        stream = fault.stream("Twice", "kill once at 30 segv once at 20", tokens=60)
        assert stream.end() == "done"
    (line,) = lab.events("request", model="Twice", resumed=2)
    assert line["tokens"] == 60


def test_a_process_that_dies_again_while_it_loads_is_outlived(lab: Server) -> None:
    model = "Slowly-Again"
    with after_fault(
        lab, "resumed: SIGKILL", "mid-stream and in a load", models=(model,), refused=False
    ) as fault:
        stream = fault.stream(model, "pace 5", tokens=1500)
        stream.wait_for_pieces(20)
        lab.kill(fault.pid(model))
        lab.kill(lab.wait_for_row(model, state="loading")["pid"])
        assert stream.end() == "done"
    (line,) = lab.events("request recovered", model=model)
    # The second death was not the request's.
    assert line["attempt"] == 2


def test_a_client_that_leaves_while_its_answer_has_no_process_leaves_nothing(lab: Server) -> None:
    with after_fault(lab, "resumed: hang-up", "during recovery", models=("Slowly-Left",)) as fault:
        leaving, staying = fault.streams("Slowly-Left", 2, "pace 5", tokens=1500)
        lab.kill(fault.pid("Slowly-Left"))
        lab.wait_for_row("Slowly-Left", state="loading")
        leaving.leave()
        assert staying.end() == "done"


def test_while_an_answer_waits_for_its_next_process_its_client_is_kept(lab: Server) -> None:
    model = "Slowly-Silent"
    with after_fault(
        lab, "resumed: keep-alives", "in a load", models=(model,), refused=False
    ) as fault:
        # A load takes a second.
        stream = fault.stream(model, "pace 5 kill once at 20", tokens=60)
        assert stream.end() == "done"
        assert stream.comments >= 2


def test_a_poison_prompt_is_found_out_and_costs_nobody_else(lab: Server) -> None:
    with after_fault(lab, "resumed: poison prompt", "beside four", models=("Poisoned",)) as fault:
        others = fault.streams("Poisoned", 3, "pace 5", tokens=500)
        plain = fault.whole("Poisoned", "pace 5", tokens=500)
        lab.wait_for_row("Poisoned", active_streams=4)
        begun = time.monotonic()
        poison = fault.stream("Poisoned", "segv at 2", tokens=50)
        assert poison.end() == "error"
        fault.figure("poison to its error, ms", milliseconds_since(begun))
        assert poison.error is not None
        assert poison.error["code"] == "model_crashed"
        assert "SIGSEGV" in poison.error["message"]
        assert "3 attempts" in poison.error["message"]
        assert poison.text == counted(poison.start, 2)
        # It did not take the others along, and is not tried again, however it is sampled.
        prompt = f"segv at 2 from {poison.start}"
        loads = len(lab.events("load started", model="Poisoned"))
        for temperature in (0, 1):
            answer = lab.chat("Poisoned", prompt, temperature=temperature)
            assert answer.status_code == 422
            assert answer.json()["error"]["code"] == "prompt_quarantined"
            assert "SIGSEGV" in answer.json()["error"]["message"]
        assert {asked.end() for asked in (*others, plain)} == {"done"}
        assert len(lab.events("load started", model="Poisoned")) == loads
        # Until somebody says that it is repaired.
        reset = httpx.post(f"{lab.url}/v1/kronk/models/Poisoned/reset", timeout=PATIENCE)
        assert reset.status_code == 200, reset.text
        assert lab.chat("Poisoned", f"from {poison.start}", max_tokens=1).status_code == 200
        assert lab.chat("Poisoned", prompt, max_tokens=1).status_code == 200
    assert len(lab.events("prompt quarantined", model="Poisoned")) == 1
    assert lab.events("model failed", model="Poisoned") == []


# Real workers.

# Tokens of an answer that is in its middle whenever its process is killed.
LONG = 400


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, slow: Path) -> Iterator[Server]:
    """A counting model for each test."""
    counting = ("SIGKILL", "SIGSEGV", "SIGABRT", "Mute", "Queued")
    files = {f"{name}.gguf": slow for name in counting}
    config = {name: SMALL | {"context_window": 8192} for name in counting}
    flags = ("--cache-ttl=0", "--models-in-cache=20", "--stream-keepalive=1s")
    with running_server(tmp_path_factory.mktemp("real"), files, config, *flags) as server:
        yield server


def recovered(server: Server, model: str) -> list[int]:
    """The tokens that were known of each request that was gone on with."""
    return [line["tokens"] for line in server.events("request recovered", model=model)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_official_clients_see_one_unbroken_answer(real: Server, number: signal.Signals) -> None:
    model, text = number.name, ""
    with unharmed(real, model), anthropic_client(real) as anthropics, ThreadPoolExecutor() as pool:
        message = pool.submit(anthropic_text, anthropics, model)
        plain = pool.submit(real.text, model, "from 7", max_tokens=LONG)
        real.wait_for_row(model, active_streams=2)
        chunks = real.openai().chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "from 100"}],
            max_tokens=60,
            stream=True,
            temperature=0,
            stream_options={"include_usage": True},
        )
        usage, reasons = None, []
        for at, chunk in enumerate(chunks):
            if at == 15:
                real.kill(pid_of(real, model), number)
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            reasons += [one.finish_reason for one in chunk.choices if one.finish_reason]
            usage = chunk.usage or usage
        assert text == counted(100, 60)
        assert reasons == ["length"]
        assert usage is not None
        assert usage.completion_tokens == 60
        assert message.result() == counted(300, LONG)
        assert plain.result() == counted(7, LONG)
    assert len(recovered(real, model)) == 3


def anthropic_client(server: Server) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=PATIENCE)


def anthropic_text(client: anthropic.Anthropic, model: str) -> str:
    """Checks on the way that the events of the stream are those of one message."""
    with client.messages.stream(
        model=model,
        max_tokens=LONG,
        messages=[{"role": "user", "content": "from 300"}],
        extra_body={"temperature": 0},
    ) as stream:
        kinds = [event.type for event in stream if event.type.startswith("message_s")]
        assert kinds == ["message_start", "message_stop"]
        last = stream.get_final_message()
    assert last.usage.output_tokens == LONG
    (block,) = last.content
    assert block.type == "text"
    return block.text


SAMPLED = {"temperature": 1.0, "top_p": 0.95, "repeat_penalty": 1.1}
VARIANTS: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0},
    "seeded": SAMPLED | {"seed": 11},
    "two choices": SAMPLED | {"seed": 5, "n": 2},
    "log-probabilities": SAMPLED | {"seed": 6, "logprobs": True, "top_logprobs": 2},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Iterator[Server]:
    """The starter model, once for each variant: each dies once."""
    names = [_named(variant) for variant in VARIANTS]
    config = {name: SMALL | {"n_seq_max": 2} for name in names}
    files = {f"{name}.gguf": starter for name in names}
    flags = ("--cache-ttl=0", "--models-in-cache=9", "--memory-budget=100%")
    with running_server(tmp_path_factory.mktemp("trained"), files, config, *flags) as server:
        yield server


def _named(variant: str) -> str:
    return variant.title().replace(" ", "-")


@pytest.mark.starter
@pytest.mark.parametrize("variant", [*VARIANTS])
def test_a_trained_model_says_what_it_would_have_said(trained: Server, variant: str) -> None:
    model = _named(variant)
    expected = told(trained, model, VARIANTS[variant], dies=False)
    assert told(trained, model, VARIANTS[variant], dies=True) == expected
    (tokens,) = recovered(trained, model)
    assert tokens >= 3


def told(server: Server, model: str, options: dict[str, Any], *, dies: bool) -> Any:
    """What each choice of a stream came to: its text, its tokens' names and its end."""
    said: dict[int, tuple[list[str], list[str], list[str]]] = {}
    assert server.chat(model, "hi", max_tokens=1).status_code == 200
    pid = pid_of(server, model)
    chunks = server.openai().chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Tell me a story about the sea."}],
        stream=True,
        max_tokens=60,
        extra_body=options | {"min_tokens": 60},
    )
    for at, chunk in enumerate(chunks):
        if dies and at == 8:
            server.kill(pid)
        for choice in chunk.choices:
            text, pieces, ends = said.setdefault(choice.index, ([], [], []))
            text.append(choice.delta.content or "")
            pieces += [one.token for one in (choice.logprobs and choice.logprobs.content) or ()]
            ends += [choice.finish_reason] if choice.finish_reason else []
    return {index: ("".join(text), *rest) for index, (text, *rest) in said.items()}


def test_a_real_process_that_dies_before_it_says_anything_is_not_noticed(real: Server) -> None:
    with unharmed(real, "Mute"), ThreadPoolExecutor() as pool:
        pid = pid_of(real, "Mute")
        # It is asked, and does not get to it.
        real.kill(pid, signal.SIGSTOP)
        asked = [pool.submit(real.text, "Mute", f"from {n}", max_tokens=5) for n in range(4)]
        real.wait_for_row("Mute", active_streams=4)
        real.kill(pid)
        assert [one.result() for one in asked] == [counted(n, 5) for n in range(4)]


def test_what_waits_in_a_real_process_outlives_it(real: Server) -> None:
    with unharmed(real, "Queued"), ExitStack() as streams:
        crowd = [
            streams.enter_context(real.stream("Queued", f"from {n}", max_tokens=30))
            for n in range(12)
        ]
        real.wait_for_row("Queued", active_streams=12)
        real.kill(pid_of(real, "Queued"))
        for at, stream in enumerate(crowd):
            stream.wait_for_end()
            assert stream.text == counted(at, 30)
            assert stream.is_done
