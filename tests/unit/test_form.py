"""Multipart forms: read whatever their pieces are, and refused when they are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.form import Form
from kronk.shared.errors import InvalidArgument

TYPE = "multipart/form-data; boundary=xx"


def part(name: str, value: bytes, *, filename: str | None = None) -> bytes:
    says = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return f"--xx\r\nContent-Disposition: {says}\r\n\r\n".encode() + value + b"\r\n"


def closed(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xx--\r\n"


def read(body: bytes, content_type: str = TYPE, at: int = 0) -> tuple[dict[str, str], bytes]:
    file = bytearray()
    form = Form(content_type, file.extend, 100)
    form.feed(body[:at])
    form.feed(body[at:])
    return dict(form.end()), bytes(file)


@given(st.binary(), st.text(st.characters(codec="utf-8"), max_size=25), st.integers(0, 400))
def test_a_form_is_read_whatever_its_pieces_are(file: bytes, text: str, at: int) -> None:
    value = text.encode()
    if b"\r\n--xx" in file or b"\r\n--xx" in value:
        return
    body = closed(part("prompt", value), part("file", file, filename="a.wav"), part("z", b"1"))
    assert read(body, at=at) == ({"prompt": text, "z": "1"}, file)


@pytest.mark.parametrize(
    ("body", "content_type", "param", "words"),
    [
        (b"{}", "application/json", None, "multipart/form-data"),
        (b"", "", None, "multipart/form-data"),
        (b"", "multipart/form-data", None, "boundary"),
        (b"hello", TYPE, None, "not a multipart form"),
        (b"", TYPE, None, "before its closing boundary"),
        (part("file", b"x", filename="a"), TYPE, None, "before its closing boundary"),
        (closed(part("model", b"m")), TYPE, "file", "missing file"),
        (closed(part("file", b"text")), TYPE, "file", "with a filename"),
        (closed(part("sound", b"x", filename="a")), TYPE, "file", "in the field 'file'"),
        (closed(*[part("file", b"x", filename="a")] * 2), TYPE, "file", "twice"),
        (closed(*[part("model", b"x")] * 2), TYPE, "model", "twice"),
        (closed(part("prompt", b"x" * 101)), TYPE, "prompt", "longer than 100 bytes"),
        (closed(*[part(f"f{at}", b"x") for at in range(17)]), TYPE, None, "more than 16 fields"),
        (b"--xx\r\nContent-Type: a/b\r\n\r\nx\r\n--xx--", TYPE, None, "has no name"),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(
    body: bytes, content_type: str, param: str | None, words: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read(body, content_type)
    assert caught.value.param == param
    assert words in caught.value.message
