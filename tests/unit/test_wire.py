"""What one end encodes the other decodes, and nothing else gets through."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import types
import typing
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import WireError
from kronk.shared.wire import to_gateway, to_supervisor, to_worker
from kronk.shared.wire.codec import Family, encode
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Prompt, Sampling

FAMILIES = [
    to_supervisor.CONTROL,
    to_worker.CONTROL,
    to_worker.DATA,
    to_gateway.CONTROL,
    to_gateway.DATA,
]
EVERY_MESSAGE = [(family, layout.cls) for family in FAMILIES for layout in family._layouts.values()]


@functools.cache
def value_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type, built from the type itself: a new message tests itself."""
    plain = {
        int: st.integers(-(2**63), 2**63 - 1),
        str: st.text(st.characters(codec="utf-8"), max_size=20),
        bytes: st.binary(max_size=20),
        bool: st.booleans(),
        float: st.floats(allow_nan=False),
        Any: st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=5)),
    }
    if hint in plain:
        return plain[hint]
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return message_of(hint)
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return st.none() | value_of(next(a for a in arguments if a is not type(None)))
    if typing.get_origin(hint) is typing.Literal:
        return st.sampled_from(arguments)
    if typing.get_origin(hint) is dict:
        return st.dictionaries(value_of(arguments[0]), value_of(arguments[1]), max_size=3)
    assert typing.get_origin(hint) is tuple
    return st.lists(value_of(arguments[0]), max_size=3).map(tuple)


@functools.cache
def message_of(cls: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(cls)
    return st.builds(cls, *(value_of(hints[field.name]) for field in dataclasses.fields(cls)))


@pytest.mark.parametrize(("family", "cls"), EVERY_MESSAGE, ids=lambda v: getattr(v, "__name__", ""))
@given(data=st.data(), generation=st.integers(0, 2**40))
def test_a_message_arrives_as_it_was_sent(
    family: Family, cls: type, data: st.DataObject, generation: int
) -> None:
    messages = data.draw(st.lists(message_of(cls), min_size=1, max_size=3))
    assert family.decode(encode(generation, messages)) == (generation, messages)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (b"", "not a frame"),
        (b"\xc1", "not a frame"),
        (b"\x91" * 5000, "not a frame"),
        (msgpack.packb({"a": 1}), "not a frame"),
        (msgpack.packb([True, ["Cancel", 1]]), "not a frame"),
        (msgpack.packb([1, "Cancel"]), "unknown message"),
        (msgpack.packb([1, []]), "unknown message"),
        (msgpack.packb([1, ["Load", 1]]), "unknown message 'Load'"),
        (msgpack.packb([1, ["Cancel", "x"]]), "Cancel.request: expected int, got str"),
        (msgpack.packb([1, ["Cancel", True]]), "Cancel.request: expected int, got bool"),
        (msgpack.packb([1, ["Cancel"]]), "Cancel: expected 1 fields, got 0"),
        (msgpack.packb([1, ["Cancel", 1, 2]]), "Cancel: expected 1 fields, got 2"),
    ],
)
def test_a_frame_that_cannot_be_read_is_named(frame: bytes, says: str) -> None:
    with pytest.raises(WireError, match="data plane of a worker") as caught:
        to_worker.DATA.decode(frame)
    assert says in caught.value.message


def test_a_field_deep_inside_is_named() -> None:
    submit = Submit(1, "n", Prompt(text="x"), Sampling(top_k=40), Answer(), None, (), 64)
    generation, message = msgpack.unpackb(encode(1, [submit]))
    sampling = 1 + [field.name for field in dataclasses.fields(Submit)].index("sampling")
    message[sampling][1] = "40"
    with pytest.raises(WireError) as caught:
        to_worker.DATA.decode(msgpack.packb([generation, message]))
    assert caught.value.param == "Submit.sampling.top_k"


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_worse(frame: bytes) -> None:
    with contextlib.suppress(WireError):
        to_gateway.DATA.decode(frame)
