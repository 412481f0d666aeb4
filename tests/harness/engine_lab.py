"""An engine that is run step by step on the test's thread, watched from all sides.

Real weights, a real context, no clock but ours: the same operations give the same events. What each
answer has to be is computed once by a context that has never seen anything else.
"""

from __future__ import annotations

import codecs
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kronk.shared.errors import Internal
from kronk.shared.wire.loading import CacheMode
from kronk.shared.wire.to_gateway import (
    Accepted,
    Delta,
    Done,
    Failed,
    Finished,
    ScoredDelta,
    Silent,
    Started,
)
from kronk.shared.wire.values import Sampling
from kronk.worker.cache.disk import DiskStore
from kronk.worker.cache.memory import Memory, MemoryKind, State
from kronk.worker.cache.policy import CachePolicy
from kronk.worker.cache.store import Store
from kronk.worker.context import Batch, Context, ContextShape, DecodeResult
from kronk.worker.engine.commands import Begin, Cancel, CancelAll, Credit
from kronk.worker.engine.engine import Engine
from kronk.worker.engine.job import Job
from kronk.worker.engine.prefixes import Prefixes
from kronk.worker.engine.sampler import Candidates
from kronk.worker.engine.sampling import resolve
from kronk.worker.engine.slot import Slot
from kronk.worker.media.clip import Clip
from kronk.worker.media.rows import ClipRows
from kronk.worker.model import Model
from kronk.worker.speculation.drafter import Asked
from kronk.worker.speculation.guesser import Guesser

from .cache_model import CacheModel, Tokens
from .clips import Gallery
from .memory_lab import LOG, load
from .random_gguf import MROPE, WIDTH, Kind

SLOTS, WINDOW, UBATCH, QUEUE = 3, 256, 64, 9
MIN_TOKENS = 6
DRAFT_MAX = 4
# A token that the random models never say.
BLANK = 299
# Far above what the shape of a batch does to logits, far below what a wrong cell does.
CLEAR = 0.05
GREEDY = resolve(Sampling(temperature=0.0, seed=1))
# More than any bounded run takes; an engine that still works then is stuck.
MANY_TURNS = 5_000
AMPLE = 1 << 30


