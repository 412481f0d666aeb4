"""Conversations as files, and the words that are looked for in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.documents import RICH, chat, document, node
from kronk.gateway.library.conversations import Conversation, from_record, summary, to_record
from kronk.gateway.library.exporting import file_name, to_json, to_markdown
from kronk.gateway.library.importing import parse_import
from kronk.gateway.library.search import matches, snippet, words_of
from kronk.gateway.library.titles import cleaned, first_exchange, is_idle, request
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.status import ModelStatus

ROW = Conversation("conv-1", None, "A dog & more", "user", "Tiny", 1000.5, 2000.25, True, 3, 7, 900)


def test_what_is_exported_is_imported_as_it_was() -> None:
    body = json.dumps(to_json([(ROW, RICH), (ROW, chat("Hello!"))])).encode()
    good, bad = parse_import(body)
    assert bad == []
    assert [at for at, _ in good] == [0, 1]
    first = good[0][1]
    assert first.document == RICH
    known = (first.title, first.titled_by, first.model, first.created, first.updated)
    assert known == (ROW.title, ROW.titled_by, ROW.model, ROW.created, ROW.updated)
    assert first.archived


def test_one_conversation_alone_is_an_import_too() -> None:
    alone = summary(ROW) | {"document": RICH}
    for value in (alone, {"document": RICH}):
        good, bad = parse_import(json.dumps(value).encode())
        assert ([new.document for _, new in good], bad) == ([RICH], [])


def test_of_an_import_the_good_is_kept_and_the_bad_is_told() -> None:
    loop = chat("a")
    loop["nodes"]["n0"]["parent"] = "n0"
    items: list[Any] = [
        {"document": RICH},
        5,
        {"title": "Loop", "document": loop},
        {"title": "Nothing"},
        {"document": RICH, "colour": 1},
        {"document": RICH, "title": 5},
    ]
    good, bad = parse_import(json.dumps({"conversations": items}).encode())
    assert [at for at, _ in good] == [0]
    assert [(one.index, one.title, one.param) for one in bad] == [
        (1, None, "conversations"),
        (2, "Loop", "document.nodes.n0.parent"),
        (3, "Nothing", "document"),
        (4, None, "colour"),
        (5, None, "title"),
    ]
    assert all(one.message for one in bad)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"[]", None),
        (b"{}", "conversations"),
        (b'{"conversations": {}}', "conversations"),
        (b'{"conversations": [], "version": 2}', "version"),
        (b'{"conversations": [], "version": true}', "version"),
        (b'{"conversations": [], "object": "kronk.prompts"}', "object"),
        (b'{"conversations": [], "prompts": []}', "prompts"),
        (json.dumps({"conversations": [0] * 1001}).encode(), "conversations"),
    ],
)
def test_what_is_no_import_is_refused_as_a_whole(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_import(body)
    assert caught.value.param == param


def test_markdown_is_the_branch_that_is_looked_at() -> None:
    text = to_markdown(ROW, RICH)
    assert text.startswith(
        "# A dog & more\n\n*1970-01-01 00:16 UTC, Tiny*\n\n## System\n\nBe brief."
    )
    for part in (
        "## User\n\nWhat is this?",
        "*(image)*",
        "## Assistant (Tiny)\n\n<details><summary>Thoughts</summary>\n\nLook first.\n\n</details>",
        '"name": "look"',
        '## Tool\n\n{"seen": "dog"}',
        "A **dog**.\n\n> **Error:** cut off\n",
    ):
        assert part in text
    assert "A cat" not in text
    assert "base64" not in text


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("A dog & more", "a-dog-more.md"),
        ("", "conv-1.md"),
        ("\u00e4\u00f6", "conv-1.md"),
        ('../../etc/"x"\r\n', "etc-x.md"),
        ("x" * 300, "x" * 60 + ".md"),
    ],
)
def test_a_files_name_is_one_that_every_disk_takes(title: str, name: str) -> None:
    row = from_record(to_record(ROW) | {"title": title})
    assert row is not None
    assert file_name(row, "md") == name


@pytest.mark.parametrize(
    "record",
    [None, {}, to_record(ROW) | {"revision": "x"}, to_record(ROW) | {"titled_by": "nobody"}],
)
def test_a_record_that_is_none_is_no_conversation(record: dict[str, Any] | None) -> None:
    assert from_record(record) is None
    assert from_record(to_record(ROW)) == ROW


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (None, ()),
        ("  ", ()),
        ("Hello World hello", ("hello", "world")),
        ('"Hello World" x', ("hello world", "x")),
        ('"unclosed', ("unclosed",)),
        ("STRASSE stra\u00dfe", ("strasse",)),
        (" ".join(map(str, range(30))), tuple(map(str, range(12)))),
    ],
)
def test_words_are_looked_for_in_any_case(query: str | None, words: tuple[str, ...]) -> None:
    assert words_of(query) == words


def test_all_words_have_to_be_somewhere() -> None:
    assert matches(("dog", "cat"), "The Dog", "and a CAT")
    assert not matches(("dog", "cow"), "The Dog", "and a CAT")
    assert matches((), "x")


def test_a_snippet_is_what_stands_around_the_first_word_that_is_there() -> None:
    text = "a " * 100 + "The Dog\nbarks." + " b" * 200
    found = snippet(("cow", "dog"), text)
    assert found is not None
    assert found.startswith("\u2026a a")
    assert "The Dog barks. b" in found
    assert found.endswith("b\u2026")
    assert snippet(("dog",), "Dog") == "Dog"
    assert snippet(("cow",), text) is None


# Titles.


def status(**fields: Any) -> ModelStatus:
    values: dict[str, Any] = dict.fromkeys(
        ("pid", "generation", "rss_bytes", "n_ctx", "idle_seconds", "expires_in", "last_exit")
    )
    values |= {
        "generation": 3,
        "model": "Tiny",
        "state": "ready",
        "slots_busy": 0,
        "slots_total": 1,
        "queued": 0,
    }
    values |= {"active_streams": 0, "tokens_per_second": 0.0, "restarts": 0}
    return ModelStatus(**values | fields)


@pytest.mark.parametrize(
    ("rows", "waiting", "idle"),
    [
        ([status()], 0, True),
        ([], 0, False),
        ([status(model="Other")], 0, False),
        ([status(state="loading")], 0, False),
        ([status(generation=7)], 0, False),
        ([status(queued=1)], 0, False),
        ([status()], 1, False),
        ([status(model="Other", generation=7), status()], 0, True),
        # What a worker last said of its slots is old by now.
        ([status(slots_busy=1)], 0, True),
    ],
)
def test_a_model_is_idle_when_it_is_loaded_and_nobody_waits(
    rows: list[ModelStatus], waiting: int, idle: bool
) -> None:
    assert is_idle("Tiny", rows, waiting, {7}) is idle


def test_a_title_is_asked_for_the_first_exchange() -> None:
    made = chat("One?", "Yes.", "Two?", "No.")
    messages = list(made["nodes"].values())
    assert first_exchange(messages) == ("One?", "Yes.")
    assert first_exchange(messages[:1]) is None
    assert first_exchange([node("a", None, "assistant", "Welcome")]) is None
    assert first_exchange(list(document(node("u", None, "user", "")).values())[2].values()) is None
    asked: Any = request("Tiny", ("x" * 9000, "y" * 9000))
    assert len(asked["messages"][0]["content"]) < 5000
    assert asked["max_tokens"] < 50


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("A dog", "A dog"),
        ('\n "A dog." \nIt barks.', "A dog"),
        ("**Title: A dog**", "A dog"),
        ("Titel: \u201eEin Hund\u201c", "Ein Hund"),
        ("# A dog", "A dog"),
        ("", None),
        ('""', None),
        ("word " * 40, "word " * 15 + "word\u2026"),
    ],
)
def test_what_a_model_says_becomes_a_title(said: str, title: str | None) -> None:
    assert cleaned(said) == title
