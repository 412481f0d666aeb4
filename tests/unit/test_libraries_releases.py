"""Which archive of a release of llama.cpp a machine gets, and what is said where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from fakes.hub import FileServer, Served, serving
from kronk.shared.errors import InvalidArgument, KronkError, NotFound
from kronk.shared.libraries import releases, versions
from kronk.shared.libraries.host import Host, Processor
from kronk.shared.libraries.releases import Asset, Release
from kronk.shared.models.fetching import FetchFailed

SHA = "ab" * 32
# As upstream calls them; between them things that are no builds, or for nobody here.
NAMES = [
    "cudart-llama-b11312-bin-ubuntu-cuda-12.8-x64.tar.gz",
    "cudart-llama-bin-win-cuda-12.4-x64.zip",
    "llama-b11312-bin-310p-openEuler-x86.tar.gz",
    "llama-b11312-bin-android-arm64.tar.gz",
    "llama-b11312-bin-macos-arm64.tar.gz",
    "llama-b11312-bin-macos-x64.tar.gz",
    "llama-b11312-bin-ubuntu-arm64.tar.gz",
    "llama-b11312-bin-ubuntu-cuda-12.8-x64.tar.gz",
    "llama-b11312-bin-ubuntu-cuda-13.4-x64.tar.gz",
    "llama-b11312-bin-ubuntu-openvino-2026.0-x64.tar.gz",
    "llama-b11312-bin-ubuntu-rocm-10.0-x64.tar.gz",
    "llama-b11312-bin-ubuntu-s390x.tar.gz",
    "llama-b11312-bin-ubuntu-sycl-fp16-x64.tar.gz",
    "llama-b11312-bin-ubuntu-sycl-fp32-x64.tar.gz",
    "llama-b11312-bin-ubuntu-vulkan-arm64.tar.gz",
    "llama-b11312-bin-ubuntu-vulkan-x64.tar.gz",
    "llama-b11312-bin-ubuntu-x64.tar.gz",
    "llama-b11312-bin-win-cpu-arm64.zip",
    "llama-b11312-bin-win-cpu-x64.zip",
    "llama-b11312-bin-win-cuda-12.4-x64.zip",
    "llama-b11312-bin-win-hip-radeon-x64.zip",
    "llama-b11312-bin-win-vulkan-x64.zip",
    "llama-b11312-ui.tar.gz",
    "llama-b11312-xcframework.zip",
]
RELEASE = Release("b11312", tuple(Asset(name, f"https://x.example/{name}") for name in NAMES))


@pytest.mark.parametrize(
    ("system", "architecture", "processor", "cuda", "ending"),
    [
        ("linux", "amd64", "cpu", None, "ubuntu-x64.tar.gz"),
        ("linux", "arm64", "cpu", None, "ubuntu-arm64.tar.gz"),
        ("linux", "amd64", "vulkan", None, "ubuntu-vulkan-x64.tar.gz"),
        ("linux", "arm64", "vulkan", None, "ubuntu-vulkan-arm64.tar.gz"),
        ("linux", "amd64", "rocm", None, "ubuntu-rocm-10.0-x64.tar.gz"),
        ("linux", "amd64", "sycl", None, "ubuntu-sycl-fp16-x64.tar.gz"),
        # The newest that the driver runs; the oldest where it does not tell.
        ("linux", "amd64", "cuda", (13, 0), "ubuntu-cuda-13.4-x64.tar.gz"),
        ("linux", "amd64", "cuda", (12, 4), "ubuntu-cuda-12.8-x64.tar.gz"),
        ("linux", "amd64", "cuda", (14, 1), "ubuntu-cuda-13.4-x64.tar.gz"),
        ("linux", "amd64", "cuda", None, "ubuntu-cuda-12.8-x64.tar.gz"),
        ("darwin", "arm64", "metal", None, "macos-arm64.tar.gz"),
        ("darwin", "arm64", "cpu", None, "macos-arm64.tar.gz"),
        ("darwin", "amd64", "cpu", None, "macos-x64.tar.gz"),
        ("windows", "amd64", "cpu", None, "win-cpu-x64.zip"),
        ("windows", "amd64", "rocm", None, "win-hip-radeon-x64.zip"),
        ("windows", "amd64", "cuda", (12, 9), "win-cuda-12.4-x64.zip"),
    ],
)
def test_a_machine_gets_the_archive_that_is_for_it(
    system: str,
    architecture: str,
    processor: Processor,
    cuda: tuple[int, int] | None,
    ending: str,
) -> None:
    found = releases.choose(RELEASE, Host(system, architecture, cuda=cuda), processor)
    assert found.asset.name == f"llama-b11312-bin-{ending}"


@pytest.mark.parametrize(
    ("system", "architecture", "processor", "cuda", "words"),
    [
        ("linux", "arm64", "cuda", None, "no cuda build for linux arm64 (there: cpu, vulkan)"),
        ("linux", "amd64", "metal", None, "no metal build for linux amd64"),
        ("linux", "riscv64", "cpu", None, "no cpu build for linux riscv64 (there: none)"),
        (
            "linux",
            "amd64",
            "cuda",
            (11, 8),
            "runs CUDA 11.8, and the oldest build",
        ),
    ],
)
def test_where_there_is_none_the_error_says_what_to_do_instead(
    system: str,
    architecture: str,
    processor: Processor,
    cuda: tuple[int, int] | None,
    words: str,
) -> None:
    with pytest.raises(NotFound) as caught:
        releases.choose(RELEASE, Host(system, architecture, cuda=cuda), processor)
    assert words in caught.value.message
    assert "--from" in caught.value.message or "vulkan" in caught.value.message


@pytest.mark.parametrize(
    ("system", "cuda", "name"),
    [
        ("linux", (12, 8), "cudart-llama-b11312-bin-ubuntu-cuda-12.8-x64.tar.gz"),
        ("windows", (12, 8), "cudart-llama-bin-win-cuda-12.4-x64.zip"),
        ("linux", (13, 0), None),
    ],
)
def test_the_libraries_of_cuda_come_along_where_the_release_has_them(
    system: str, cuda: tuple[int, int], name: str | None
) -> None:
    archive = releases.choose(RELEASE, Host(system, "amd64", cuda=cuda), "cuda")
    found = releases.companion(RELEASE, archive)
    assert (found and found.name) == name


@pytest.mark.parametrize("version", ["latest", "b1", "b11312"])
def test_versions_are_releases(version: str) -> None:
    versions.check_version(version)


@pytest.mark.parametrize("version", ["", "11312", "b", "b01", "v1.0", "b11312/../x", "B11312"])
def test_what_is_no_release_is_refused(version: str) -> None:
    with pytest.raises(InvalidArgument, match="such as b11312"):
        versions.check_version(version)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


def body(**more: object) -> bytes:
    row = {
        "name": NAMES[0],
        "browser_download_url": "https://x.example/a",
        "size": 7,
        "digest": f"sha256:{SHA}",
    }
    return json.dumps({"tag_name": "b11312", "assets": [row | more]}).encode()


def test_a_release_is_read_with_the_digests_of_its_files(server: FileServer) -> None:
    server.files["/r/tags/b11312"] = Served(body())
    found = releases.find(f"{server.url}/r/", "b11312")
    assert found == Release("b11312", (Asset(NAMES[0], "https://x.example/a", 7, SHA),))


def test_the_latest_release_is_asked_for_by_that_name(server: FileServer) -> None:
    server.files["/r/latest"] = Served(body(digest=None, size="large"))
    found = releases.find(f"{server.url}/r", "latest")
    assert found == Release("b11312", (Asset(NAMES[0], "https://x.example/a", None, None),))


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Served(b"not json"), FetchFailed, "no release"),
        (Served(b"[]"), FetchFailed, "no release"),
        (Served(b'{"tag_name": "b1", "assets": [{}]}'), FetchFailed, "no release"),
        (None, NotFound, "llama.cpp has no release b11312"),
    ],
)
def test_an_answer_that_is_no_release_is_an_error_in_one_line(
    server: FileServer, answer: Served | None, kind: type[KronkError], words: str
) -> None:
    if answer is not None:
        server.files["/r/tags/b11312"] = answer
    with pytest.raises(kind, match=words):
        releases.find(f"{server.url}/r", "b11312")


def test_releases_are_asked_for_over_an_encrypted_connection_only() -> None:
    with pytest.raises(InvalidArgument, match="not encrypted"):
        releases.find("http://mirror.example/r", "b11312")