class Clock:
    """Stands in for the module `time`: each look at it takes a millisecond."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now

    thread_time = monotonic

    @classmethod
    def install(cls, patch: pytest.MonkeyPatch) -> Clock:
        """From now on the engine has no other."""
        clock = cls()
        for module in ("engine", "seats", "prefixes", "desk"):
            patch.setattr(f"kronk.worker.engine.{module}.time", clock)
        return clock


class BreakableContext(Context):
    """A context whose decodes can be interrupted and can be made to fail."""

    # Called once, in the middle of the next decode.
    interruption: Callable[[], None] | None = None
    # Decodes with rows of this sequence end like this.
    broken: tuple[int, DecodeResult] | None = None
    # Told the sequences of a decode that went wrong.
    on_failure: Callable[[set[int], DecodeResult], None] | None = None

    def decode(self, batch: Batch) -> DecodeResult:
        if self.interruption is not None:
            interrupt, self.interruption = self.interruption, None
            interrupt()
        rows = batch.struct()
        sequences = {rows.seq_id[row][0] for row in range(rows.n_tokens)}
        if self.broken is None or self.broken[0] not in sequences:
            return super().decode(batch)
        result = self.broken[1]
        assert self.on_failure is not None
        self.on_failure(sequences, result)
        if result is DecodeResult.FAILED:
            # Some of the rows are in the memory.
            super().decode(batch)
        return result


@dataclass(frozen=True)
class Expected:
    """One greedy answer: what a client gets of it, and how far it is beyond doubt."""

    tokens: Tokens
    logprobs: tuple[float, ...]
    text: str
    reason: str
    stop: str | None
    # The leading tokens that no rounding can change.
    clear: int


class Bench:
    """A model, a context for engines to share one after the other, and one for reference."""

    def __init__(self, path: Path, kind: Kind, *, cells: int = SLOTS * WINDOW) -> None:
        self.kind = kind
        self.model: Model = load(path)
        self.is_recurrent = kind.is_recurrent or kind.is_hybrid
        self.is_rigid = self.is_recurrent or kind.window > 0
        # Less than the slots may need together.
        self.is_cramped = cells < SLOTS * WINDOW
        self.context = BreakableContext(self.model, _shape(cells, SLOTS), LOG)
        memory_kind = MemoryKind(self.is_recurrent, kind.window, swa_full=False)
        self.memory = Memory(self.context.handle, memory_kind)
        self.cells = cells
        has_sections = kind is MROPE
        # Gemma multiplies the embeddings of tokens, which are small, and not those of images.
        self.gallery = Gallery(WIDTH, UBATCH, scale=1.0, has_sections=has_sections)
        self._alone = Context(self.model, _shape(WINDOW, 1), LOG)
        self._known: dict[Tokens, tuple[list[int], list[float], list[float]]] = {}

    def reset(self) -> None:
        """Whatever the last engine left."""
        self.context.interruption = self.context.broken = None
        self.context.rearm()
        for sequence in range(SLOTS):
            self.memory.clear(sequence)

    def expected(self, prompt: Tokens, max_tokens: int, stops: Sequence[str]) -> Expected:
        """What is answered when nothing is cached, nobody else is there and nothing goes wrong."""
        tokens, margins, logprobs = self._greedy(prompt, max_tokens)
        data = b""
        for count in range(1, max_tokens + 1):
            data += self.model.piece(tokens[count - 1])
            text = _characters(data)
            ends = [(at + len(stop), at, stop) for stop in stops if (at := text.find(stop)) >= 0]
            if ends:
                _, at, stop = min(ends)
                return _expected(count, tokens, margins, logprobs, text[:at], "stop", stop)
        text = _characters(data)
        return _expected(max_tokens, tokens, margins, logprobs, text, "length", None)

    def continued(self, tokens: Tokens, most: int) -> list[int]:
        """At most so many tokens that follow these in an answer that is known."""
        for prompt, (said, _, _) in self._known.items():
            known = (*prompt, *said)
            if len(prompt) < len(tokens) < len(known) and known[: len(tokens)] == tokens:
                return list(known[len(tokens) :][:most])
        return []

    def _greedy(self, prompt: Tokens, count: int) -> tuple[list[int], list[float], list[float]]:
        known = self._known.setdefault(prompt, ([], [], []))
        if len(known[0]) < count:
            found = list(itertools.islice(self._decode(prompt), count))
            known = self._known[prompt] = tuple(list(part) for part in zip(*found, strict=True))
        return known

    def _decode(self, prompt: Tokens) -> Iterator[tuple[int, float, float]]:
        context, batch = self._alone, Batch(UBATCH)
        context.forget(0)
        spans = {span.start: span.clip for span in self.gallery.spans(prompt)}
        at, pending = 0, list(prompt)
        while True:
            while pending:
                clip = spans.pop(at, None)
                if clip is not None:
                    pending = pending[len(clip.ids) :]
                    self._look(clip, at, output_last=not pending)
                    at += len(clip.ids)
                    continue
                batch.clear()
                most = min([UBATCH, *(start - at for start in spans)])
                rows, pending = pending[:most], pending[most:]
                batch.add(0, at, rows, output_last=not pending)
                assert context.decode(batch) is DecodeResult.OK
                at += len(rows)
            row = context.outputs(1)[0].astype(np.float64)
            token = int(row.argmax())
            second, best = np.partition(row, -2)[-2:]
            yield token, float(best - second), float(-np.log(np.exp(row - best).sum()))
            pending = [token]

    def _look(self, clip: Clip, at: int, *, output_last: bool) -> None:
        """Put an image at that position."""
        clip.encode()
        self._alone.see_ahead(clip.sees_ahead)
        for first in range(0, clip.rows, UBATCH):
            count = min(UBATCH, clip.rows - first)
            is_end = first + count == clip.rows
            rows = ClipRows(clip, 0, at, first, count, output_last=output_last and is_end)
            assert self._alone.decode(rows) is DecodeResult.OK
        self._alone.see_ahead(False)

    def length_of(self, slot: Slot) -> int:
        """What llama.cpp says of the length of that slot's sequence."""
        spans = self.gallery.spans(slot.history.tolist())
        if slot.read:
            assert slot.span is not None
            sections = slot.span.clip.positions
            return slot.position + (slot.read if sections is None else 1)
        if spans and spans[-1].end == slot.position and spans[-1].clip.positions is not None:
            # Up and down and to the right is no progress in time.
            return spans[-1].start + 1
        return slot.position


