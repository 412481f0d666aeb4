"""Multipart forms with a file: read however they arrive, and refused when they are none."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.form import Form
from kronk.shared.errors import InvalidArgument


def part(head: str, value: bytes) -> bytes:
    return (
        b"--X\r\ncontent-disposition: form-data; " + head.encode() + b"\r\n\r\n" + value + b"\r\n"
    )


FILE_PART = part('name="file"; filename="a.jsonl"', b"one\r\n--not X\r\ntwo\0")
PURPOSE = part('name="purpose"', b"batch")
END = b"--X--\r\n"
KIND = "multipart/form-data; boundary=X"


def fed(body: bytes, size: int = 10**6, kind: str = KIND) -> tuple[Form, bytes]:
    content = bytearray()
    form = Form(kind, content.extend, 1024)
    for start in range(0, len(body), size):
        form.feed(body[start : start + size])
    form.end()
    return form, bytes(content)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("body", [FILE_PART + PURPOSE + END, PURPOSE + FILE_PART + END])
def test_a_form_is_read_however_it_arrives(body: bytes, size: int) -> None:
    form, content = fed(body, size)
    assert form.fields == {"purpose": "batch"}
    assert (form.filename, content) == ("a.jsonl", b"one\r\n--not X\r\ntwo\0")


def test_a_filename_may_be_of_any_language_and_forges_nothing() -> None:
    named = part('name="file"; filename="\u65e5\u672c\x07.jsonl"', b"x")
    assert fed(named + END)[0].filename == "\u65e5\u672c\ufffd.jsonl"


BAD_FORMS: list[tuple[bytes, str, str | None, str]] = [
    (b"", KIND, None, "closing boundary"),
    (FILE_PART, KIND, None, "closing boundary"),
    (b"{}", KIND, None, "not a multipart form"),
    (FILE_PART + END, "application/json", None, "multipart/form-data"),
    (FILE_PART + END, "multipart/form-data", None, "boundary"),
    (FILE_PART + END, "multipart/form-data; boundary=" + "x" * 500, None, "not a multipart"),
    (PURPOSE + END, KIND, "file", "missing file"),
    (part('name="file"', b"text") + END, KIND, "file", "expected a file"),
    (part('name="file"; filename=""', b"text") + END, KIND, "file", "expected a file"),
    (part(f'name="file"; filename="{"x" * 513}"', b"") + END, KIND, "file", "512"),
    (FILE_PART + FILE_PART + END, KIND, "file", "twice"),
    (PURPOSE + PURPOSE + FILE_PART + END, KIND, "purpose", "twice"),
    (part('name="data"; filename="a"', b"x") + END, KIND, "file", "in the field 'file'"),
    (part('name="purpose"', b"x" * 1025) + END, KIND, "purpose", "1024 bytes"),
    (b"--X\r\ncontent-type: text/plain\r\n\r\nx\r\n" + END, KIND, None, "no name"),
    (b"".join(part(f'name="f{n}"', b"x") for n in range(17)) + END, KIND, None, "16 fields"),
]


@pytest.mark.parametrize("size", [1, 10**6])
@pytest.mark.parametrize(("body", "kind", "param", "says"), BAD_FORMS)
def test_what_is_wrong_with_a_form_is_said(
    body: bytes, kind: str, param: str | None, says: str, size: int
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        fed(body, size, kind)
    assert refused.value.param == param
    assert says in refused.value.message


@given(st.binary(), st.text(st.characters(codec="utf-8"), max_size=25), st.integers(1, 400))
def test_any_file_and_any_text_arrive_unchanged(file: bytes, text: str, size: int) -> None:
    value = text.encode()
    if b"\r\n--X" in file or b"\r\n--X" in value:
        return
    body = part('name="prompt"', value) + part('name="file"; filename="a"', file) + END
    form, content = fed(body, size)
    assert (form.fields, content) == ({"prompt": text}, file)


def test_random_bytes_are_no_form() -> None:
    found: list[Any] = []
    for seed in range(50):
        with pytest.raises(InvalidArgument):
            found.append(fed(b"--X\r\n" + os.urandom(200 + seed)))
    assert not found
