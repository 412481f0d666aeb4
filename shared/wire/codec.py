"""Messages to bytes and back: typed, size-capped msgpack, validated against the dataclasses.

A frame is one msgpack array: `[generation, [tag, field, ...], [tag, field, ...], ...]`.
`generation` is the sender's process generation, so that a frame of a process that was replaced
can be told from one of its successor. One frame may carry several messages, because the engine
produces the events of all slots at once and one send is cheaper than eight.

Each receiver reads with the `Family` of messages it accepts; anything else is a `WireError` that
names the message and the field. Nothing that was received is ever unpickled or evaluated.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgpack

from kronk.shared.errors import WireError

# A prompt of a million tokens of text is about 4 MB and an image 20 MB; 64 MB leaves room and
# still bounds what a broken peer can make us hold.
MAX_FRAME_BYTES = 64 * 1024 * 1024

# A frame of so many bytes is not copied any more where it is made: that would be felt by streams.
LARGE_FRAME_BYTES = 256 * 1024

Message = Any
Frame = bytes | memoryview
Check = Callable[[Any], Any]


class _Mismatch(Exception):
    """Internal to decoding: collects the path to the field on its way up."""

    def __init__(self, expected: str, value: object) -> None:
        got = f"{len(value)}" if isinstance(value, list) else type(value).__name__
        self.path = ""
        self.detail = f"expected {expected}, got {got}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Layout:
    """How one dataclass lies in an array."""

    cls: type
    names: tuple[str, ...]
    checks: tuple[Check, ...]
    pack: Callable[[Any], Sequence[Any]]
    # Where all fields are plain: builds a message of a tag and fields of the exact types, None of
    # anything else; and makes that of a message.
    build_plain: Callable[[Sequence[Any]], Any] | None
    pack_plain: Callable[[Any], tuple[Any, ...]] | None

    def build(self, values: Sequence[Any]) -> Any:
        """The message, or `_Mismatch` with the path to the field."""
        if len(values) != len(self.names):
            raise _Mismatch(f"{len(self.names)} fields", values)
        arguments = []
        for name, check, value in zip(self.names, self.checks, values, strict=True):
            try:
                arguments.append(check(value))
            except _Mismatch as mismatch:
                mismatch.path = f".{name}{mismatch.path}"
                raise
        return self.cls(*arguments)


class Family:
    """The messages one door accepts, by the name of their class."""

    def __init__(self, name: str, *messages: type) -> None:
        self.name = name
        self._layouts = {cls.__name__: _layout(cls) for cls in messages}
        # Of those on the token path.
        self._builders = {
            name: layout.build_plain
            for name, layout in self._layouts.items()
            if layout.build_plain is not None
        }

    def decode(self, frame: Frame) -> tuple[int, list[Message]]:
        """The sender's generation and the messages of one frame; `WireError` on anything else."""
        try:
            generation, *packed = msgpack.unpackb(frame, raw=False, strict_map_key=False)
            if type(generation) is not int:
                raise TypeError
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise WireError(f"{self.name}: not a frame of ours ({error})") from error
        messages, builders = [], self._builders
        for item in packed:
            message = None
            if type(item) is list and item and type(item[0]) is str and item[0] in builders:
                message = builders[item[0]](item)
            messages.append(self._message(item) if message is None else message)
        return generation, messages

    def _message(self, item: object) -> Message:
        tag = item[0] if isinstance(item, list) and item else None
        layout = self._layouts.get(tag) if isinstance(tag, str) else None
        if layout is None:
            raise WireError(f"{self.name}: unknown message {tag!r}", param=str(tag))
        assert isinstance(item, list)
        try:
            return layout.build(item[1:])
        except _Mismatch as mismatch:
            field = f"{tag}{mismatch.path}"
            raise WireError(f"{self.name}: {field}: {mismatch.detail}", param=field) from None


def encode(generation: int, messages: Iterable[Message]) -> Frame:
    """One frame holding `messages` in their order; a large one as a view of where it is written."""
    packed: list[Any] = [generation]
    is_plain = True
    for message in messages:
        layout = _layouts.get(type(message)) or _layout(type(message))
        if layout.pack_plain is not None:
            packed.append(layout.pack_plain(message))
        else:
            is_plain = False
            packed.append((layout.cls.__name__, *layout.pack(message)))
    if is_plain:
        frame = _TOKEN_FRAMES.pack(packed)
        if len(frame) < LARGE_FRAME_BYTES:
            return frame
    packer = msgpack.Packer(autoreset=False)
    packer.pack(packed)
    view: memoryview = packer.getbuffer()
    if len(view) > MAX_FRAME_BYTES:
        raise WireError(f"a frame of {len(view)} bytes is over the limit of {MAX_FRAME_BYTES}")
    return view if len(view) >= LARGE_FRAME_BYTES else bytes(view)


class _TokenFrames:
    """A packer that is kept: to make one costs as much as a token. One call of it is not
    interrupted by another thread's."""

    def __init__(self) -> None:
        self._packer = msgpack.Packer()

    def pack(self, packed: list[Any]) -> bytes:
        frame: bytes = self._packer.pack(packed)
        if len(frame) >= LARGE_FRAME_BYTES:
            # Its buffer grows with what it packs, and never shrinks.
            self._packer = msgpack.Packer()
        return frame


_TOKEN_FRAMES = _TokenFrames()
_layouts: dict[type, _Layout] = {}


def _layout(cls: type) -> _Layout:
    layout = _layouts.get(cls)
    if layout is None:
        layout = _layouts[cls] = _make_layout(cls)
    return layout


