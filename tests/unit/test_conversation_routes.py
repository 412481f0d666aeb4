"""/api/v1/conversations: what is kept, for whom, and what becomes of it when things go wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.documents import RICH, chat
from harness.error_shape import Refusal, assert_refused, bad, missing
from harness.subjects import ANN
from kronk.gateway.library import conversation_store, exporting
from kronk.gateway.library.conversations import FOUND, SUMMARY
from kronk.gateway.library.requests import CHANGE_BODY, CREATE_BODY
from tests.fakes.library_house import LibraryHouse

PATH = "/conversations"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[LibraryHouse]:
    house = LibraryHouse(tmp_path)
    yield house
    house.close()


def kept(house: LibraryHouse, document: Any = RICH, who: str | None = "ann", **more: Any) -> Any:
    answer = house.ask("POST", PATH, who, json={"document": document} | more)
    assert answer.status_code == 201, answer.text
    jsonschema.validate(answer.json(), SUMMARY)
    return answer.json()


def listed(house: LibraryHouse, who: str | None = "ann", **query: Any) -> list[str]:
    found = house.good("GET", PATH, who, params=query)["data"]
    for one in found:
        jsonschema.validate(one, FOUND)
    return [one["id"] for one in found]


def test_what_is_kept_is_read_as_it_was(house: LibraryHouse) -> None:
    jsonschema.validate({"document": RICH}, CREATE_BODY)
    made = kept(house, model="Tiny")
    read = house.good("GET", f"{PATH}/{made['id']}")
    jsonschema.validate(read, exporting.WHOLE)
    assert read.pop("document") == RICH
    assert read == made
    assert (made["titled_by"], made["messages"], made["revision"]) == ("first_message", 3, 1)
    assert made["title"].startswith("What is this?")


def test_the_title_is_the_first_message_until_somebody_gives_one(house: LibraryHouse) -> None:
    name = kept(house, {"version": 1, "head": None, "nodes": {}})["id"]

    def put(**change: Any) -> tuple[str, str]:
        jsonschema.validate(change, CHANGE_BODY)
        told = house.good("PUT", f"{PATH}/{name}", json=change)
        return told["title"], told["titled_by"]

    assert put(document=chat("One?")) == ("One?", "first_message")
    assert put(document=chat("Two?")) == ("Two?", "first_message")
    assert put(title="  Mine \n now ") == ("Mine now", "user")
    assert put(document=chat("Three?")) == ("Mine now", "user")
    assert put(title=None) == ("Three?", "first_message")


def test_of_two_tabs_the_second_is_told_and_nothing_is_lost(house: LibraryHouse) -> None:
    made = kept(house)
    path = f"{PATH}/{made['id']}"
    first = house.good("PUT", path, json={"document": chat("mine"), "revision": 1})
    assert first["revision"] == 2
    second = house.ask("PUT", path, json={"document": chat("yours"), "revision": 1})
    assert_refused(second, Refusal(409, "conflict", "revision"))
    assert house.good("GET", path)["document"] == chat("mine")
    # Who does not say what it was made from overwrites it.
    assert house.good("PUT", path, json={"document": chat("yours")})["revision"] == 3


def test_lists_are_in_pages_the_last_one_changed_first(house: LibraryHouse) -> None:
    names = [kept(house, chat(f"{at}?"))["id"] for at in range(5)]
    house.good("PUT", f"{PATH}/{names[1]}", json={"document": chat("1!")})
    # Another title makes nothing newer.
    house.good("PUT", f"{PATH}/{names[0]}", json={"title": "x"})
    expected = [names[at] for at in (1, 4, 3, 2, 0)]
    assert listed(house) == expected
    assert listed(house, limit=2) == expected[:2]
    page = house.good("GET", PATH, params={"limit": 3, "after": expected[1]})
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (expected[2:], False)
    assert house.good("GET", PATH, params={"limit": 4})["has_more"]


def test_what_is_archived_is_listed_apart(house: LibraryHouse) -> None:
    one, two = kept(house)["id"], kept(house)["id"]
    assert house.good("PUT", f"{PATH}/{one}", json={"archived": True})["archived"]
    assert listed(house) == [two]
    assert listed(house, archived="true") == [one]
    assert set(listed(house, archived="all")) == {one, two}
    house.good("PUT", f"{PATH}/{one}", json={"archived": False})
    assert set(listed(house)) == {one, two}


def test_titles_and_texts_are_searched(house: LibraryHouse) -> None:
    dog, cat = kept(house, RICH, title="Zoo")["id"], kept(house, chat("Cats?", "Meow."))["id"]
    assert listed(house, query="ZOO dog") == [dog]
    assert set(listed(house, query="cat")) == {dog, cat}
    assert listed(house, query='"brief dog"') == []
    found = house.good("GET", PATH, params={"query": "meow"})["data"][0]
    assert (found["id"], found["snippet"]) == (cat, "Cats? Meow.")
    house.good("PUT", f"{PATH}/{cat}", json={"document": chat("Cows?")})
    assert listed(house, query="meow") == []


def test_what_is_deleted_is_gone(house: LibraryHouse) -> None:
    name = kept(house)["id"]
    told = house.good("DELETE", f"{PATH}/{name}")
    assert told == {"id": name, "object": "kronk.conversation", "deleted": True}
    for method in ("GET", "DELETE"):
        assert_refused(house.ask(method, f"{PATH}/{name}"), missing("conversation_id"))
    assert listed(house, query="dog") == listed(house, archived="all") == []
    assert house.good("GET", f"{PATH}/stats")["bytes"] == 0


def test_an_export_is_imported_losslessly_beside_what_is_there(house: LibraryHouse) -> None:
    made = kept(house, title="A dog", model="Tiny")
    house.good("PUT", f"{PATH}/{made['id']}", json={"archived": True})
    answer = house.ask("GET", f"{PATH}/{made['id']}/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="a-dog.json"'
    jsonschema.validate(answer.json(), exporting.EXPORT)
    told = house.good("POST", f"{PATH}/import", "bob", content=answer.content)
    assert told["refused"] == []
    read = house.good("GET", f"{PATH}/{told['imported'][0]['id']}", "bob")
    before = house.good("GET", f"{PATH}/{made['id']}")
    for one in (read, before):
        del one["id"], one["revision"]
    assert read == before


def test_a_bad_import_changes_nothing_that_is_there(house: LibraryHouse) -> None:
    made = kept(house, title="Mine")
    before = house.good("GET", f"{PATH}/{made['id']}")
    answer = house.ask("POST", f"{PATH}/import", content=b'{"conversations": [{"document"')
    assert_refused(answer, bad(None))
    items = [{"document": RICH, "id": made["id"], "title": "Other"}, {"document": {}}]
    told = house.good("POST", f"{PATH}/import", json={"conversations": items})
    assert [one["index"] for one in told["refused"]] == [1]
    assert told["imported"][0]["id"] != made["id"]
    assert house.good("GET", f"{PATH}/{made['id']}") == before


def test_markdown_is_told_as_such(house: LibraryHouse) -> None:
    name = kept(house, title="A dog")["id"]
    answer = house.ask("GET", f"{PATH}/{name}/export", params={"format": "markdown"})
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text.startswith("# A dog\n")


def test_a_subject_sees_only_its_own(house: LibraryHouse) -> None:
    anns, nobodys = kept(house)["id"], kept(house, who=None)["id"]
    assert listed(house, "ann") == [anns]
    assert listed(house, None) == [nobodys]
    assert listed(house, "bob") == []
    # An administrator's list has what is nobody's, and not what is somebody else's.
    assert listed(house, "admin") == [nobodys]
    for who in ("bob", None):
        for method, tail in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/export")):
            answer = house.ask(method, f"{PATH}/{anns}{tail}", who)
            assert_refused(answer, missing("conversation_id"))
        assert house.good("GET", f"{PATH}/stats", who)["conversations"] == (who is None)
    assert house.good("GET", f"{PATH}/{anns}", "admin")["document"] == RICH
    house.good("PUT", f"{PATH}/{anns}", "admin", json={"title": "Seen"})
    assert house.good("GET", f"{PATH}/{anns}", "ann")["title"] == "Seen"


def test_where_nobody_is_asked_all_are_there(house: LibraryHouse, tmp_path: Path) -> None:
    anns = kept(house)["id"]
    house.close()
    opened = LibraryHouse(tmp_path, "open")
    nobodys = kept(opened, who=None)["id"]
    assert listed(opened, None) == [nobodys, anns]
    opened.close()


def test_there_is_no_room_for_more_than_ones_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_store, "MOST_CONVERSATIONS", 2)
    house = LibraryHouse(tmp_path)
    one = kept(house)["id"]
    kept(house)
    third = house.ask("POST", PATH, json={"document": RICH})
    assert_refused(third, Refusal(413, "too_large", None))
    assert len(listed(house)) == 2
    told = house.good("POST", f"{PATH}/import", json={"document": RICH})
    assert (told["imported"], [one["index"] for one in told["refused"]]) == ([], [0])
    kept(house, who="bob")
    house.good("DELETE", f"{PATH}/{one}")
    kept(house)
    house.close()


def test_the_sum_of_a_share_is_what_there_is(house: LibraryHouse) -> None:
    names = [kept(house, chat("x" * 1000 * at))["id"] for at in range(1, 4)]
    house.good("PUT", f"{PATH}/{names[0]}", json={"document": chat("x" * 9000)})
    house.good("DELETE", f"{PATH}/{names[1]}")
    stats = house.good("GET", f"{PATH}/stats")
    shares = list(house.database.table("conversation_shares").items())
    assert [record for _, record in shares] == [{"things": 2, "bytes": stats["bytes"]}]
    # One that is damaged is counted anew.
    house.database.table("conversation_shares").put(shares[0][0], {"things": "x"})
    house.good("PUT", f"{PATH}/{names[0]}", json={"archived": True})
    assert list(house.database.table("conversation_shares").items()) == shares


def test_damaged_records_break_no_list(house: LibraryHouse) -> None:
    good, broken = kept(house)["id"], kept(house)["id"]
    rows = house.database.table("conversation_rows")
    key = next(key for key in rows.names() if key.endswith(broken))
    rows.put(key, {"title": 5})
    assert listed(house) == [good]
    # What was damaged is only what lists read: it can be opened, and a change makes it whole.
    assert house.good("GET", f"{PATH}/{broken}")["document"] == RICH
    house.good("PUT", f"{PATH}/{broken}", json={"title": "Whole"})
    assert set(listed(house)) == {good, broken}
    texts = house.database.table("conversation_texts")
    texts.put(next(key for key in texts.names() if key.endswith(good)), {})
    assert listed(house, query="dog") == [broken]
    house.database.table("conversations").delete(good)
    assert_refused(house.ask("GET", f"{PATH}/{good}"), missing("conversation_id"))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "document"),
        ({"document": RICH, "title": ""}, "title"),
        ({"document": RICH, "title": "x" * 201}, "title"),
        ({"document": RICH, "model": ""}, "model"),
        ({"document": RICH, "model": 5}, "model"),
        ({"document": RICH, "owner": "x"}, "owner"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    house: LibraryHouse, body: dict[str, Any], param: str
) -> None:
    assert_refused(house.ask("POST", PATH, json=body), bad(param))
    assert listed(house) == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"title": "   "}, "title"),
        ({"archived": None}, "archived"),
        ({"archived": "yes"}, "archived"),
        ({"revision": "1"}, "revision"),
        ({"document": None}, "document"),
        ({"document": RICH | {"head": "x"}}, "document.head"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_change_that_is_none_is_refused(
    house: LibraryHouse, body: dict[str, Any], param: str
) -> None:
    made = kept(house)
    assert_refused(house.ask("PUT", f"{PATH}/{made['id']}", json=body), bad(param))
    assert house.good("GET", f"{PATH}/{made['id']}")["revision"] == 1


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("archived=maybe", "archived"),
        ("after=nope", "after"),
    ],
)
def test_a_query_that_is_none_is_refused(house: LibraryHouse, query: str, param: str) -> None:
    assert_refused(house.ask("GET", f"{PATH}?{query}"), bad(param))


def test_an_unknown_format_is_refused(house: LibraryHouse) -> None:
    name = kept(house)["id"]
    assert_refused(house.ask("GET", f"{PATH}/{name}/export?format=pdf"), bad("format"))


# Who is killed.

_WRITER = """
import sys
from pathlib import Path
from harness.documents import chat
from kronk.gateway.library.conversation_store import Conversations
from kronk.gateway.library.requests import Change, New
from kronk.shared.database import Database
from harness.subjects import ANN

