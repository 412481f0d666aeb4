"""Policies of somebody's own: what counts, and what becomes of changes while the server runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from kronk.gateway.access.policy.embedded import Embedded
from kronk.gateway.access.policy.folder import read_folder, shipped
from kronk.gateway.access.policy.policy import Policy
from kronk.gateway.access.rules import Gate, inference
from kronk.shared.errors import InvalidArgument, KronkError
from kronk.shared.security.grants import UNLIMITED, Grants
from kronk.shared.security.identity import ANONYMOUS, Identity

HEAD = "package kronk.authorization\nimport rego.v1\n"
ALL = HEAD + 'allow := true\nreason := "ok"\n'
NONE = HEAD + 'allow := false\nreason := "closed"\n'
CHAT = Gate(inference("chat-completions"), "POST", "/v1/chat/completions")
SOMEBODY = Identity(
    "a-subject", key="a-key", grants=Grants({"chat-completions": UNLIMITED}), name="somebody"
)


class Server:
    """A policy over a folder, with a clock that stands still."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.source = Embedded(folder, lambda: self.now)
        self.policy = Policy("protected", "kronk", self.source, clock=lambda: self.now)

    async def asked(self, identity: Identity = SOMEBODY) -> str:
        try:
            await self.policy.check(CHAT, identity, None)
        except KronkError as error:
            return error.message
        return "ok"

    async def later(self, seconds: float = 1.0) -> str:
        self.now += seconds
        return await self.asked()


def write(path: Path, text: str) -> None:
    """Renamed over it, as editors do: a time stamp alone may be the same."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def test_a_policy_takes_the_place_of_the_shipped_one_of_its_package(tmp_path: Path) -> None:
    write(tmp_path / "mine.rego", "# mine\n" + ALL)
    files = read_folder(tmp_path)
    assert set(files.modules) == {"mine.rego", "kronk/authentication.rego", "kronk/modes.rego"}


def test_what_is_in_the_folder_and_not_a_policy_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "mine.rego", ALL)
    write(tmp_path / "lists.json", '{"friends": []}')
    for name in ("mine_test.rego", ".hidden.rego", "README.md", "mine.rego~"):
        (tmp_path / name).write_text("nonsense")
    (tmp_path / "folder.rego").mkdir()
    files = read_folder(tmp_path)
    assert set(files.modules) == {"mine.rego", "kronk/authentication.rego", "kronk/modes.rego"}
    assert set(files.data) == {"lists.json"}


def test_the_digest_says_which_policies_they_are(tmp_path: Path) -> None:
    write(tmp_path / "mine.rego", ALL)
    one = read_folder(tmp_path).digest
    assert one == read_folder(tmp_path).digest != shipped().digest
    write(tmp_path / "mine.rego", NONE)
    assert read_folder(tmp_path).digest != one


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no \\*.rego"),
        ({"a.rego": "package kronk.authorization\nallow := {"}, "a.rego:"),
        ({"a.rego": HEAD + "allow := nosuch(1)"}, "Function not found: nosuch"),
        ({"a.rego": HEAD + "x := 1"}, "`allow` is neither true nor false"),
        ({"a.rego": ALL, "b.json": "[]"}, "b.json: expected a JSON object"),
        ({"a.rego": b"\xff" + ALL.encode()}, "not UTF-8"),
        ({"a.rego": " " * (1024 * 1024 + 1)}, "more than 1048576 bytes"),
        ({f"{number}.rego": ALL for number in range(201)}, "more than 200 policies"),
    ],
)
def test_policies_that_cannot_decide_are_not_started_with(
    tmp_path: Path, files: dict[str, str | bytes], message: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidArgument, match=message) as caught:
        Embedded(tmp_path)
    assert caught.value.param == "policy_dir"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="nowhere cannot be read"):
        Embedded(tmp_path / "nowhere")


def test_a_change_is_taken_up_a_second_later_at_most(tmp_path: Path) -> None:
    async def run() -> list[str]:
        write(tmp_path / "mine.rego", ALL)
        server = Server(tmp_path)
        said = [await server.asked()]
        write(tmp_path / "mine.rego", NONE)
        return [*said, await server.asked(), await server.later()]

    assert asyncio.run(run()) == ["ok", "ok", "refused by the policy: closed"]


@pytest.mark.parametrize("damage", ["broken", "undefined", "removed", "no folder"])
def test_a_change_that_cannot_be_used_leaves_what_was_in_force_and_is_said(
    tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    path = folder / "mine.rego"

    async def run() -> tuple[list[str], list[Any], str | None]:
        write(path, NONE)
        server = Server(folder)
        said = [await server.asked()]
        if damage in ("broken", "undefined"):
            write(path, HEAD + ("allow := {" if damage == "broken" else "allow if input.x == 1"))
        else:
            path.unlink()
            if damage == "no folder":
                folder.rmdir()
        with capture_logs() as lines:
            said += [await server.later(), await server.later()]
            said.append(await server.later(60))
        problem = server.policy.problem
        folder.mkdir(exist_ok=True)
        write(path, ALL)
        said.append(await server.later())
        assert server.policy.problem is None
        return said, [line for line in lines if line["log_level"] == "error"], problem

    said, errors, problem = asyncio.run(run())
    assert said == ["refused by the policy: closed"] * 4 + ["ok"]
    assert len(errors) == 2, "once, and again after a minute"
    assert errors[0]["reason"] == problem
    assert problem


def test_the_folder_is_not_looked_at_for_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    write(tmp_path / "mine.rego", ALL)
    server = Server(tmp_path)

    def renew(folder: Path) -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr(server.source, "_renew", renew)

    async def run() -> None:
        for _ in range(10):
            await asyncio.gather(*(server.asked() for _ in range(100)))
            server.now += 0.5

    asyncio.run(run())
    assert looks == 4


def test_the_shipped_policies_are_not_looked_for_again() -> None:
    assert not Embedded(None, lambda: 1e9).is_due()


def test_a_folder_that_anybody_can_write_to_is_said(tmp_path: Path) -> None:
    write(tmp_path / "mine.rego", ALL)
    tmp_path.chmod(0o777)
    with capture_logs() as lines:
        Embedded(tmp_path)
    assert [line["log_level"] for line in lines] == ["warning"]


OFFICE = HEAD + (
    "import data.kronk.authentication\n"
    "default allow := false\n"
    'allow if reason == "ok"\n'
    'reason := authentication.reason if authentication.reason != "ok"\n'
    'else := "not_a_friend" if not input.token.name in data.friends\n'
    'else := "ok"\n'
    "cache_seconds := 60\n"
)


def test_a_policy_of_ones_own_uses_the_shipped_one_and_data(tmp_path: Path) -> None:
    async def run() -> list[str]:
        write(tmp_path / "mine.rego", OFFICE)
        write(tmp_path / "lists.json", '{"friends": ["somebody"]}')
        server = Server(tmp_path)
        said = [await server.asked(), await server.asked(ANONYMOUS)]
        write(tmp_path / "lists.json", '{"friends": []}')
        return [*said, await server.later()]

    assert asyncio.run(run()) == [
        "ok",
        "unauthorized: no authorization header",
        "refused by the policy: not_a_friend",
    ]
