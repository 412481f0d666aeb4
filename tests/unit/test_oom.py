"""Which SIGKILL was the kernel's, by its own counters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from kronk.supervisor.oom import Count, Kills, read

V2 = "0::/system.slice/kronk.service\n"
V1 = "9:name=systemd:/\n4:cpu,memory:/kronk\n0::/\n"
EVENTS = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"
VMSTAT = "nr_free_pages 5\noom_kill 7\n"


def machine(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "count"),
    [
        (
            {
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/system.slice/kronk.service/memory.events": EVENTS,
                "proc/vmstat": VMSTAT,
            },
            Count(2, "cgroup"),
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/memory/kronk/memory.oom_control": CONTROL,
                "proc/vmstat": VMSTAT,
            },
            Count(4, "cgroup"),
        ),
        # A container that sees its own cgroup as the root.
        (
            {"proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.oom_control": CONTROL},
            Count(4, "cgroup"),
        ),
        # The controller in version 2 of a machine that has both.
        (
            {
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/unified/system.slice/kronk.service/memory.events": EVENTS,
            },
            Count(2, "cgroup"),
        ),
        # An old kernel counts only for the machine; so does the root cgroup.
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/memory/kronk/memory.oom_control": "under_oom 0\n",
                "proc/vmstat": VMSTAT,
            },
            Count(7, "machine"),
        ),
        ({"proc/self/cgroup": "0::/\n", "proc/vmstat": VMSTAT}, Count(7, "machine")),
        ({"proc/vmstat": VMSTAT}, Count(7, "machine")),
        ({"proc/self/cgroup": V2, "proc/vmstat": "oom_kill lots\n"}, None),
        ({}, None),
    ],
)
def test_the_best_counter_there_is_is_read(
    tmp_path: Path, files: Mapping[str, str], count: Count | None
) -> None:
    assert read(machine(tmp_path, files)) == count


class Counter:
    def __init__(self) -> None:
        self.count: Count | None = Count(5, "cgroup")

    def __call__(self) -> Count | None:
        return self.count

    def kill(self) -> None:
        assert self.count is not None
        self.count = Count(self.count.kills + 1, self.count.of)


def test_a_kill_since_the_start_explains_one_death() -> None:
    counter = Counter()
    kills = Kills(counter)
    first, second = kills.mark(), kills.mark()
    assert kills.explain(first) is None
    counter.kill()
    assert kills.explain(first) == "cgroup"
    assert kills.explain(second) is None
    counter.kill()
    assert kills.explain(second) == "cgroup"


def test_a_kill_before_the_start_explains_nothing() -> None:
    counter = Counter()
    kills = Kills(counter)
    counter.kill()
    mark = kills.mark()
    assert kills.explain(mark) is None
    counter.kill()
    assert kills.explain(mark) == "cgroup"


def test_a_kernel_that_does_not_count_explains_nothing() -> None:
    counter = Counter()
    counter.count = None
    kills = Kills(counter)
    assert kills.explain(kills.mark()) is None