own = Conversations(Database(Path(sys.argv[1]))).of(ANN)
row = own.create(New(chat("0")))
for count in range(1, 100000):
    own.change(row.id, Change(frozenset({"document"}), document=chat(str(count), "x" * 20000)))
    own.create(New(chat("beside", str(count))))
    print(count, flush=True)
"""


def test_who_is_killed_while_writing_has_lost_nothing_that_was_said_to_be_kept(
    tmp_path: Path,
) -> None:
    house = LibraryHouse(tmp_path)
    house.close()
    command = [sys.executable, "-c", _WRITER, str(house.settings.base.db)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as writer:
        assert writer.stdout is not None
        last = 0
        while last < 25:
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split()
    last = int(rest[-1]) if rest else last
    again = LibraryHouse(tmp_path)
    own = again.services.library.conversations.of(ANN)
    found = again.good("GET", PATH, params={"limit": 200})["data"]
    first = next(one for one in found if not one["title"].startswith("beside"))
    _, document = own.get(first["id"])
    assert int(document["nodes"]["n0"]["content"]) in (last, last + 1)
    # Whole or not at all: what is listed can be read, and the sum is right.
    rows = [own.get(one["id"])[0] for one in found]
    [(_, share)] = again.database.table("conversation_shares").items()
    stats = own.stats()
    assert share == {"things": stats["conversations"], "bytes": stats["bytes"]}
    assert len(rows) == min(stats["conversations"], 200) >= min(last + 1, 200)
    again.close()


# Titles by the model: what is asked of it is in tests/serve.


def test_a_title_somebody_gave_is_not_made_anew(house: LibraryHouse) -> None:
    made = kept(house, title="Mine", model="Tiny")
    assert house.good("POST", f"{PATH}/{made['id']}/title") == made


def test_without_a_model_or_an_answer_the_first_message_stays(house: LibraryHouse) -> None:
    for document, model in ((RICH, None), (chat("Hello!"), "Tiny")):
        made = kept(house, document, model=model)
        assert house.good("POST", f"{PATH}/{made['id']}/title") == made


def test_a_title_does_not_undo_what_came_in_between(house: LibraryHouse) -> None:
    made = kept(house)
    own = house.services.library.conversations.of(ANN)
    told = own.note_title(made["id"], "A dog", "model", 1)
    assert (told.title, told.titled_by, told.revision) == ("A dog", "model", 1)
    changed = house.good("PUT", f"{PATH}/{made['id']}", json={"archived": True, "revision": 1})
    assert (changed["title"], changed["revision"]) == ("A dog", 2)
    assert own.note_title(made["id"], "A cat", "model", 1).title == "A dog"
    assert asyncio.run(asyncio.to_thread(own.row, made["id"])).title == "A dog"
