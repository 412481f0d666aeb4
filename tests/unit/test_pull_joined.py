"""Several pulls of one model: one fetches, the others wait for it, or go on when it ends early."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.hub import FileServer, Request, Served, serving
from harness.pulling import (
    BODY,
    SHA,
    Pauses,
    Steps,
    interrupted,
    left_over,
    one,
    part_of,
    pulled,
    without_sync,
)
from harness.waiting import wait_until
from kronk.shared.models import one_writer
from kronk.shared.models.fetching import FetchFailed, NoRoom
from kronk.shared.models.patience import Patience
from kronk.shared.models.plan import Item, Plan
from kronk.shared.models.pull import pull
from kronk.shared.models.sources import parse
from kronk.shared.paths import BasePath


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BasePath:
    without_sync(monkeypatch)
    monkeypatch.setattr(one_writer, "_POLL_SECONDS", 0.01)
    return BasePath(tmp_path / "base")


class Running(threading.Thread):
    """A pull in a thread of its own; its result is a path or what it raised."""

    def __init__(self, work: Callable[[], Path]) -> None:
        super().__init__()
        self._work = work
        self.result: Path | BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self.result = error


def test_the_second_pull_waits_shows_how_far_the_first_is_and_finds_the_file(
    server: FileServer, base: BasePath
) -> None:
    served = server.files["/m.gguf"] = Served(BODY, cuts=deque([3000]))
    wanted, go_on = one(f"{server.url}/m.gguf"), threading.Event()
    first = Running(
        lambda: pull(base, wanted, Steps(), None, Patience(lambda _: assert_set(go_on)))
    )
    wait_until(lambda: not served.cuts and sizes(base) == [3000], "the first bytes")
    steps = Steps()
    second = Running(lambda: pulled(base, wanted, steps))
    wait_until(lambda: ("download", 3000, len(BODY)) in steps, "the other's progress")
    assert second.is_alive()
    go_on.set()
    first.join(30)
    second.join(30)
    assert first.result == second.result == base.models / "org/fam/m.gguf"
    assert server.ranges("/m.gguf") == [None, "bytes=3000-"]
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)


def assert_set(event: threading.Event) -> None:
    assert event.wait(30)


def sizes(base: BasePath) -> list[int]:
    return [path.stat().st_size for path in base.downloads.glob("*.part")]


def test_the_second_pull_takes_over_when_the_first_ends_early(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(BODY, cuts=deque([3000]))
    wanted, end = one(f"{server.url}/m.gguf"), threading.Event()

    def stop(seconds: float) -> None:
        assert_set(end)
        raise KeyboardInterrupt

    first = Running(lambda: pull(base, wanted, Steps(), None, Patience(stop)))
    wait_until(lambda: sizes(base) == [3000], "the first bytes")
    steps = Steps()
    second = Running(lambda: pulled(base, wanted, steps))
    wait_until(lambda: bool(steps), "the second to wait")
    end.set()
    first.join(30)
    second.join(30)
    assert isinstance(first.result, KeyboardInterrupt)
    assert second.result == base.models / "org/fam/m.gguf"
    assert second.result.read_bytes() == BODY
    assert server.ranges("/m.gguf") == [None, "bytes=3000-"]


def test_many_pulls_of_one_model_fetch_each_file_once(server: FileServer, base: BasePath) -> None:
    wanted = split(server, 3)
    pulls = [Running(lambda: pulled(base, wanted)) for _ in range(4)]
    for each in pulls:
        each.join(60)
    assert {each.result for each in pulls} == {base.models / "o/m-00001-of-00003.gguf"}
    assert sorted(path for _, path, _ in server.asked) == sorted(f"/{n}.gguf" for n in range(3))
    assert left_over(base) == []


# Models of several files


def split(server: FileServer, count: int) -> Plan:
    """A plan of so many files; only their sources have digests of their own to tell them by."""
    items = []
    for n in range(count):
        server.files[f"/{n}.gguf"] = Served(BODY)
        relative = f"o/m-{n + 1:05d}-of-{count:05d}.gguf"
        items.append(Item(parse(f"{server.url}/{n}.gguf"), relative, SHA, len(BODY)))
    return Plan("m", "m", tuple(items))


def visible(base: BasePath) -> list[str]:
    return sorted(path.name for path in base.models.rglob("*.gguf"))


def test_no_file_is_seen_before_the_last_has_come(server: FileServer, base: BasePath) -> None:
    seen: list[list[str]] = []

    def look(request: Request) -> None:
        seen.append(visible(base))

    server.on_request = look
    path = pulled(base, split(server, 3))
    assert seen == [[], [], []]
    assert path.name == "m-00001-of-00003.gguf"
    assert len(visible(base)) == 3


def test_the_file_that_is_loaded_first_gets_its_name_last(
    server: FileServer, base: BasePath
) -> None:
    wanted = split(server, 3)
    # In the way of the first file's name, but only at the end.
    server.on_request = lambda request: (base.models / wanted.items[0].relative).mkdir(
        parents=True, exist_ok=request.path != "/0.gguf"
    )
    with pytest.raises(Exception, match="is no file"):
        pulled(base, wanted)
    assert [name for name in visible(base) if (base.models / "o" / name).is_file()] == [
        "m-00002-of-00003.gguf",
        "m-00003-of-00003.gguf",
    ]


def test_files_that_are_complete_are_not_fetched_again_after_an_interruption(
    server: FileServer, base: BasePath
) -> None:
    wanted = split(server, 3)
    server.files["/2.gguf"].statuses.append(404)
    with pytest.raises(Exception, match="404"):
        pulled(base, wanted)
    assert visible(base) == []
    server.asked.clear()
    steps = Steps()
    pulled(base, wanted, steps)
    assert [path for _, path, _ in server.asked] == ["/2.gguf"]
    assert steps[-1] == ("download", 3 * len(BODY), 3 * len(BODY))
    assert "verify" not in steps.phases


def test_what_was_left_of_a_download_goes_when_the_file_comes_another_way(
    server: FileServer, base: BasePath
) -> None:
    served = server.files["/m.gguf"] = Served(BODY)
    wanted = one(f"{server.url}/m.gguf")
    served.cuts.append(1000)
    interrupted(base, wanted)
    path = base.models / wanted.items[0].relative
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    assert pulled(base, wanted) == path
    assert left_over(base) == []


def test_a_complete_file_that_was_damaged_meanwhile_is_fetched_again(
    server: FileServer, base: BasePath
) -> None:
    wanted = split(server, 2)
    server.files["/1.gguf"].statuses.append(404)
    with pytest.raises(Exception, match="404"):
        pulled(base, wanted)
    part_of(base).write_bytes(BODY[:-1] + b"x")
    assert pulled(base, wanted).read_bytes() == BODY


def test_room_is_needed_for_all_that_is_missing_before_anything_is_fetched(
    server: FileServer, base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kronk.shared.models import pull as pulling

    wanted, needed = split(server, 3), []

    def none(folder: Path, size: int) -> None:
        needed.append(size)
        raise NoRoom("none")

    server.files["/0.gguf"].cuts.append(1000)
    with pytest.raises(FetchFailed, match="out of patience"):
        pull(base, wanted, Steps(), None, Patience(impatient))
    monkeypatch.setattr(pulling, "require_room", none)
    server.asked.clear()
    with pytest.raises(NoRoom):
        pulled(base, wanted, pauses=Pauses())
    assert needed == [3 * len(BODY) - 1000]
    assert server.asked == []


def impatient(seconds: float) -> None:
    raise FetchFailed("out of patience")
