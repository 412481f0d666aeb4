"""What is seen of a machine: its processors, and what a build that worked here depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronk.shared.libraries import host


def machine(root: Path, *files: str) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("flags\t: sse2 avx2\n" if name == "proc/cpuinfo" else "535.1\n")
    return root


@pytest.mark.parametrize(
    ("files", "usable"),
    [
        ((), {"cpu"}),
        (("usr/lib/x86_64-linux-gnu/libvulkan.so.1",), {"cpu"}),
        (("dev/dri/renderD128",), {"cpu"}),
        (("usr/lib/x86_64-linux-gnu/libvulkan.so.1", "dev/dri/renderD128"), {"cpu", "vulkan"}),
        (("usr/lib64/libze_loader.so.1", "dev/dri/renderD128"), {"cpu", "sycl"}),
        (("dev/kfd",), {"cpu", "rocm"}),
    ],
)
def test_a_processor_is_usable_where_its_driver_and_its_device_are(
    tmp_path: Path, files: tuple[str, ...], usable: set[str]
) -> None:
    found = host.detect(machine(tmp_path, *files), {"CUDA_VISIBLE_DEVICES": ""})
    # Where the tests run on a machine of Apple's.
    there = {name for name in host.PROCESSORS if found.has(name)} - {"metal"}
    assert there == usable
    assert all(found.words(name) for name in host.PROCESSORS)


def test_libraries_are_also_looked_for_where_the_operator_has_put_them(tmp_path: Path) -> None:
    root = machine(tmp_path, "own/libvulkan.so.1", "dev/dri/renderD128")
    told = {"LD_LIBRARY_PATH": f"{tmp_path / 'own'}:", "CUDA_VISIBLE_DEVICES": ""}
    assert host.detect(root, told).has("vulkan")


@pytest.mark.parametrize(
    ("machine_name", "name"),
    [("x86_64", "amd64"), ("AMD64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")],
)
def test_architectures_have_the_names_of_the_manual(machine_name: str, name: str) -> None:
    assert host.architecture(machine_name) == name


@pytest.mark.parametrize(
    "change",
    [
        "proc/cpuinfo",
        "sys/module/nvidia/version",
        "sys/module/amdgpu/version",
        "dev/dri/renderD129",
    ],
)
def test_another_processor_driver_or_device_is_another_machine(tmp_path: Path, change: str) -> None:
    root = machine(tmp_path, "proc/cpuinfo", "sys/module/nvidia/version", "dev/dri/renderD128")
    before = host.fingerprint(root)
    assert host.fingerprint(root) == before
    path = root / change
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("flags : sse2\n")
    assert host.fingerprint(root) != before