def _shape(cells: int, sequences: int) -> ContextShape:
    return ContextShape(
        n_ctx=cells,
        n_batch=UBATCH,
        n_ubatch=UBATCH,
        n_seq_max=sequences,
        n_threads=1,
        n_outputs_max=min(UBATCH, SLOTS * (1 + DRAFT_MAX)),
        cache_type_k="f32",
        cache_type_v="f32",
        swa_full=False,
    )


def _characters(data: bytes) -> str:
    """Whole characters; one that is not complete yet was not written."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)


def _expected(
    count: int,
    tokens: list[int],
    margins: list[float],
    logprobs: list[float],
    text: str,
    reason: str,
    stop: str | None,
) -> Expected:
    clear = next((at for at in range(count) if margins[at] < CLEAR), count)
    return Expected(tuple(tokens[:count]), tuple(logprobs[:count]), text, reason, stop, clear)


class WatchedPrefixes(Prefixes):
    """Tells the reference what happens to each sequence, and holds each hit to it."""

    def __init__(
        self,
        bench: Bench,
        policy: CachePolicy,
        store: Store,
        disk: DiskStore | None,
        *,
        parks: bool,
    ) -> None:
        super().__init__(bench.memory, policy, store, disk, parks=parks)
        self.slots: dict[int, Slot] = {}
        self.model = CacheModel(SLOTS, MIN_TOKENS, any_prefix=not bench.is_rigid)
        # Whether a slot that is no longer used may be emptied.
        self.may_clear = not policy.is_on
        self._watched = policy
        self._inside = False
        # What each request's first choice took over.
        self.cached: dict[int, int] = {}
        self._has_room = policy.ram_bytes == AMPLE and not bench.is_cramped

    def place(
        self, job: Job, rows: Sequence[int], free: Sequence[Slot], busy: Sequence[Slot]
    ) -> tuple[Slot, int, str]:
        self.slots = {slot.index: slot for slot in (*free, *busy)}
        self.look()
        prompt = tuple(rows)
        longest, promised = self.model.longest(prompt), self.model.promised(prompt)
        self._inside = True
        slot, cached, why = super().place(job, rows, free, busy)
        self._inside = False
        assert slot in free
        self.cached.setdefault(job.request, cached)
        assert cached <= longest, why
        assert cached == 0 or cached >= MIN_TOKENS
        if not self._watched.is_on:
            assert (cached, why) == (0, "off")
        elif self._has_room:
            assert cached >= promised, (cached, promised, why)
        self.model.placed(slot.index, prompt, cached)
        for other in free:
            if other is not slot and not other.position:
                self.model.parked(other.index)
        self._check_kept()
        self.look()
        return slot, cached, why

    def twin(self, slot: Slot, free: Sequence[Slot]) -> Slot | None:
        # The decode that came before has grown the slots.
        self.look()
        self._inside = True
        twin = super().twin(slot, free)
        self._inside = False
        if twin is not None:
            self.model.copied(slot.index, twin.index)
            self._check_kept()
        self.look()
        return twin

    def _check_kept(self) -> None:
        if self._has_room and self._watched.is_on:
            for tokens in self.model.kept:
                assert self._store.covers(np.array(tokens, np.int32)), "worth keeping, and lost"

    def clear(self, slot: Slot) -> None:
        if not self._inside:
            # Half an image cannot be cut out of a recurrent state.
            is_needed = slot.read > 0 and self.is_recurrent
            assert self.may_clear or is_needed, "what was computed is kept"
            self.look()
        super().clear(slot)
        if not self._inside:
            self.model.lost(slot.index)

    def look(self) -> None:
        """See how far each sequence has come."""
        for slot in self.slots.values():
            if not self._inside:
                known = tuple(self._known(slot).tolist())
                if len(known) < len(self.model.slots[slot.index]):
                    self.model.cut(slot.index, len(known))
                else:
                    self.model.grew(slot.index, known)

    def bytes_kept(self) -> int:
        """Of the store, whose books have to balance."""
        entries = self._store.entries()
        kept = sum(entry.state.data.nbytes + entry.tokens.nbytes for entry in entries)
        assert kept == self._store.bytes == self._store.stats().bytes
        assert len({entry.pin for entry in entries if entry.pin}) == self._store.stats().sessions
        assert self._store.stats().sessions <= self._watched.max_pins
        return kept


class PatientDisk(DiskStore):
    """Writes at once: when a thread of its own gets to it is nobody's business here."""

    def put(self, tokens: npt.NDArray[np.int32], state: State) -> bool:
        is_written = super().put(tokens, state)
        assert self.flush(60)
        return is_written


