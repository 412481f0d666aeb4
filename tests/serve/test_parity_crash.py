"""What a killed worker had computed, the next one goes on from; and says the same."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness import random_gguf
from harness.engine import Said
from harness.parity import TOP, Parity, Shape
from harness.parity_prompts import RULES, STORY, chat
from harness.random_gguf import HYBRID, SWA
from harness.server import SMALL, Server, running_server
from harness.waiting import PATIENCE, wait_until
from kronk.shared.wire.values import Alternative, TokenLogprob

COUNT = 12
# Of 360 tokens, which make 354 up to the end of the last message.
LEAST_CACHED = 350
FIRST = STORY + "What is on the sill?"
CONFIG = SMALL | {"n_seq_max": 2, "cache_min_tokens": 8, "cache_disk": "1GB"}
WINDOWED = {"swa_full": False}
MODELS = ("Tiny", "Windowed", "Hybrid")


@pytest.fixture(scope="module")
def files(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("random")
    files = {"Tiny": tiny, "Windowed": folder / "swa.gguf", "Hybrid": folder / "hybrid.gguf"}
    random_gguf.write(files["Windowed"], SWA)
    random_gguf.write(files["Hybrid"], HYBRID)
    return files


@pytest.fixture(scope="module")
def server(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    installed = {f"{name}.gguf": path for name, path in files.items()}
    config = dict.fromkeys(files, CONFIG) | {"Windowed": CONFIG | WINDOWED}
    with running_server(tmp_path_factory.mktemp("crash"), installed, config) as server:
        yield server


def ask(server: Server, model: str, turns: list[str]) -> tuple[Said, dict[str, Any]]:
    """A conversation's next answer, and all of the response."""
    body = {
        "model": model,
        "messages": chat(*turns, system=RULES).messages,
        "chat_template_kwargs": {"enable_thinking": False},
        "temperature": 0,
        "max_tokens": COUNT,
        "logprobs": True,
        "top_logprobs": TOP,
    }
    response = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=PATIENCE)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    choice = found["choices"][0]
    said = Said(choice["message"]["content"], reason=choice["finish_reason"])
    for token in choice["logprobs"]["content"]:
        tops = [(bytes(one["bytes"]), one["logprob"]) for one in token["top_logprobs"]]
        top = tuple(Alternative(*one) for one in tops)
        said.logprobs.append(TokenLogprob(bytes(token["bytes"]), token["logprob"], top))
    return said, found


def states(server: Server) -> set[Path]:
    """Prefixes on the server's disk. Each is whole: files appear by rename."""
    return set(server.base.rglob("*.state"))


@pytest.mark.parametrize("model", MODELS)
def test_after_a_crash_a_conversation_goes_on_from_the_disk(
    server: Server, files: dict[str, Path], model: str
) -> None:
    before = states(server)
    turns = [FIRST]
    first, response = ask(server, model, turns)
    assert response["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    wait_until(lambda: states(server) - before, "a state on disk")
    row = server.row(model)
    assert row is not None
    server.kill(row["pid"], signal.SIGKILL)
    # Whoever asks before the death is known is told of it.
    wait_until(lambda: (server.row(model) or {}).get("pid") != row["pid"], "the end")

    answers = [(turns, first)]
    for question in ([*turns, first.text, "And then?"], turns):
        said, response = ask(server, model, question)
        # All but the end of the prompt, where the template has put what comes after it.
        assert response["usage"]["prompt_tokens_details"]["cached_tokens"] > LEAST_CACHED
        answers.append((question, said))
        if len(answers) == 2:
            assert response["timings"]["cache"].startswith("disk")
    after = server.row(model)
    assert after is not None
    assert after["restarts"] == 1

    shape = Shape(files[model], n_ctx=1024, n_batch=512, swa_full=model != "Windowed")
    with closing(Parity(shape)) as parity:
        prompts = [parity.plain.tokens(chat(*question, system=RULES)) for question, _ in answers]
        parity.measure(prompts[:2], COUNT)
        for _, said in answers:
            said.tokens = [parity.token(one.piece) for one in said.logprobs]
        compared = parity.judge(zip(prompts, [said for _, said in answers], strict=True))
    assert compared.places >= len(answers) * COUNT // 2
