"""Pulls that end anywhere, over partial files damaged anyhow: the next one gets it right."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.hub import FileServer, Served, serving
from harness.pulling import Steps, left_over, pulled, without_sync
from harness.waiting import wait_until
from kronk.shared.models import fetching, partial
from kronk.shared.models.fetching import NoRoom
from kronk.shared.models.patience import Patience
from kronk.shared.models.plan import Item, Plan
from kronk.shared.models.pull import pull
from kronk.shared.models.sources import parse
from kronk.shared.paths import BasePath

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
BODY = TINY.read_bytes()
SHA = hashlib.sha256(BODY).hexdigest()
BLOCK = 64 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "BLOCK", BLOCK)


def plan_of(url: str) -> Plan:
    return Plan("m", "m", (Item(parse(f"{url}/m.gguf"), "m.gguf", SHA, len(BODY)),))


class Killed(BaseException):
    """At the end of a connection."""


def killed(base: BasePath, wanted: Plan) -> None:
    """A pull that ends when its connection does; what the disk then has is what a crash leaves,
    but for what the test does to it."""

    def die(seconds: float) -> None:
        raise Killed

    with pytest.raises(Killed):
        pull(base, wanted, Steps(), None, Patience(die))


def damaged(path: Path, how: str, at: int) -> None:
    content = bytearray(path.read_bytes())
    at = min(at, len(content))
    match how:
        case "flip" if at < len(content):
            content[at] ^= 0x80
        case "hole":
            content[at : at + 5000] = bytes(len(content[at : at + 5000]))
        case "cut":
            del content[at:]
        case "garbage":
            content += b"\xa5" * 3000
        case _:
            pass
    path.write_bytes(content)


offsets = st.integers(0, len(BODY) - 1)


@settings(max_examples=30, deadline=None)
@given(
    deaths=st.lists(
        st.tuples(
            offsets,
            st.sampled_from(["part", "journal"]),
            st.sampled_from(["flip", "hole", "cut", "garbage", "nothing"]),
            offsets,
        ),
        min_size=1,
        max_size=4,
    ),
    flips=st.lists(offsets, max_size=1),
)
def test_a_pull_over_whatever_the_ones_before_left_is_right(
    server: FileServer,
    tmp_path_factory: pytest.TempPathFactory,
    deaths: list[tuple[int, str, str, int]],
    flips: list[int],
) -> None:
    base = BasePath(tmp_path_factory.mktemp("base"))
    wanted = plan_of(server.url)
    with pytest.MonkeyPatch.context() as patch:
        without_sync(patch)
        for reach, kind, how, at in deaths:
            server.files["/m.gguf"] = Served(BODY, cuts=deque([max(reach - size(base), 0)]))
            killed(base, wanted)
            for path in base.downloads.glob(f"*.{kind}"):
                damaged(path, how, at)
        server.files["/m.gguf"] = Served(BODY, flips=deque(flips))
        assert pulled(base, wanted).read_bytes() == BODY
    assert left_over(base) == []


def size(base: BasePath) -> int:
    return sum(path.stat().st_size for path in base.downloads.glob("*.part"))


def test_a_flipped_byte_costs_no_more_than_what_follows_it(
    server: FileServer, tmp_path: Path
) -> None:
    base, wanted = BasePath(tmp_path), plan_of(server.url)
    server.files["/m.gguf"] = Served(BODY, cuts=deque([3_000_000]))
    killed(base, wanted)
    (part,) = base.downloads.glob("*.part")
    damaged(part, "flip", 2_500_000)
    server.asked.clear()
    assert pulled(base, wanted).read_bytes() == BODY
    assert server.ranges("/m.gguf") == [f"bytes={2_500_000 // BLOCK * BLOCK}-"]


CHILD = """
import sys
from pathlib import Path
from kronk.shared.models import partial
from kronk.shared.models.plan import Item, Plan
from kronk.shared.models.pull import pull
from kronk.shared.models.sources import parse
from kronk.shared.paths import BasePath
base, url, sha256, size, block = sys.argv[1:]
partial.BLOCK = int(block)
item = Item(parse(url + "/m.gguf"), "m.gguf", sha256, int(size))
pull(BasePath(Path(base)), Plan("m", "m", (item,)), lambda *step: None)
"""


@pytest.mark.parametrize("reach", [1, 700_000, len(BODY) - 1])
def test_a_killed_process_costs_a_block_and_who_waits_for_it_takes_over(
    server: FileServer, tmp_path: Path, reach: int
) -> None:
    base = BasePath(tmp_path)
    served = server.files["/m.gguf"] = Served(BODY, stalls=deque([reach]))
    arguments = [str(base.root), server.url, SHA, str(len(BODY)), str(BLOCK)]
    child = subprocess.Popen([sys.executable, "-P", "-c", CHILD, *arguments])
    try:
        wait_until(lambda: not served.stalls and size(base) == reach, "the child's bytes")
        server.asked.clear()
        waited = []

        def waiting(phase: str, done: int, total: int | None) -> None:
            if not waited:
                waited.append((phase, done))
                child.send_signal(signal.SIGKILL)

        assert pulled(base, plan_of(server.url), waiting).read_bytes() == BODY
    finally:
        child.kill()
        child.wait()
    assert waited == [("download", reach)]
    sure = reach // BLOCK * BLOCK
    assert server.ranges("/m.gguf") == [f"bytes={sure}-" if sure else None]
    assert left_over(base) == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; only root may have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system of our own: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_gets_full_on_the_way_keeps_what_came(
    server: FileServer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_HEADROOM", 0)
    base = BasePath(disk)
    # Nobody says beforehand how long it is.
    server.files["/m.gguf"] = Served(BODY, chunked=True)
    source = parse(f"{server.url}/m.gguf")
    wanted = Plan("m", "m", (Item(source, "m.gguf", SHA, None),))
    with pytest.raises(NoRoom, match=r"the disk is full: .* what came is kept, free some space"):
        pulled(base, wanted)
    kept = size(base)
    assert kept > 2**20
    assert not list(base.models.glob("*.gguf"))
    grow = ["mount", "-o", "remount,size=16M", str(disk)]
    subprocess.run(grow, check=True)
    server.asked.clear()
    assert pulled(base, wanted).read_bytes() == BODY
    (asked,) = server.ranges("/m.gguf")
    assert asked is not None
    assert kept - BLOCK <= int(asked.removeprefix("bytes=").removesuffix("-")) <= kept
    assert os.listdir(base.models / ".downloads") == [
        path.name for path in base.downloads.glob("*.lock")
    ]