class Prophet:
    """A drafter that knows what will be said, and is wrong now and then."""

    name = "prophet"
    was_behind = False

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def draft(self, asked: Sequence[Asked]) -> list[list[int]]:
        return [self._guess(tuple(one.tokens.tolist()), one.most) for one in asked]

    def _guess(self, tokens: Tokens, most: int) -> list[int]:
        guess = self._bench.continued(tokens, most)
        if guess and len(tokens) % 3 == 0:
            guess[len(tokens) % len(guess)] = BLANK
        return guess


class Eager(Guesser):
    """Guesses whether it pays or not: that depends on the machine."""

    @property
    def is_on(self) -> bool:
        return True


class Broken:
    """A grammar that allows everything, until it grows too complex for its library."""

    shortest = 1
    is_complete = False

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def begin(self, budget: int) -> tuple[Broken, Broken]:
        """Matcher and closer in one."""
        own = Broken(self.tokens)
        return own, own

    def apply(self, logits: Any) -> None:
        self.tokens -= 1
        if self.tokens < 0:
            raise Internal("the grammar is too complex")

    def takes(self, token: int) -> bool:
        return True

    def accept(self, token: int) -> None:
        pass

    def after(self, token: int) -> None:
        return None

    def refuses(self, token: int) -> bool:
        return False

    def may_be_closing(self, tokens: Sequence[int]) -> bool:
        return False