def _make_layout(cls: type) -> _Layout:
    hints = typing.get_type_hints(cls)
    names = tuple(field.name for field in dataclasses.fields(cls))
    packers = [_packer(hints[name]) for name in names]
    return _Layout(
        cls,
        names,
        tuple(_check(hints[name]) for name in names),
        _pack_fields(names, packers),
        *_plain_functions(cls, {name: hints[name] for name in names}),
    )


# Tests on a decoded value `v` for the types that messages of the token path are made of.
_PLAIN_TESTS = {
    int: "type({v}) is int",
    str: "type({v}) is str",
    bool: "type({v}) is bool",
    # Token ids; a list comprehension costs more than all else for the usual single token.
    tuple[int, ...]: "type({v}) is list and (len({v}) == 1 and type({v}[0]) is int)",
}


def _plain_functions(
    cls: type, hints: dict[str, Any]
) -> tuple[Callable[[Sequence[Any]], Any] | None, Callable[[Any], tuple[Any, ...]] | None]:
    """`build_plain` and `pack_plain`: one function each with all inline, as `dataclasses` writes
    `__init__`.

    A worker's token is decoded on a processor whose caches the model has just swept, where each
    call of a small function costs microseconds: 28 a token this way, 40 field by field. The source
    is made of our own types' names alone, never of what was received.
    """
    if not all(hint in _PLAIN_TESTS for hint in hints.values()) or hasattr(cls, "__post_init__"):
        return None, None
    namespace: dict[str, Any] = {"cls": cls, "new": object.__new__}
    tests, setters = [], []
    for name, hint in hints.items():
        # As `__init__` of a frozen class does it, without asking for the descriptor each time.
        namespace[f"set_{name}"] = getattr(cls, name).__set__
        value = f"tuple(v_{name})" if hint == tuple[int, ...] else f"v_{name}"
        setters.append(f"            set_{name}(message, {value})")
        tests.append(_PLAIN_TESTS[hint].format(v=f"v_{name}"))
    code = [
        "def build(item):",
        f"    if len(item) == {1 + len(hints)}:",
        f"        {', '.join(['_', *(f'v_{name}' for name in hints)])}, = item",
        f"        if {' and '.join(tests) or 'True'}:",
        "            message = new(cls)",
        *setters,
        "            return message",
        "def pack(message):",
        f"    return ({cls.__name__!r}, {''.join(f'message.{name}, ' for name in hints)})",
    ]
    exec("\n".join(code), namespace)
    return namespace["build"], namespace["pack"]


def _pack_fields(
    names: tuple[str, ...], packers: list[Callable[[Any], Any] | None]
) -> Callable[[Any], Sequence[Any]]:
    """The fields of a message as an array; plain fields, the common case, in one C call."""
    if not names:
        return lambda message: ()
    get = attrgetter(*names)
    if all(packer is None for packer in packers):
        return get if len(names) > 1 else lambda message: (get(message),)

    def pack(message: Any) -> list[Any]:
        values = get(message) if len(names) > 1 else (get(message),)
        return [
            packer(value) if packer else value
            for packer, value in zip(packers, values, strict=True)
        ]

    return pack


def _packer(hint: Any) -> Callable[[Any], Any] | None:
    """What turns a field into msgpack's own types; None where it is one already."""
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return lambda value: _layout(hint).pack(value)
    arguments = typing.get_args(hint)
    if _is_optional(hint):
        inner = _packer(_without_none(arguments))
        return inner and _unless_none(inner)
    if typing.get_origin(hint) is tuple:
        inner = _packer(arguments[0])
        return inner and _each(inner)
    return None


def _unless_none(inner: Check) -> Check:
    return lambda value: None if value is None else inner(value)


def _each(inner: Check) -> Check:
    return lambda value: [inner(item) for item in value]


def _check(hint: Any) -> Check:
    """What turns a decoded value into a field of that type, or raises `_Mismatch`."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return _nested(hint)
    arguments = typing.get_args(hint)
    if _is_optional(hint):
        return _unless_none(_check(_without_none(arguments)))
    match typing.get_origin(hint):
        case typing.Literal:
            return _literal(arguments)
        case origin if origin is tuple and arguments[1:] == (...,):
            return _tuple_of(_check(arguments[0]))
        case origin if origin is dict and arguments[0] is str:
            return _dict_of(_check(arguments[1]))
    raise TypeError(f"the wire does not carry {hint}")


def _scalar(kind: type) -> Check:
    def check(value: Any) -> Any:
        # `type is`, not isinstance: True is an int to Python and must not be one to us.
        if type(value) is not kind:
            raise _Mismatch(kind.__name__, value)
        return value

    return check


def _float(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise _Mismatch("float", value)
    return float(value)


_SCALARS: dict[Any, Check] = {
    int: _scalar(int),
    str: _scalar(str),
    bytes: _scalar(bytes),
    bool: _scalar(bool),
    float: _float,
    # JSON that only its final reader understands: chat messages, tool schemas.
    Any: lambda value: value,
}


def _nested(cls: type) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, list):
            raise _Mismatch(cls.__name__, value)
        return _layout(cls).build(value)

    return check


def _literal(allowed: tuple[Any, ...]) -> Check:
    def check(value: Any) -> Any:
        if value not in allowed:
            raise _Mismatch(f"one of {', '.join(map(str, allowed))}", value)
        return value

    return check


def _tuple_of(inner: Check) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, list):
            raise _Mismatch("array", value)
        return tuple([inner(item) for item in value])

    return check


def _dict_of(inner: Check) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, dict) or not all(type(key) is str for key in value):
            raise _Mismatch("map of names", value)
        return {key: inner(item) for key, item in value.items()}

    return check


def _is_optional(hint: Any) -> bool:
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return is_union and type(None) in typing.get_args(hint)


def _without_none(arguments: tuple[Any, ...]) -> Any:
    (inner,) = [item for item in arguments if item is not type(None)]
    return inner
