"""Forms of a CPU profile that py-spy does not write itself, made of its collapsed stacks. Pure."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# `name (file:line)`, from the outermost frame to the innermost.
_FRAME = re.compile(r"(.*) \(([^()]*?)(?::(\d+))?\)")
_ROWS = 60


@dataclass(frozen=True, slots=True)
class Frame:
    """A function, and the line it was at."""

    name: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames from the outermost to the innermost, and how often they were seen."""

    frames: tuple[Frame, ...]
    samples: int


def parse(text: str) -> list[Stack]:
    """What `py-spy record --format raw` has written."""
    stacks = []
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        if frames and count.isdecimal():
            stacks.append(Stack(tuple(_frame(part) for part in frames.split(";")), int(count)))
    return stacks


def _frame(text: str) -> Frame:
    found = _FRAME.fullmatch(text.strip())
    if found is None:
        return Frame(text.strip())
    return Frame(found[1], found[2], int(found[3] or 0))


def table(stacks: Iterable[Stack], rate: int) -> str:
    """The functions that took most, as `go tool pprof -top` lists them."""
    flat: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    total = 0
    for stack in stacks:
        names = [f"{one.name} ({one.file})" if one.file else one.name for one in stack.frames]
        total += stack.samples
        flat[names[-1]] += stack.samples
        for name in set(names):
            whole[name] += stack.samples
    lines = [
        f"Total samples: {total} ({total / rate:.2f} s of threads)",
        f"{'flat':>9} {'flat%':>7} {'sum%':>7} {'cum':>9} {'cum%':>7}",
    ]
    running = 0
    order = sorted(whole, key=lambda name: (-flat[name], -whole[name], name))
    for name in order[:_ROWS]:
        running += flat[name]
        own, all_ = flat[name] / rate, whole[name] / rate
        lines.append(
            f"{own:>8.2f}s {_share(flat[name], total)} {_share(running, total)} "
            f"{all_:>8.2f}s {_share(whole[name], total)}  {name}"
        )
    return "\n".join(lines) + "\n"


def _share(part: int, total: int) -> str:
    return f"{100 * part / total:>6.2f}%" if total else f"{0:>6.2f}%"


# https://github.com/google/pprof/blob/main/proto/profile.proto: field numbers of its messages.
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRING = 1, 2, 4, 5, 6
_DURATION_NANOS, _PERIOD_TYPE, _PERIOD = 10, 11, 12


def pprof(stacks: Iterable[Stack], rate: int, seconds: float) -> bytes:
    """For `go tool pprof`: a gzipped `profile.proto`."""
    made = _Pprof(rate)
    for stack in stacks:
        made.add(stack)
    return gzip.compress(made.message(seconds), mtime=0)


class _Pprof:
    def __init__(self, rate: int) -> None:
        self._period = 1_000_000_000 // rate
        self._strings: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[Frame, int] = {}
        self._body = bytearray()
        samples = self._type("samples", "count")
        self._cpu = self._type("cpu", "nanoseconds")
        self._body += _bytes(_SAMPLE_TYPE, samples) + _bytes(_SAMPLE_TYPE, self._cpu)

    def add(self, stack: Stack) -> None:
        # The innermost first.
        places = [self._location(frame) for frame in reversed(stack.frames)]
        values = [stack.samples, stack.samples * self._period]
        self._body += _bytes(_SAMPLE, _packed(1, places) + _packed(2, values))

    def message(self, seconds: float) -> bytes:
        body = self._body + b"".join(_bytes(_STRING, text.encode()) for text in self._strings)
        body += _number(_DURATION_NANOS, int(seconds * 1e9))
        return bytes(body + _bytes(_PERIOD_TYPE, self._cpu) + _number(_PERIOD, self._period))

    def _type(self, kind: str, unit: str) -> bytes:
        return _number(1, self._string(kind)) + _number(2, self._string(unit))

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _location(self, frame: Frame) -> int:
        known = self._locations.get(frame)
        if known is not None:
            return known
        number = self._locations[frame] = len(self._locations) + 1
        line = _number(1, self._function(frame)) + _number(2, frame.line)
        self._body += _bytes(_LOCATION, _number(1, number) + _bytes(4, line))
        return number

    def _function(self, frame: Frame) -> int:
        key = (frame.name, frame.file)
        known = self._functions.get(key)
        if known is not None:
            return known
        number = self._functions[key] = len(self._functions) + 1
        name, file = self._string(frame.name), self._string(frame.file)
        fields = _number(1, number) + _number(2, name) + _number(3, name) + _number(4, file)
        self._body += _bytes(_FUNCTION, fields)
        return number


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _bytes(field, b"".join(_varint(value) for value in values))