class Client:
    """Who waits for one request: hears every event and believes none."""

    def __init__(self, job: Job, expected: Expected, cached: dict[int, int]) -> None:
        self.job = job
        self._cached = cached
        self.expected = expected
        self.credit = job.window
        self.is_over = False
        # Cancelled: events that were on their way may still come, until the next turn ends.
        self.left = False
        self.deaf = False
        self.failure: Failed | None = None
        self.tokens: list[list[int]] = [[] for _ in range(job.choices)]
        # Those and the ones that stand for no text.
        self.ids: list[list[int]] = [[] for _ in range(job.choices)]
        self.texts = [""] * job.choices
        self.logprobs: list[list[float]] = [[] for _ in range(job.choices)]
        self.finished: dict[int, Finished] = {}
        self.is_accepted = False
        self.is_started = False
        self._told_cached = 0
        # It was in a decode that went wrong.
        self.may_fail = False

    def hear(self, event: Any) -> None:
        assert not self.deaf, "a cancelled request ends in silence"
        assert not self.is_over, "nothing comes after the end"
        match event:
            case Accepted(prompt_tokens=count):
                assert not self.is_accepted
                assert count == self.job.prompt_rows
                self.is_accepted = True
            case Started(prompt_tokens=count, cached_tokens=cached):
                assert self.is_accepted and not self.is_started
                assert count == self.job.prompt_rows
                # Nothing of a prompt is looked for that nobody reads.
                known = self._cached.get(self.job.request, 0)
                assert cached in (0, self.job.rows(min(known, len(self.job.prompt))))
                assert cached or not known or self.job.resumed
                self._told_cached = cached
                self.is_started = True
            case Delta() | ScoredDelta():
                self._read(event)
            case Silent(choice=choice, tokens=tokens):
                assert self.is_started and choice not in self.finished
                self.ids[choice] += tokens
            case Finished(choice=choice):
                assert choice not in self.finished
                self.finished[choice] = event
                self._judge(choice, event)
            case Done():
                self._settle(event)
            case Failed():
                self.failure, self.is_over = event, True
            case _:
                raise AssertionError(event)

    def _read(self, event: Delta | ScoredDelta) -> None:
        assert self.is_started
        assert event.choice not in self.finished
        assert self.credit > 0, "never more than the client has room for"
        self.credit -= 1
        assert event.text, "a delta has something to say"
        self.texts[event.choice] += event.text
        self.tokens[event.choice] += event.tokens
        self.ids[event.choice] += event.tokens
        if isinstance(event, ScoredDelta):
            assert self.job.logprobs is not None
            assert len(event.logprobs) == len(event.tokens)
            self.logprobs[event.choice] += [score.logprob for score in event.logprobs]
        else:
            assert self.job.logprobs is None

    def _judge(self, choice: int, end: Finished) -> None:
        expected = self.expected
        tokens, clear = self.tokens[choice], expected.clear
        assert tuple(tokens[:clear]) == expected.tokens[: min(clear, len(tokens))]
        # Those of tokens that another process had chosen are not known again.
        own = slice(len(self.job.said(choice)), clear)
        for one, other in zip(self.logprobs[choice][own], expected.logprobs[own], strict=False):
            assert one == pytest.approx(other, abs=CLEAR)
        if clear == len(expected.tokens):
            assert (end.reason, end.stop) == (expected.reason, expected.stop)
            assert self.texts[choice] == expected.text

    def _settle(self, done: Done) -> None:
        self.is_over = True
        assert sorted(self.finished) == self.job.open_choices
        usage, choices = done.usage, self.job.choices
        assert usage.prompt_tokens == self.job.prompt_rows
        assert usage.reasoning_tokens == 0
        assert usage.cached_tokens == self._told_cached
        assert done.timings.accepted <= done.timings.drafted
        over = [one.tokens for one in self.job.resumed.values() if one.finished]
        assert sum(map(len, (*self.ids, *over))) == usage.completion_tokens
        assert usage.completion_tokens <= choices * self.job.max_tokens
        if self.expected.clear == len(self.expected.tokens):
            assert usage.completion_tokens == choices * len(self.expected.tokens)
        assert min(done.timings.queued, done.timings.prefill, done.timings.decode) >= 0


@dataclass(frozen=True)
class Setup:
    """How an engine is configured."""

    mode: CacheMode = "automatic"
    ram_bytes: int = AMPLE
    guesses: bool = False
    disk_bytes: int = 0
    parks: bool = False


