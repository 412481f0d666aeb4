"""Forms that are not acceptable."""

from __future__ import annotations

from collections.abc import Callable

from .error_shape import Refusal, bad, missing
from .routes import FormRoute

BOUNDARY = "b0undary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: bytes, value: bytes, filename: bytes | None = None) -> bytes:
    head = b'Content-Disposition: form-data; name="%b"' % name
    if filename is not None:
        head += b'; filename="%b"' % filename
    return b"--%b\r\n%b\r\n\r\n%b\r\n" % (BOUNDARY.encode(), head, value)


END = f"--{BOUNDARY}--\r\n".encode()


def form(route: FormRoute, *parts: bytes, without: str = "", **fields: bytes) -> bytes:
    """The route's form: with other fields, more parts, or without one of its own."""
    given = {name: value.encode() for name, value in route.fields.items()} | fields
    own = [part(name.encode(), value) for name, value in given.items() if name != without]
    if without != "file":
        own.append(part(b"file", route.file, b"a.wav"))
    return b"".join([*own, *parts, END])


FormCase = tuple[Callable[[FormRoute], bytes], str, Refusal]
FORMS: dict[str, FormCase] = {
    "nothing": (lambda _: b"", FORM, bad(None)),
    "no form": (lambda _: b'{"model": "Tiny"}', FORM, bad(None)),
    "JSON": (lambda _: b'{"model": "Tiny"}', "application/json", bad(None)),
    "another kind of form": (lambda _: b"a=b", "application/x-www-form-urlencoded", bad(None)),
    "no content type": (form, "", bad(None)),
    "no boundary": (form, "multipart/form-data", bad(None)),
    "another boundary": (form, "multipart/form-data; boundary=x", bad(None)),
    "a boundary that is too long": (form, f"multipart/form-data; boundary={'x' * 5000}", bad(None)),
    "cut off": (lambda route: form(route)[:-9], FORM, bad(None)),
    "cut off in its file": (lambda route: form(route)[: -len(route.file) // 2], FORM, bad(None)),
    "no file": (lambda route: form(route, without="file"), FORM, bad("file")),
    "two files": (lambda route: form(route, part(b"file", b"x", b"y")), FORM, bad("file")),
    "a file that is a text": (
        lambda route: form(route, part(b"file", b"x"), without="file"),
        FORM,
        bad("file"),
    ),
    "a file in another field": (
        lambda route: form(route, part(b"other", b"x", b"y"), without="file"),
        FORM,
        bad("file"),
    ),
    "an empty file": (
        lambda route: form(route, part(b"file", b"", b"y"), without="file"),
        FORM,
        bad("file"),
    ),
    "a file of something else": (
        lambda route: form(route, part(b"file", b"\0" * 500, b"y"), without="file"),
        FORM,
        bad("file"),
    ),
    "a field that nobody knows": (lambda route: form(route, wat=b"1"), FORM, bad("wat")),
    "a field that is there twice": (
        lambda route: form(route, part(b"prompt", b"x"), part(b"prompt", b"y")),
        FORM,
        bad("prompt"),
    ),
    "bytes that are not UTF-8": (lambda route: form(route, prompt=b"\xff"), FORM, bad("prompt")),
    "a part without a name": (
        lambda route: form(route).replace(b'name="file"', b"nothing=1"),
        FORM,
        bad(None),
    ),
}
SPEECH_FORMS: dict[str, FormCase] = {
    "a recording for a model of texts": (form, FORM, bad("file")),
    "no model": (lambda route: form(route, without="model"), FORM, bad("model")),
    "an empty model": (lambda route: form(route, model=b""), FORM, bad("model")),
    "no such model": (lambda route: form(route, model=b"nope"), FORM, missing("model")),
    "a NUL in the model": (lambda route: form(route, model=b"Tiny\0"), FORM, missing("model")),
    "a path as model": (lambda route: form(route, model=b"../x"), FORM, missing("model")),
    "temperature is a word": (
        lambda route: form(route, temperature=b"hot"),
        FORM,
        bad("temperature"),
    ),
    "temperature is NaN": (lambda route: form(route, temperature=b"nan"), FORM, bad("temperature")),
    "temperature is negative": (
        lambda route: form(route, temperature=b"-1"),
        FORM,
        bad("temperature"),
    ),
    "a format": (lambda route: form(route, response_format=b"xml"), FORM, bad("response_format")),
    "subtitles": (lambda route: form(route, response_format=b"srt"), FORM, bad("response_format")),
}
# A file is stored as it is.
UPLOAD_FORMS: dict[str, FormCase] = {
    name: case
    for name, case in FORMS.items()
    if name not in ("an empty file", "a file of something else")
} | {
    "no purpose": (lambda route: form(route, without="purpose"), FORM, bad("purpose")),
    "a purpose that is none": (lambda route: form(route, purpose=b"fun"), FORM, bad("purpose")),
}
FORMS_OF = {
    "/v1/audio/transcriptions": FORMS | SPEECH_FORMS,
    "/v1/audio/translations": FORMS | SPEECH_FORMS,
    "/v1/files": UPLOAD_FORMS,
}
