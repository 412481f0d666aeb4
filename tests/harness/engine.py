"""An engine in this process, without sockets: what each request was answered, event by event."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

import llama_cpp.llama_cpp as lib

from kronk.shared.wire.loading import LoadSpec
from kronk.shared.wire.to_gateway import (
    Accepted,
    Delta,
    Done,
    Failed,
    Finished,
    ReasoningDelta,
    ScoredDelta,
    Silent,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
)
from kronk.shared.wire.to_worker import Resumed, Submit
from kronk.shared.wire.values import Answer, Prompt, Sampling, Timings, TokenLogprob, Usage
from kronk.worker.engine.commands import Begin, Cancel, CancelAll
from kronk.worker.library import LlamaLog
from kronk.worker.loader import load
from kronk.worker.prepare import prepare

# Longer than any answer in a test takes on a machine that is doing ten other things.
PATIENCE = 120
GREEDY = Sampling(temperature=0.0)


@dataclass
class Call:
    """A tool call as a client would have put it together."""

    id: str
    name: str
    arguments: str = ""


@dataclass
class Said:
    """One choice, put together."""

    text: str = ""
    reasoning: str = ""
    calls: dict[int, Call] = field(default_factory=dict)
    # Those beside text, and all of them.
    tokens: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reason: str | None = None
    stop: str | None = None


@dataclass
class Answered:
    """A whole answer."""

    choices: list[Said]
    usage: Usage
    timings: Timings

    @property
    def text(self) -> str:
        return self.choices[0].text

    @property
    def reason(self) -> str | None:
        return self.choices[0].reason


# llama.cpp calls the newest for every line, whatever context it is about: none may be collected.
_LOGS: list[LlamaLog] = []


class _Last:
    """What no engine survives: they have no other end than that of their process."""

    def __getattr__(self, name: str) -> object:
        raise SystemExit


class EngineRun:
    """A loaded model, its engine running on a thread, and the events of each request."""

    def __init__(self, spec: LoadSpec) -> None:
        self.events: dict[int, Queue[Any]] = {}
        self.accepted: list[int] = []
        self.started: dict[int, Started] = {}
        # What ended the engine, which lives as long as the process otherwise.
        self.failure: BaseException | None = None
        self.log = LlamaLog()
        _LOGS.append(self.log)
        self._numbers = itertools.count(1)
        self.loaded = load(spec, log_lines=self.log, report=lambda progress: None, emit=self._emit)
        self.engine = self.loaded.engine
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.engine.run()
        except SystemExit:
            return
        except BaseException as error:
            # Whoever waits for an answer shall see why there is none.
            self.failure = error
            for queue in list(self.events.values()):
                queue.put(error)
            raise

    def _emit(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, Accepted):
                self.accepted.append(event.request)
            elif isinstance(event, Started):
                self.started[event.request] = event
            else:
                self.events[event.request].put(event)

    def begin(
        self,
        text: str | Prompt,
        max_tokens: int | None = 100,
        *,
        sampling: Sampling = GREEDY,
        answer: Answer = Answer(),  # noqa: B008  # frozen
        stop: tuple[str, ...] = (),
        window: int = 10_000,
        resumed: tuple[Resumed, ...] = (),
        subject: str = "",
    ) -> int:
        """Submit; the request's number. A plain text is a user's message."""
        prompt = Prompt(({"role": "user", "content": text},)) if isinstance(text, str) else text
        number = next(self._numbers)
        self.events[number] = Queue()
        submit = Submit(
            number,
            f"test-{number}",
            prompt,
            sampling,
            answer,
            max_tokens,
            stop,
            window,
            resumed=resumed,
            subject=subject,
        )
        self.engine.tell(Begin(prepare(submit, self.loaded)))
        return number

    def next(self, request: int) -> Any:
        """The request's next event."""
        assert self.failure is None, self.failure
        event = self.events[request].get(timeout=PATIENCE)
        assert not isinstance(event, BaseException), event
        return event

    def delta(self, request: int) -> Any:
        """The request's next event but for tokens without text."""
        event = self.next(request)
        return self.next(request) if isinstance(event, Silent) else event

    def result(self, request: int) -> Answered:
        """The whole answer of a request that ends well."""
        choices: dict[int, Said] = {}
        while not isinstance(event := self.next(request), Done):
            assert not isinstance(event, Failed), event
            put_together(choices, event)
        return answered(choices, event)

    def record(self, request: int) -> list[Any]:
        """All events of a request that ends well, its `Done` the last."""
        events = []
        while not events or not isinstance(events[-1], Done):
            events.append(self.next(request))
            assert not isinstance(events[-1], Failed), events[-1]
        return events

    def ask(self, text: str | Prompt, max_tokens: int | None = 100, **options: Any) -> Answered:
        """`begin` and `result`."""
        return self.result(self.begin(text, max_tokens, **options))

    def cancel(self, request: int) -> None:
        """Nobody reads it any more."""
        self.engine.tell(Cancel(request))

    def settle(self) -> None:
        """Until the engine has obeyed every command so far: a request of our own came through."""
        self.ask("Hello!", max_tokens=1)

    def stop_all(self) -> None:
        """End all requests, see that nothing is left, and give the memory back."""
        self.engine.tell(CancelAll())
        self.settle()
        assert self.engine.busy_slots == 0
        assert self.engine.queued == 0
        self.engine.tell(Begin(_Last()))  # type: ignore[arg-type]
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        lib.llama_free(self.engine._context.handle)
        lib.llama_model_free(self.loaded.model.handle)


def put_together(choices: dict[int, Said], event: Any) -> None:
    """Add an event to the choice it belongs to."""
    said = choices.setdefault(event.choice, Said())
    assert said.reason is None, "nothing comes after a choice's end"
    _hear(said, event)


def answered(choices: dict[int, Said], done: Done) -> Answered:
    """All choices together."""
    ordered = [choices[number] for number in sorted(choices)]
    assert all(said.reason for said in ordered)
    return Answered(ordered, done.usage, done.timings)


def _hear(said: Said, event: Any) -> None:
    if not isinstance(event, Finished):
        said.ids += event.tokens
    match event:
        case Silent(tokens=tokens):
            assert tokens
        case Delta(text=text, tokens=tokens):
            said.text += text
            said.tokens += tokens
        case ScoredDelta(text=text, tokens=tokens, logprobs=logprobs):
            said.text += text
            said.tokens += tokens
            said.logprobs += logprobs
        case ReasoningDelta(text=text):
            said.reasoning += text
        case ToolCallDelta(index=index, id=str(name_of_call), name=str(name)):
            assert index not in said.calls
            said.calls[index] = Call(name_of_call, name, event.arguments)
        case ToolCallDelta(index=index, arguments=arguments):
            said.calls[index].arguments += arguments
        case ToolCallRetracted(index=index, text=text):
            del said.calls[index]
            said.text += text
        case Finished(reason=reason, stop=stop):
            said.reason, said.stop = reason, stop
        case _:
            raise AssertionError(event)
