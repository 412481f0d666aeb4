"""What a conversation's document may be, and what is read of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.documents import RICH, chat, document, node
from kronk.gateway.dialects.fields import load_object
from kronk.gateway.library import documents
from kronk.gateway.library.documents import (
    branch,
    check_document,
    first_title,
    message_count,
    shortened_line,
    text_of,
    texts,
)
from kronk.shared.errors import InvalidArgument, TooLarge

EMPTY: dict[str, Any] = {"version": 1, "head": None, "nodes": {}}


@pytest.mark.parametrize(
    "good", [EMPTY, chat("Hello!"), chat("Hello!", "Hi."), RICH, document(head=None)]
)
def test_what_is_a_document_is_kept_as_it_came(good: dict[str, Any]) -> None:
    before = copy.deepcopy(good)
    assert check_document(good) == before


def changed(name: str, **fields: Any) -> dict[str, Any]:
    made = copy.deepcopy(chat("Hello!", "Hi."))
    made["nodes"][name].update(fields)
    return made


def without(field: str) -> dict[str, Any]:
    made = copy.deepcopy(chat("Hello!"))
    del made["nodes"]["n0"][field]
    return made


BAD: dict[str, tuple[Any, str]] = {
    "a text": ("x", "document"),
    "nothing": (None, "document"),
    "no version": ({"head": None, "nodes": {}}, "document.version"),
    "another version": (EMPTY | {"version": 2}, "document.version"),
    "no nodes": ({"version": 1, "head": None}, "document.nodes"),
    "nodes in a list": (EMPTY | {"nodes": []}, "document.nodes"),
    "no head": ({"version": 1, "nodes": {}}, "document.head"),
    "a head that is not there": (chat("a") | {"head": "n9"}, "document.head"),
    "settings in a list": (EMPTY | {"settings": []}, "document.settings"),
    "a field nobody knows": (EMPTY | {"title": "x"}, "document.title"),
    "a node without its id": (without("id"), "document.nodes.n0.id"),
    "a node without its parent": (without("parent"), "document.nodes.n0.parent"),
    "a node without its role": (without("role"), "document.nodes.n0.role"),
    "a node without its content": (without("content"), "document.nodes.n0.content"),
    "a node without its moment": (without("created"), "document.nodes.n0.created"),
    "a node under another's id": (changed("n0", id="n1"), "document.nodes.n0.id"),
    "a parent that is not there": (changed("n1", parent="n7"), "document.nodes.n1.parent"),
    "a role that is none": (changed("n1", role="boss"), "document.nodes.n1.role"),
    "content that is a number": (changed("n1", content=5), "document.nodes.n1.content"),
    "a part of no type": (changed("n1", content=[{}]), "document.nodes.n1.content[0]"),
    "a part that is a text": (
        changed("n1", content=[{"type": "text"}, "x"]),
        "document.nodes.n1.content[1]",
    ),
    "calls in an object": (changed("n1", tool_calls={}), "document.nodes.n1.tool_calls"),
    "thoughts that are a list": (changed("n1", reasoning=[]), "document.nodes.n1.reasoning"),
    "a node with a field nobody knows": (changed("n1", colour="red"), "document.nodes.n1.colour"),
    "a moment before all time": (changed("n1", created=-1), "document.nodes.n1.created"),
    "a number out of any range": (
        changed("n1", stats={"x": float("inf")}),
        "document.nodes.n1.stats.x",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_document_is_refused_by_the_field(name: str) -> None:
    value, param = BAD[name]
    with pytest.raises(InvalidArgument) as caught:
        check_document(value)
    assert caught.value.param == param
    assert param in caught.value.message


def test_a_node_that_is_its_own_ancestor_is_refused() -> None:
    loop = chat("a", "b", "c")
    loop["nodes"]["n0"]["parent"] = "n2"
    with pytest.raises(InvalidArgument, match="its own ancestor"):
        check_document(loop)
    with pytest.raises(InvalidArgument, match="its own ancestor"):
        check_document(changed("n0", parent="n0"))


def test_a_document_has_a_size_and_a_depth_that_its_export_can_be_read_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deep: Any = []
    for _ in range(117):
        deep = [deep]
    good = check_document(EMPTY | {"settings": {"x": deep}})
    exported = documents._as_json({"conversations": [{"document": good}]})
    assert load_object(exported)["conversations"][0]["document"] == good
    for _ in range(8):
        deep = [deep]
    with pytest.raises(InvalidArgument, match="nested too deeply"):
        check_document(EMPTY | {"settings": {"x": deep}})
    monkeypatch.setattr(documents, "MOST_BYTES", 1000)
    check_document(chat("x" * 500))
    with pytest.raises(TooLarge) as caught:
        check_document(chat("x" * 1000))
    assert caught.value.param == "document"


def test_a_branch_goes_from_the_first_message_to_the_head() -> None:
    assert [one["id"] for one in branch(RICH)] == ["s", "u", "a1", "t", "a2"]
    assert [one["id"] for one in branch(RICH | {"head": "a0"})] == ["s", "u", "a0"]
    assert branch(EMPTY) == []
    assert (message_count(RICH), message_count(RICH | {"head": "u"})) == (3, 1)


def test_texts_are_those_of_all_branches_and_have_no_images() -> None:
    found = list(texts(RICH))
    assert "A cat, or so." in found
    assert text_of(RICH["nodes"]["u"]) == "What is this? \u00e4\U0001f600"
    assert not any("base64" in text for text in found)


@pytest.mark.parametrize(
    ("made", "title"),
    [
        (EMPTY, ""),
        (chat("  Hello,\n world! "), "Hello, world!"),
        (RICH, "What is this? \u00e4\U0001f600"),
        (chat("word " * 40), "word " * 11 + "word\u2026"),
        (chat("x" * 100), "x" * 59 + "\u2026"),
        (chat("", "Hi.", "Then?"), "Then?"),
        (document(node("a", None, "assistant", "Welcome")), ""),
    ],
)
def test_the_first_question_is_the_title(made: dict[str, Any], title: str) -> None:
    assert first_title(made) == title


@given(st.text(), st.integers(2, 80))
def test_a_line_is_one_and_not_too_long(text: str, most: int) -> None:
    line = shortened_line(text, most)
    assert len(line) <= most
    assert line == " ".join(line.split())
    if len(" ".join(text.split())) <= most:
        assert line == " ".join(text.split())


@given(st.lists(st.integers(0, 10), max_size=10))
def test_every_tree_is_a_document_and_every_branch_of_it_ends(parents: list[int]) -> None:
    nodes = [
        node(f"n{at}", f"n{parent % at}" if at and parent else None, "user", str(at))
        for at, parent in enumerate(parents)
    ]
    made = check_document(document(*nodes))
    for one in nodes:
        way = branch(made | {"head": one["id"]})
        assert (way[-1], way[0]["parent"]) == (one, None)
