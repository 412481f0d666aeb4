"""Files in chat requests: every form they come in, how they are recognised, what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import golden
from harness.media_files import (
    BMP,
    FLAC,
    GIF,
    JPEG,
    MP3_BARE,
    MP3_TAGGED,
    WEBP,
    data_url,
    png,
    text,
    wav,
)
from kronk.gateway.dialects.media import (
    MOST_LINKS,
    LinkedMedia,
    MediaCollector,
    content_of,
    decode_base64,
    text_part,
)
from kronk.gateway.dialects.openai.chat import parse
from kronk.shared.errors import InvalidArgument
from kronk.shared.media_formats import sniff
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Media, Prompt

PNG, WAV = png(255, 0, 0, size=2), wav(300, seconds=0.001)


def image(url: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def audio(data: Any, form: Any = "wav", **fields: Any) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": form, **fields}}


def prompt(*messages: Any) -> Prompt:
    ask = parse(json.dumps({"model": "m", "messages": messages}).encode()).job.ask
    assert isinstance(ask, Submit)
    return ask.prompt


def user(content: Any) -> Prompt:
    return prompt({"role": "user", "content": content})


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (PNG, "PNG", "image"),
        (JPEG, "JPEG", "image"),
        (GIF, "GIF", "image"),
        (BMP, "BMP", "image"),
        (WAV, "WAV", "audio"),
        (FLAC, "FLAC", "audio"),
        (MP3_TAGGED, "MP3", "audio"),
        (MP3_BARE, "MP3", "audio"),
        (b"\xff\xf3\x40\xc0", "MP3", "audio"),
        (b"\xff\xf1\x50\x80", "AAC", None),
        (WEBP, "WebP", None),
        (b"OggS\0\x02", "Ogg", None),
        (b"\0\0\0\x20ftypavif", "MP4, M4A, HEIC or AVIF", None),
        (b"%PDF-1.7", "PDF", None),
    ],
)
def test_a_format_is_told_by_how_the_file_begins(data: bytes, name: str, kind: str | None) -> None:
    found = sniff(data)
    assert found is not None
    assert (found.name, found.kind) == (name, kind)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"hello, world",
        b"RIFF",
        b"RIFF\0\0\0\0WAV",
        b"\x89PN",
        # Frames with a version, bit rate or sample rate that no frame has.
        b"\xff\xeb\x90\x64",
        b"\xff\xfb\xf0\x64",
        b"\xff\xfb\x9c\x64",
    ],
)
def test_what_begins_like_no_file_has_no_format(data: bytes) -> None:
    assert sniff(data) is None


IMAGE_FORMS: list[tuple[str, Any, bytes]] = [
    ("png", image(data_url(PNG)), PNG),
    ("jpeg", image(data_url(JPEG, "image/jpeg")), JPEG),
    ("gif", image(data_url(GIF, "image/gif")), GIF),
    ("bmp", image(data_url(BMP, "image/bmp")), BMP),
    ("another declared type", image(data_url(JPEG, "image/png")), JPEG),
    ("no declared type", image(f"data:;base64,{text(PNG)}"), PNG),
    ("parameters and capitals", image(f"DATA:image/PNG;a=b;BASE64,{text(PNG)}"), PNG),
    ("plain base64", image(text(PNG)), PNG),
    ("wrapped lines", image("data:image/png;base64," + base64.encodebytes(PNG).decode()), PNG),
    ("a detail", image(data_url(PNG), detail="high"), PNG),
    ("no detail", image(data_url(PNG), detail=None), PNG),
]


@pytest.mark.parametrize(
    ("part", "data"),
    [(part, data) for _, part, data in IMAGE_FORMS],
    ids=[x for x, *_ in IMAGE_FORMS],
)
def test_an_image_becomes_a_part_and_its_bytes(part: Any, data: bytes) -> None:
    asked = user([{"type": "text", "text": "What?"}, part])
    assert asked.messages == (
        {
            "role": "user",
            "content": [{"type": "text", "text": "What?"}, {"type": "image", "media": 0}],
        },
    )
    assert asked.media == (Media("image", data, "messages[0].content[1].image_url.url"),)


@pytest.mark.parametrize(
    ("form", "data"),
    [("wav", WAV), ("mp3", MP3_TAGGED), ("mp3", MP3_BARE), ("flac", FLAC), ("wav", FLAC)],
)
def test_a_recording_becomes_a_part_and_its_bytes(form: str, data: bytes) -> None:
    asked = user([audio(text(data), form)])
    assert asked.messages == ({"role": "user", "content": [{"type": "audio", "media": 0}]},)
    assert asked.media == (Media("audio", data, "messages[0].content[0].input_audio.data"),)


@pytest.mark.parametrize(
    ("data", "kind"), [(PNG, "image"), (JPEG, "image"), (GIF, "image"), (WAV, "audio")]
)
def test_a_users_text_that_is_nothing_but_a_file_is_that_file(data: bytes, kind: str) -> None:
    for content in (text(data), f" {text(data)}\n"):
        asked = user(content)
        assert asked.messages == ({"role": "user", "content": [{"type": kind, "media": 0}]},)
        assert asked.media == (Media(kind, data, "messages[0].content"),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [
        "iVBORw0KGgo is how a PNG file begins in base64, as everyone knows",
        "/9j/4AAQ",
        text(PNG) + "!",
        "UklGR" + "A" * 95,
        text(WEBP),
        text(b"hello " * 20),
        "x" * 1000,
    ],
)
def test_a_users_text_that_only_looks_like_a_file_stays_a_text(content: str) -> None:
    asked = user(content)
    assert asked.messages == ({"role": "user", "content": content},)
    assert asked.media == ()


@pytest.mark.parametrize("role", ["system", "developer", "assistant"])
def test_only_what_a_user_says_is_looked_at_for_files(role: str) -> None:
    asked = prompt({"role": role, "content": text(PNG)})
    assert asked.media == ()


def test_a_tools_answer_may_have_images() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "look"}}]}
    shown = {"role": "tool", "tool_call_id": "c", "content": [image(data_url(PNG))]}
    asked = prompt({"role": "user", "content": "look"}, call, shown)
    assert asked.messages is not None
    assert asked.messages[2]["content"] == [{"type": "image", "media": 0}]


def test_files_are_numbered_through_all_messages() -> None:
    first = {"role": "user", "content": [image(data_url(PNG)), {"type": "text", "text": "a"}]}
    second = {"role": "user", "content": [audio(text(WAV)), image("https://example.com/x.png")]}
    asked = prompt(first, {"role": "assistant", "content": "b"}, second)
    assert asked.messages is not None
    assert [message["content"] for message in asked.messages] == [
        [{"type": "image", "media": 0}, {"type": "text", "text": "a"}],
        "b",
        [{"type": "audio", "media": 1}, {"type": "image", "media": 2}],
    ]
    assert [file.kind for file in asked.media] == ["image", "audio", "image"]


def test_a_link_is_kept_for_the_operation_to_fetch() -> None:
    where = "messages[0].content[0].image_url.url"
    url = "HTTPS://example.com/a.png?x=1"
    assert user([image(url)]).media == (LinkedMedia("image", b"", where, url),)


def test_texts_alone_stay_one_string() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert user(parts).messages == ({"role": "user", "content": "a\nb"},)
    assert content_of([]) == ""
    assert content_of([text_part("a")]) == "a"


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": "Because", "refusal": "I cannot."}, "Because\nI cannot."),
        ({"content": None, "refusal": "I cannot."}, "I cannot."),
        ({"refusal": "I cannot."}, "I cannot."),
        ({"content": "x", "refusal": None}, "x"),
        ({"content": [{"type": "refusal", "refusal": "I cannot."}]}, "I cannot."),
        (
            {"content": [{"type": "text", "text": "Hm."}, {"type": "refusal", "refusal": "No."}]},
            "Hm.\nNo.",
        ),
        ({"content": "x", "audio": None, "function_call": None, "annotations": []}, "x"),
    ],
)
def test_what_an_assistant_refused_is_part_of_what_it_said(message: Any, content: str) -> None:
    asked = prompt({"role": "assistant", **message})
    assert asked.messages == ({"role": "assistant", "content": content},)


@pytest.mark.parametrize(
    "mark",
    [
        {"prompt_cache_breakpoint": {"mode": "explicit"}},
        {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
        {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": None}},
        {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"cache_control": None},
    ],
)
def test_where_a_client_wants_its_prompt_cached_changes_nothing(mark: dict[str, Any]) -> None:
    marked = user([{"type": "text", "text": "a", **mark}, {**image(data_url(PNG)), **mark}])
    assert marked == user([{"type": "text", "text": "a"}, image(data_url(PNG))])


PART = "messages[0].content[0]"
URL = f"{PART}.image_url.url"
DATA = f"{PART}.input_audio.data"

WRONG: list[tuple[str, Any, str, str]] = [
    ("user", image("data:image/png;base64,"), URL, "no data"),
    ("user", image(""), URL, "no data"),
    ("user", image("data:image/png;base64,AA=A"), URL, "not valid base64"),
    ("user", image("data:image/png;base64,AAA"), URL, "not valid base64"),
    ("user", image("data:image/png;base64,AA AA"), URL, "not valid base64"),
    ("user", image("data:image/png;base64,AA_-"), URL, "not valid base64"),
    ("user", image("data:image/png;base64,\u00e4\u00f6"), URL, "not valid base64"),
    ("user", image(data_url(PNG) + "AAAA"), URL, "not valid base64"),
    ("user", image("data:image/png,%89PNG"), URL, "of the form data:image/png;base64"),
    ("user", image("data:image/png;base64"), URL, "of the form data:image/png;base64"),
    ("user", image("data:" + "x" * 2000 + ";base64,AAAA"), URL, "of the form"),
    ("user", image(data_url(b"hello, world")), URL, "JPEG, PNG, GIF or BMP, but the file is none"),
    ("user", image(data_url(WEBP, "image/webp")), URL, "but the file is WebP"),
    ("user", image(data_url(b"<svg xmlns=''/>", "image/svg+xml")), URL, "but the file is SVG"),
    ("user", image(data_url(WAV, "image/png")), URL, "but the file is WAV"),
    ("user", image("file:///etc/passwd"), URL, "the scheme 'file'"),
    ("user", image("ftp://example.com/a.png"), URL, "the scheme 'ftp'"),
    ("user", image("http:example.com/a.png"), URL, "the scheme 'http'"),
    ("user", image("https://example.com/" + "x" * 9000), URL, "8192 characters"),
    ("user", image(5), URL, "a string, got 5"),
    ("user", image(data_url(PNG), detail="huge"), f"{PART}.image_url.detail", "one of auto, low"),
    ("user", image(data_url(PNG), x=1), f"{PART}.image_url.x", "Unrecognized"),
    ("user", {"type": "image_url", "image_url": "x"}, f"{PART}.image_url", "an object"),
    ("user", {"type": "image_url"}, f"{PART}.image_url", "an object, got null"),
    ("user", {"type": "image_url", "image": "x"}, f"{PART}.image", "Unrecognized"),
    ("user", audio(""), DATA, "no data"),
    ("user", audio("!"), DATA, "not valid base64"),
    ("user", audio(None), DATA, "a string"),
    ("user", audio(text(PNG)), DATA, "WAV, MP3 or FLAC, but the file is PNG"),
    ("user", audio(text(b"OggS" + bytes(50))), DATA, "but the file is Ogg"),
    ("user", audio(text(WAV), "pcm16"), f"{PART}.input_audio.format", "one of wav, mp3, flac"),
    ("user", {"type": "input_audio"}, f"{PART}.input_audio", "an object"),
    ("user", {"type": "file", "file": {"file_id": "f"}}, f"{PART}.type", "files are not supported"),
    ("user", {"type": "video_url", "video_url": {}}, f"{PART}.type", "video is not supported"),
    ("user", {"type": "wat"}, f"{PART}.type", "one of text, image_url, input_audio, got 'wat'"),
    ("user", {"type": "refusal", "refusal": "x"}, f"{PART}.type", "role assistant, not user"),
    ("system", image(data_url(PNG)), f"{PART}.type", "role user or tool, not system"),
    ("developer", audio(text(WAV)), f"{PART}.type", "role user or tool, not developer"),
    ("assistant", image(data_url(PNG)), f"{PART}.type", "role user or tool, not assistant"),
    ("assistant", {"type": "refusal"}, f"{PART}.refusal", "a string"),
    (
        "user",
        {"type": "text", "text": "", "prompt_cache_breakpoint": {"mode": "x"}},
        f"{PART}.prompt_cache_breakpoint.mode",
        "explicit",
    ),
    (
        "user",
        {"type": "text", "text": "", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "1h"}},
        f"{PART}.prompt_cache_breakpoint.ttl",
        "30m, 12h",
    ),
    (
        "user",
        {"type": "text", "text": "", "cache_control": "ephemeral"},
        f"{PART}.cache_control",
        "an object",
    ),
]


@pytest.mark.parametrize(("role", "part", "param", "words"), WRONG)
def test_a_wrong_part_is_refused_by_the_name_of_its_field(
    role: str, part: Any, param: str, words: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        prompt({"role": role, "content": [part]})
    assert caught.value.param == param
    assert words in caught.value.message
    # Nothing of a file in an error or a log.
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("message", "param", "words"),
    [
        ({"content": "x", "audio": {"id": "a"}}, "messages[0].audio", "answers in speech"),
        (
            {"content": "x", "function_call": {"name": "f"}},
            "messages[0].function_call",
            "tool_call",
        ),
        ({"content": "x", "refusal": 5}, "messages[0].refusal", "a string"),
    ],
)
def test_what_assistants_of_openai_say_and_ours_do_not_is_refused(
    message: Any, param: str, words: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        prompt({"role": "assistant", **message})
    assert caught.value.param == param
    assert words in caught.value.message


def test_a_request_names_a_bounded_number_of_urls() -> None:
    media = MediaCollector()
    for number in range(MOST_LINKS):
        media.image_url(f"https://example.com/{number}", "x")
    with pytest.raises(InvalidArgument, match="32 files"):
        media.image_url("https://example.com/more", "x")


@given(st.binary(min_size=1))
def test_base64_of_anything_decodes_to_it(data: bytes) -> None:
    assert decode_base64(text(data), "x") == data


def test_a_large_file_is_decoded_in_pieces_to_the_same_bytes() -> None:
    data = bytes(range(256)) * 8192
    for length in (786_432, 786_433, len(data)):
        assert decode_base64(text(data[:length]), "x") == data[:length]
    with pytest.raises(InvalidArgument, match="not valid base64"):
        decode_base64(text(data[:786_431]) + text(data[:3]), "x")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "image",
            [{"type": "text", "text": "What is it?"}, image(data_url(PNG), detail="auto")],
        ),
        ("recording", [audio(text(WAV)), {"type": "text", "text": "Transcribe."}]),
        ("link", [image("https://example.com/a.png")]),
        ("plain_base64", text(PNG)),
    ],
)
def test_a_request_with_files_comes_to_the_job_approved(name: str, content: Any) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    golden.check(
        f"openai/chat_request_{name}.json", golden.job_text(parse(json.dumps(body).encode()).job)
    )
