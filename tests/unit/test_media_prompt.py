"""Rendered chats to tokens, with files where their markers stand."""

from __future__ import annotations

import numpy as np
import pytest

from kronk.worker.cache.spans import span_ids
from kronk.worker.conversation import as_parts, for_template
from kronk.worker.media.clip import Clip, MediaFile
from kronk.worker.media.prompt import Markers, compose


def clip(name: bytes, positions: int, rows: int) -> Clip:
    return Clip(span_ids(name, positions), rows, lambda _: np.zeros((rows, 1), np.float32))


class Bytes:
    """A token for each byte; one more where a prompt begins."""

    def tokenize(self, text: str) -> list[int]:
        return [1, *text.encode()]

    def tokenize_part(self, text: str) -> list[int]:
        return list(text.encode())


def ends(text: str, found: list[int]) -> list[int]:
    # What comes before the first character has no bytes.
    more = len(text.encode()) - len(found)
    return [more + at for at in range(1, len(found) + 1)]


ONE, TWO = clip(b"1", 3, 3), clip(b"2", 2, 10)
IMAGE = MediaFile([(900,), ONE, (901, 902)])
TILES = MediaFile([TWO, (903,), ONE])


def test_a_file_stands_where_its_marker_was() -> None:
    markers = Markers(2)
    text = f"ab{markers.texts[1]}c{markers.texts[0]}"
    chat = compose(text, markers, [IMAGE, TILES], Bytes())
    assert chat.ids == [
        *[1, 97, 98],
        *[*TWO.ids, 903, *ONE.ids],
        99,
        *[900, *ONE.ids, 901, 902],
    ]
    assert [(span.start, span.end, span.clip) for span in chat.spans] == [
        (3, 5, TWO),
        (6, 9, ONE),
        (11, 14, ONE),
    ]
    # Of the second clip, there are eight more cells than positions.
    assert chat.rows == len(chat.ids) + 8


def test_no_boundary_of_the_text_is_within_a_file() -> None:
    markers = Markers(1)
    text = f"ab{markers.texts[0]}é"
    chat = compose(text, markers, [IMAGE], Bytes())
    behind = 2 + len(markers.texts[0])
    assert chat.ends(ends) == [0, 1, 2, *[behind] * 6, behind + 1, behind + 2]


@pytest.mark.parametrize("count", [0, 1])
def test_an_image_may_come_first_and_last(count: int) -> None:
    markers = Markers(1)
    chat = compose(markers.texts[0] + "x" * count, markers, [IMAGE], Bytes())
    assert chat.ids == [1, 900, *ONE.ids, 901, 902, *[120] * count]


def test_no_text_of_a_clients_is_a_marker() -> None:
    seen, now = Markers(3), Markers(3)
    assert not set(seen.texts) & set(now.texts)
    text = "".join(seen.texts) + "<__media__>"
    assert list(now.split(text)) == [text]
    assert now.missing(text + now.texts[0]) == 1
    assert now.missing("".join(now.texts)) is None
    assert now.named(f"a{now.texts[2]}{seen.texts[0]}") == f"a<__media__>{seen.texts[0]}"


MARKERS = ("<0>", "<1>")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ([{"type": "image", "media": 1}], "<1>"),
        ([{"type": "text", "text": "a"}, {"type": "image", "media": 0}], "a<0>"),
        ([{"type": "audio", "media": 0}, {"type": "text", "text": "a"}], "<0>a"),
        # As texts are joined where there are no files.
        (
            [
                {"type": "text", "text": "a"},
                {"type": "text", "text": "b"},
                {"type": "image", "media": 0},
                {"type": "text", "text": "c"},
            ],
            "a\nb<0>c",
        ),
    ],
)
def test_a_content_becomes_a_text(content: object, text: str) -> None:
    messages = [{"role": "user", "content": content}]
    assert for_template(messages, MARKERS) == [{"role": "user", "content": text}]


def test_a_template_that_wants_lists_gets_them() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}]
    assert as_parts(messages) == [
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {"role": "assistant", "content": None},
    ]