class EngineLab:
    """One engine, its clients and the reference, from empty to idle."""

    def __init__(self, bench: Bench, setup: Setup) -> None:
        bench.reset()
        self.bench = bench
        self.policy = CachePolicy(setup.mode, MIN_TOKENS, 2, setup.ram_bytes, setup.disk_bytes)
        context, model = bench.context, bench.model
        self._folder = tempfile.TemporaryDirectory()
        self._disk = None
        if setup.disk_bytes:
            self._disk = PatientDisk(Path(self._folder.name), "0" * 32, setup.disk_bytes)
            self._disk.open()
        store = Store(setup.ram_bytes, self.policy.max_pins)
        self.prefixes = WatchedPrefixes(bench, self.policy, store, self._disk, parks=setup.parks)
        self.prefixes.may_clear |= bench.is_cramped
        guesser = Eager(Prophet(bench), DRAFT_MAX, 1) if setup.guesses else None
        self.engine = Engine(
            context,
            model,
            self.prefixes,
            Candidates(model.n_vocab, model.vocab),
            slots=SLOTS,
            queue=QUEUE,
            n_ubatch=UBATCH,
            crowding=None,
            guesser=guesser,
            emit=self._hear,
        )
        self.clients: dict[int, Client] = {}
        self._numbers = itertools.count(1)

    def _hear(self, events: list[Any]) -> None:
        for event in events:
            self.clients[event.request].hear(event)

    # What clients do.

    def submit(self, job: Job) -> Client:
        """The job's number does not matter."""
        number = next(self._numbers)
        prompt = tuple(job.prompt)
        expected = self.bench.expected(prompt, job.max_tokens, job.stop)
        client = self.clients[number] = Client(
            replace(job, request=number), expected, self.prefixes.cached
        )
        self.engine.tell(Begin(client.job))
        return client

    def cancel(self, client: Client) -> None:
        """Nobody reads it any more."""
        client.left = True
        self.engine.tell(Cancel(client.job.request))

    def cancel_all(self) -> None:
        for client in self.clients.values():
            client.left = True
        self.engine.tell(CancelAll())

    def pay(self, client: Client, events: int) -> None:
        """Credit for more deltas."""
        client.credit += events
        self.engine.tell(Credit(client.job.request, events))

    def interrupt(self, action: Callable[[], None]) -> None:
        """Do that in the middle of the next decode, as another thread would."""
        self.bench.context.interruption = action

    def break_next(self, sequence: int, result: DecodeResult) -> None:
        """One turn in which decodes with rows of that sequence fail."""
        self.prefixes.may_clear = True
        self.bench.context.broken = (sequence, result)
        self.bench.context.on_failure = self._blame

    def _blame(self, sequences: set[int], result: DecodeResult) -> None:
        # Several are tried again one by one, except where nothing can be taken back.
        if len(sequences) == 1 or (self.bench.is_recurrent and result is DecodeResult.FAILED):
            for index in sequences:
                choice = self.prefixes.slots[index].running
                self.clients[choice.request.job.request].may_fail = True

    # What the engine does.

    def turn(self) -> bool:
        """One turn of the engine, and a look at everything."""
        left = [client for client in self.clients.values() if client.left]
        worked = self.engine.turn()
        self.bench.context.broken = None
        for client in left:
            client.deaf = True
        self.check()
        return worked

    def check(self) -> None:
        """What is true between turns."""
        self.prefixes.look()
        for index, slot in self.prefixes.slots.items():
            assert self.bench.memory.length(index) == self.bench.length_of(slot)
            if not self.bench.is_rigid:
                assert self.bench.memory.positions(index).start == 0
        assert self.prefixes.bytes_kept() <= self.policy.ram_bytes
        assert self.engine.busy_slots <= SLOTS

    def settle(self) -> None:
        """Pay everybody and let the engine work until it is idle: all is over, nothing is left."""
        for client in self.clients.values():
            if not client.left:
                self.pay(client, 1_000_000)
        for _ in range(MANY_TURNS):
            if not self.turn() and not self.engine.busy_slots:
                break
        assert not self.engine.busy_slots
        assert not self.engine.queued
        for client in self.clients.values():
            assert client.is_over or client.left
            if client.failure is not None:
                assert self.may_have_failed(client), client.failure

    def may_have_failed(self, client: Client) -> bool:
        assert client.failure is not None
        if client.failure.code == "overloaded":
            return not client.is_accepted or self.bench.is_cramped or client.may_fail
        return client.may_fail or client.job.grammar is not None

    def close(self) -> None:
        """The folder goes, too."""
        if self._disk is not None:
            assert self._disk.close(60) == 0
        self._folder.cleanup()

    def empty(self) -> None:
        """No cell has leaked: a text as long as the whole cache finds room."""
        memory, context = self.bench.memory, self.bench.context
        for sequence in range(SLOTS):
            memory.clear(sequence)
            assert memory.length(sequence) == 0
        batch = Batch(UBATCH)
        for at in range(0, self.bench.cells, UBATCH):
            batch.clear()
            batch.add(0, at, [300 + at % 100] * UBATCH, output_last=False)
            assert context.decode(batch) is DecodeResult.OK
        memory.clear(0)
