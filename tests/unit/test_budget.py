"""Budgets: of the machine, of cgroups of both versions, of GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronk.shared.gpus import GpuMemory, visible
from kronk.shared.sizing.budget import MIB, OWN_BYTES, Device, gpu, host, memory_limit
from kronk.shared.sizing.machine import repacked
from kronk.shared.units import Share

GIB = 1024 * MIB


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal:  8388608 kB\nMemFree: 1 kB\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, 8 * GIB, id="no cgroup at all"),
        pytest.param({"proc/self/cgroup": "0::/\n"}, 8 * GIB, id="the root has no limit"),
        pytest.param(
            {
                "proc/self/cgroup": "0::/system.slice/kronk.service\n",
                "sys/fs/cgroup/system.slice/kronk.service/memory.max": f"{2 * GIB}\n",
            },
            2 * GIB,
            id="version 2",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/user.slice/a/b\n",
                "sys/fs/cgroup/user.slice/a/b/memory.max": "max\n",
                "sys/fs/cgroup/user.slice/memory.max": f"{3 * GIB}\n",
                "sys/fs/cgroup/user.slice/a/memory.max": f"{4 * GIB}\n",
            },
            3 * GIB,
            id="the least of those above counts",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/docker/0123\n",
                "sys/fs/cgroup/memory.max": f"{GIB}\n",
            },
            GIB,
            id="in a container only the root is there",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/0123\n0::/\n",
                "sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes": f"{GIB}\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            GIB,
            id="version 1",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/a\n",
                "sys/fs/cgroup/a/memory.max": f"{64 * GIB}\n",
            },
            8 * GIB,
            id="a limit above the machine's memory is none",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/../../other\n",
                "sys/fs/cgroup/memory.max": f"{GIB}\n",
                "other/memory.max": "1\n",
            },
            GIB,
            id="a path out of our namespace is not followed",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/a\n",
                "sys/fs/cgroup/a/memory.max": "soon\n",
            },
            8 * GIB,
            id="what cannot be read is no limit",
        ),
    ],
)
def test_the_limit_is_the_least_that_holds_for_us(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    assert memory_limit(tree(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("asked", "limit", "expected"),
    [
        (Share(0.9), 100 * GIB, 90 * GIB),
        (24 * GIB, 64 * GIB, 24 * GIB),
        # Kronk's own processes need something too.
        (Share(1.0), 8 * GIB, 8 * GIB - OWN_BYTES),
        (Share(0.9), GIB, GIB - OWN_BYTES),
        (24 * GIB, 8 * GIB, 8 * GIB - OWN_BYTES),
        (Share(0.9), OWN_BYTES // 2, 0),
    ],
)
def test_models_may_have_what_was_asked_for_as_far_as_it_is_there(
    asked: Share | int, limit: int, expected: int
) -> None:
    assert host(asked, limit) == Device("host", limit, expected)


def test_a_gpu_keeps_some_for_others() -> None:
    found = gpu(GpuMemory("gpu1", 80 * GIB, 10 * GIB))
    assert found == Device("gpu1", 80 * GIB, int(80 * GIB * 0.95) - 256 * MIB)
    assert gpu(GpuMemory("gpu0", 128 * MIB, 0)).budget_bytes == 0


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("1", [1]),
        ("2, 0", [2, 0]),
        ("GPU-b", [1]),
        ("GPU-a,GPU-c", [0, 2]),
        # As CUDA reads it: what means nothing, or is ambiguous, ends the list.
        ("0,7,1", [0]),
        ("-1", []),
        ("GPU-", []),
        ("1,1", [1]),
    ],
)
def test_cuda_visible_devices_says_which_there_are(
    setting: str | None, expected: list[int]
) -> None:
    assert visible(setting, ["GPU-aa", "GPU-bb", "GPU-cc"]) == expected


@pytest.mark.parametrize(
    ("line", "kind", "expected"),
    [
        ("flags : fpu avx avx2", "x86_64", {"q4_0", "q4_K", "iq4_nl"}),
        ("flags : fpu avx2 avx512f", "x86_64", {"q4_0", "q4_K", "iq4_nl", "q2_K"}),
        ("flags : fpu sse4_2", "x86_64", set()),
        ("Features : fp asimd asimddp", "aarch64", {"q4_0", "q4_K", "iq4_nl"}),
        ("", "riscv64", set()),
    ],
)
def test_what_is_copied_for_a_processor(
    tmp_path: Path, line: str, kind: str, expected: set[str]
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{line}\n")
    assert repacked(tmp_path / "cpuinfo", kind) == expected
