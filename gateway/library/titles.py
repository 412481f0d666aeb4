"""A conversation's title, made by its own model while that has nothing else to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Any

import structlog

from kronk.gateway.access.admission import Admission, Outcome
from kronk.gateway.access.rules import Gate, inference
from kronk.gateway.answer import perform
from kronk.gateway.operations import chat_operation
from kronk.gateway.services import Services
from kronk.shared.errors import CallerError, KronkError
from kronk.shared.security.identity import Identity
from kronk.shared.wire.status import ModelStatus

from .conversations import Conversation
from .documents import Document, Node, branch, shortened_line, text_of

# The route whose limits and grants count, as for any other chat.
_GATE = Gate(inference("chat-completions"), "POST", "/v1/chat/completions")
# A title that comes later than that is of no use.
_SECONDS = 30.0
_STATUS_SECONDS = 2.0
_MOST_TOKENS = 24
_MOST_READ = 2000
_LONGEST = 80
_ASKED = (
    "Write a title for this conversation: 2 to 6 words, in its language, without quotation marks."
    " Answer with the title only."
)
_READY = "ready"
_AROUND = " \t#*_`\"'.\u201c\u201d\u201e\u00ab\u00bb"

log = structlog.get_logger()


async def title_of(
    services: Services, row: Conversation, document: Document, identity: Identity
) -> str | None:
    """What the model would call it; None where it is not asked, because it is not loaded or others
    are waiting for it, or where it has no answer that could be a title.

    Raises what a chat of that identity with that model would be refused with.
    """
    exchange = first_exchange(branch(document))
    if row.model is None or exchange is None:
        return None
    status = await services.link.status(_STATUS_SECONDS)
    # What a worker last said of its slots is older than what runs there by our own doing.
    busy = {run.worker for run in services.link.exchange.runs}
    if not is_idle(row.model, status.models, status.leases.waiting, busy):
        return None
    name = f"{row.id}/title/{row.revision}"
    admission = await services.access.admit_again(identity, _GATE, name)
    outcome = Outcome(None, "cut_off")
    try:
        admission.check_model(row.model, services.configs)
        answer = await _asked(services, row.model, exchange, admission, name)
        usage = answer["usage"]
        outcome = Outcome(200, None, usage["prompt_tokens"], usage["completion_tokens"])
    except KronkError as error:
        outcome = Outcome(error.status, error.code)
        if isinstance(error, CallerError):
            raise
        log.info("a conversation gets no title by its model", reason=error.message)
        return None
    except TimeoutError:
        return None
    finally:
        admission.settle(outcome)
    return cleaned(answer["choices"][0]["message"].get("content") or "")


async def _asked(
    services: Services,
    model: str,
    exchange: tuple[str, str],
    admission: Admission,
    name: str,
) -> dict[str, Any]:
    body = json.dumps(request(model, exchange)).encode()
    operation = chat_operation(body)
    jobs = [replace(job, priority="batch") for job in operation.jobs]
    async with asyncio.timeout(_SECONDS):
        waiting = replace(operation, jobs=jobs)
        told = await perform(services, waiting, admission.identity, name, "chat-completions")
    answer = json.loads(told)
    assert isinstance(answer, dict), "an answer is an object"
    return answer


# Pure.


def is_idle(
    model: str, models: Iterable[ModelStatus], waiting: int, busy: Container[int | None]
) -> bool:
    """Whether the model is loaded and has nothing to do, and nobody waits for any; `busy` are the
    generations of workers that have something to do."""
    rows = [row for row in models if row.model == model and row.state == _READY]
    return waiting == 0 and any(row.queued == 0 and row.generation not in busy for row in rows)


def first_exchange(messages: Iterable[Node]) -> tuple[str, str] | None:
    """The first question and its answer; None where there is none yet."""
    asked = None
    for node in messages:
        text = text_of(node).strip()
        if node["role"] == "user" and asked is None:
            asked = text
        elif node["role"] == "assistant" and asked and text:
            return asked, text
    return None


def request(model: str, exchange: tuple[str, str]) -> dict[str, object]:
    """The chat in which the title is asked for."""
    asked, answered = (text[:_MOST_READ] for text in exchange)
    said = f"{_ASKED}\n\nUser: {asked}\n\nAssistant: {answered}"
    return {
        "model": model,
        "messages": [{"role": "user", "content": said}],
        "max_tokens": _MOST_TOKENS,
        "temperature": 0,
        "enable_thinking": False,
    }


def cleaned(text: str) -> str | None:
    """The first line without what models put around titles; None where nothing is left."""
    lines = (line.strip(_AROUND) for line in text.splitlines())
    first = next((line for line in lines if line), "")
    for label in ("title:", "titel:"):
        if first.lower().startswith(label):
            first = first[len(label) :].strip(_AROUND)
    return shortened_line(first.rstrip(" ."), _LONGEST) or None
