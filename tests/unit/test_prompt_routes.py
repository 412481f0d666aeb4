"""/api/v1/prompts and /api/v1/notes: what is kept, for whom, and its versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.error_shape import Refusal, assert_refused, bad, missing
from kronk.gateway.library import notes, prompt_requests, prompt_store
from kronk.gateway.library.notes import NOTE
from kronk.gateway.library.prompts import PROMPT, VERSION
from tests.fakes.library_house import LibraryHouse

PATH = "/prompts"
GREET = {"name": "Greet", "text": "Hello, {{name}}!"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[LibraryHouse]:
    house = LibraryHouse(tmp_path)
    yield house
    house.close()


def kept(house: LibraryHouse, who: str | None = "ann", **fields: Any) -> Any:
    body = GREET | fields
    jsonschema.validate(body, prompt_requests.CREATE_BODY)
    answer = house.ask("POST", PATH, who, json=body)
    assert answer.status_code == 201, answer.text
    jsonschema.validate(answer.json(), PROMPT)
    return answer.json()


def listed(house: LibraryHouse, who: str | None = "ann", **query: Any) -> list[str]:
    return [one["name"] for one in house.good("GET", PATH, who, params=query)["data"]]


def change(house: LibraryHouse, name: str, **fields: Any) -> Any:
    return house.good("PUT", f"{PATH}/{name}", json=fields)


def versions(house: LibraryHouse, name: str) -> list[tuple[int, str]]:
    found = house.good("GET", f"{PATH}/{name}/versions")["data"]
    for one in found:
        jsonschema.validate(one, VERSION)
    return [(one["version"], one["text"]) for one in found]


def test_what_is_kept_is_read_as_it_was(house: LibraryHouse) -> None:
    made = kept(house, description="To begin", category="Writing", favourite=True, kind="system")
    assert house.good("GET", f"{PATH}/{made['id']}") == made
    assert (made["variables"], made["version"], made["uses"]) == (["name"], 1, 0)
    assert (made["category"], made["favourite"], made["kind"]) == ("Writing", True, "system")


def test_another_text_is_another_version_and_the_one_before_comes_back(
    house: LibraryHouse,
) -> None:
    name = kept(house)["id"]
    assert change(house, name, description="x")["version"] == 1
    assert change(house, name, text="Bye, {{whom}}!")["variables"] == ["whom"]
    assert change(house, name, text="Bye, {{whom}}!", favourite=True)["version"] == 2
    restored = house.good("POST", f"{PATH}/{name}/restore", json={"version": 1})
    assert (restored["text"], restored["version"]) == (GREET["text"], 3)
    assert versions(house, name) == [
        (3, GREET["text"]),
        (2, "Bye, {{whom}}!"),
        (1, GREET["text"]),
    ]
    gone = house.ask("POST", f"{PATH}/{name}/restore", json={"version": 9})
    assert_refused(gone, missing("version"))


def test_of_many_versions_the_last_are_kept(
    house: LibraryHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_store, "MOST_VERSIONS", 3)
    name = kept(house)["id"]
    for at in range(2, 6):
        change(house, name, text=f"text {at}")
    assert versions(house, name) == [(5, "text 5"), (4, "text 4"), (3, "text 3")]
    [(_, share)] = house.database.table("prompt_shares").items()
    # The text of the prompt itself, and those of its versions.
    assert share == {"things": 1, "bytes": 4 * len("text 5")}


def test_of_two_tabs_the_second_is_told(house: LibraryHouse) -> None:
    name = kept(house)["id"]
    change(house, name, text="mine", version=1)
    second = house.ask("PUT", f"{PATH}/{name}", json={"text": "yours", "version": 1})
    assert_refused(second, Refusal(409, "conflict", "version"))
    assert versions(house, name)[0] == (2, "mine")


def test_a_use_fills_the_variables_and_counts(house: LibraryHouse) -> None:
    name = kept(house)["id"]
    used = house.good("POST", f"{PATH}/{name}/use", json={"variables": {"name": "Anna"}})
    assert (used["text"], used["uses"]) == ("Hello, Anna!", 1)
    for variables, param in (({}, "variables.name"), ({"name": 5}, "variables.name")):
        answer = house.ask("POST", f"{PATH}/{name}/use", json={"variables": variables})
        assert_refused(answer, bad(param))
    assert house.good("GET", f"{PATH}/{name}")["uses"] == 1
    plain = kept(house, text="No variables")["id"]
    assert house.good("POST", f"{PATH}/{plain}/use")["text"] == "No variables"


def test_lists_are_by_name_and_are_filtered(house: LibraryHouse) -> None:
    kept(house, name="b", category="Coding", favourite=True)
    kept(house, name="A", kind="system", text="Be brief.")
    kept(house, name="c", description="about Dogs")
    assert listed(house) == ["A", "b", "c"]
    assert listed(house, category="Coding") == listed(house, favourite="true") == ["b"]
    assert listed(house, favourite="false", kind="user") == ["c"]
    assert listed(house, kind="system") == listed(house, query="BRIEF") == ["A"]
    assert listed(house, query="dogs hello") == ["c"]
    page = house.good("GET", PATH, params={"limit": 2})
    assert page["has_more"]
    assert listed(house, after=page["data"][1]["id"]) == ["c"]
    for query, param in (("kind=x", "kind"), ("favourite=1", "favourite"), ("after=x", "after")):
        assert_refused(house.ask("GET", f"{PATH}?{query}"), bad(param))


def test_categories_are_the_usual_ones_until_somebody_has_his_own(house: LibraryHouse) -> None:
    def names(who: str = "ann") -> list[str]:
        return [one["name"] for one in house.good("GET", f"{PATH}/categories", who)["data"]]

    usual = names()
    assert "Coding" in usual
    prompt = kept(house, category="Coding")["id"]
    body = {
        "categories": [
            {"name": "Code", "color": "red", "icon": "code", "was": "Coding"},
            {"name": "Fun", "color": "lime"},
        ]
    }
    jsonschema.validate(body, prompt_requests.CATEGORIES_BODY)
    told = house.good("PUT", f"{PATH}/categories", json=body)["data"]
    assert told == [
        {"name": "Code", "color": "red", "icon": "code"},
        {"name": "Fun", "color": "lime"},
    ]
    assert names() == ["Code", "Fun"]
    # A category that is called differently takes its prompts along.
    assert house.good("GET", f"{PATH}/{prompt}")["category"] == "Code"
    assert names("bob") == usual


def test_categories_that_were_changed_elsewhere_are_not_lost(house: LibraryHouse) -> None:
    def put(before: Any, *names: str) -> Any:
        wanted = [{"name": name, "color": "red"} for name in names]
        body = {"categories": wanted} | ({} if before is None else {"before": before})
        return house.ask("PUT", f"{PATH}/categories", json=body)

    usual = house.good("GET", f"{PATH}/categories")["data"]
    jsonschema.validate({"categories": usual, "before": usual}, prompt_requests.CATEGORIES_BODY)
    seen = put(usual, "A", "B").json()["data"]
    # Somebody else, or the other tab, has the usual ones before it still.
    assert_refused(put(usual, "Mine"), Refusal(409, "conflict", "before"))
    assert house.good("GET", f"{PATH}/categories")["data"] == seen
    assert put(seen, "A", "C").status_code == 200
    # Whoever says nothing of before means whichever.
    assert put(None, "D").status_code == 200
    assert_refused(put([{"name": "x"}], "E"), bad("before[0].color"))


@pytest.mark.parametrize(
    ("categories", "param"),
    [
        ([{"name": "x"}], "categories[0].color"),
        ([{"name": "x", "color": "loud"}], "categories[0].color"),
        ([{"name": " ", "color": "red"}], "categories[0].name"),
        ([{"name": "x", "color": "red"}, {"name": "X", "color": "red"}], "categories[1].name"),
        ([{"name": "x", "color": "red", "icon": "<svg>"}], "categories[0].icon"),
        ([{"name": "x", "color": "red"}] * 51, "categories"),
        ({}, "categories"),
    ],
)
def test_categories_that_are_none_are_refused(
    house: LibraryHouse, categories: Any, param: str
) -> None:
    answer = house.ask("PUT", f"{PATH}/categories", json={"categories": categories})
    assert_refused(answer, bad(param))


def test_an_export_is_imported_losslessly_and_not_twice(house: LibraryHouse) -> None:
    name = kept(house, category="Fun", favourite=True, description="x")["id"]
    change(house, name, text="Bye, {{whom}}!")
    house.good("POST", f"{PATH}/{name}/use", json={"variables": {"whom": "you"}})
    kept(house, name="Other", kind="system")
    fun = {"categories": [{"name": "Fun", "color": "lime"}]}
    house.good("PUT", f"{PATH}/categories", json=fun)
    file = house.good("GET", f"{PATH}/export")
    jsonschema.validate(file, prompt_requests.EXPORT)
    told = house.good("POST", f"{PATH}/import", "bob", json=file)
    assert (len(told["imported"]), told["refused"]) == (2, [])
    mine = house.good("GET", f"{PATH}/export", "bob")
    assert mine["prompts"] == file["prompts"]
    assert {"name": "Fun", "color": "lime"} in mine["categories"]
    again = house.good("POST", f"{PATH}/import", "bob", json=file)
    assert again["imported"] == []
    assert [one["index"] for one in again["refused"]] == [0, 1]
    assert house.good("GET", f"{PATH}/export", "bob") == mine


@pytest.mark.parametrize(
    ("item", "param"),
    [
        (5, "prompts"),
        ({"name": "x"}, "text"),
        (GREET | {"uses": -1}, "uses"),
        (GREET | {"colour": 1}, "colour"),
        (GREET | {"versions": [{"version": 1, "text": "other", "created": 1}]}, "versions"),
        (
            GREET | {"versions": [{"version": 1, "text": GREET["text"], "created": 1}] * 2},
            "versions",
        ),
    ],
)
def test_of_an_import_the_bad_is_told_and_the_good_is_kept(
    house: LibraryHouse, item: Any, param: str
) -> None:
    kept(house, name="Mine")
    good = {"name": "Good", "text": "x"}
    told = house.good("POST", f"{PATH}/import", json={"prompts": [item, good]})
    assert [(one["index"], one["param"]) for one in told["refused"]] == [(0, param)]
    assert listed(house) == ["Good", "Mine"]


def test_a_subject_sees_only_its_own(house: LibraryHouse) -> None:
    name = kept(house)["id"]
    assert listed(house, "bob") == listed(house, None) == listed(house, "admin") == []
    for method, tail in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/use")):
        answer = house.ask(method, f"{PATH}/{name}{tail}", "bob")
        assert_refused(answer, missing("prompt_id"))
    assert house.good("GET", f"{PATH}/{name}", "admin")["name"] == "Greet"
    house.good("DELETE", f"{PATH}/{name}")
    assert list(house.database.table("prompt_versions").names()) == []
    [(_, share)] = house.database.table("prompt_shares").items()
    assert share == {"things": 0, "bytes": 0}


def test_there_is_no_room_for_more_than_ones_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_store, "MOST_PROMPTS", 2)
    monkeypatch.setattr(prompt_store, "MOST_BYTES", 1000)
    house = LibraryHouse(tmp_path)
    name = kept(house)["id"]
    too_large = house.ask("PUT", f"{PATH}/{name}", json={"text": "x" * 1000})
    assert_refused(too_large, Refusal(413, "too_large", None))
    assert versions(house, name) == [(1, GREET["text"])]
    kept(house)
    assert_refused(house.ask("POST", PATH, json=GREET), Refusal(413, "too_large", None))
    house.close()


def test_damaged_records_break_no_list_and_what_is_kept_outlives_the_process(
    tmp_path: Path,
) -> None:
    house = LibraryHouse(tmp_path)
    good, broken = kept(house, name="Good")["id"], kept(house)["id"]
    for name in ("prompts", "prompt_versions", "prompt_shares", "prompt_categories"):
        table = house.database.table(name)
        for key in table.names():
            if broken in key or "prompt-" not in key:
                table.put(key, {"text": 5})
    house.database.table("prompt_categories").put("nobody", {"categories": 5})
    house.close()
    again = LibraryHouse(tmp_path)
    assert listed(again) == ["Good"]
    assert_refused(again.ask("GET", f"{PATH}/{broken}"), missing("prompt_id"))
    change(again, good, text="Other")
    assert versions(again, good)[0] == (2, "Other")
    assert again.good("GET", f"{PATH}/categories", None)["data"]
    again.close()


# Notes.


@pytest.fixture
def rated(house: LibraryHouse, tiny: Path) -> LibraryHouse:
    """With the models that notes are on."""
    folder = house.settings.base.models / "org" / "repo"
    folder.mkdir(parents=True)
    for name in ("Tiny", "Other", "One", "Two", "Three"):
        (folder / f"{name}.gguf").symlink_to(tiny)
    return house


def noted(house: LibraryHouse, model: str, who: str = "ann", **fields: Any) -> Any:
    told = house.good("PUT", f"/notes/{model}", who, json=fields)
    jsonschema.validate(told, NOTE)
    return told


def test_a_note_is_ones_own_and_of_one_model(rated: LibraryHouse) -> None:
    assert rated.good("GET", "/notes/Tiny")["rating"] is None
    told = noted(rated, "Tiny", rating=4, note="Quick.")
    assert (told["model"], told["rating"], told["note"]) == ("Tiny", 4, "Quick.")
    assert noted(rated, "Tiny", rating=None)["note"] == "Quick."
    noted(rated, "Other", rating=1)
    noted(rated, "Other", "bob", rating=5)
    mine = rated.good("GET", "/notes")["data"]
    assert [(one["model"], one["rating"]) for one in mine] == [("Other", 1), ("Tiny", None)]
    assert rated.good("GET", "/notes/Other", "bob")["rating"] == 5
    assert rated.good("GET", "/notes", None)["data"] == []


def test_a_note_that_says_nothing_is_forgotten(rated: LibraryHouse) -> None:
    noted(rated, "Tiny", rating=4)
    told = noted(rated, "Tiny", rating=None, note=" ")
    assert (told["rating"], told["note"], told["updated"]) == (None, "", None)
    assert rated.good("GET", "/notes")["data"] == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"rating": 0}, "rating"),
        ({"rating": 6}, "rating"),
        ({"rating": "5"}, "rating"),
        ({"rating": True}, "rating"),
        ({"note": None}, "note"),
        ({"note": "x" * 10_001}, "note"),
        ({"stars": 5}, "stars"),
    ],
)
def test_a_note_that_is_none_is_refused(
    rated: LibraryHouse, body: dict[str, Any], param: str
) -> None:
    assert_refused(rated.ask("PUT", "/notes/Tiny", json=body), bad(param))


def test_notes_have_bounds_and_damage_breaks_none(
    rated: LibraryHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "MOST_NOTES", 2)
    noted(rated, "One", rating=1)
    noted(rated, "Two", rating=2)
    full = rated.ask("PUT", "/notes/Three", json={"rating": 3})
    assert_refused(full, Refusal(413, "too_large", None))
    assert noted(rated, "Two", rating=5)["rating"] == 5
    assert_refused(rated.ask("PUT", f"/notes/{'x' * 600}", json={"rating": 3}), missing("model"))
    table = rated.database.table("notes")
    table.put(next(iter(table.names())), {"rating": "x"})
    assert len(rated.good("GET", "/notes")["data"]) == 1
