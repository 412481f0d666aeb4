"""What llama.cpp's releases have for which machine.

The archives are called `llama-bNNNN-bin-<system>[-<variant>]-<arch>.tar.gz` or `.zip`; the digest
of each is in the releases' API. What is there differs from release to release, so nothing but the
answer of the API says what can be had.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from kronk.shared.errors import InvalidArgument, NotFound
from kronk.shared.models.fetching import FetchFailed
from kronk.shared.models.sources import allowed

from .host import Host, Processor
from .versions import LATEST, check_version

_ARCHIVE = re.compile(
    r"llama-(?P<version>b\d+)-bin-(?P<system>ubuntu|macos|win)"
    r"(?:-(?P<variant>[a-z0-9.-]+?))?-(?P<arch>x64|arm64)\.(?:tar\.gz|zip)"
)
_SYSTEM = {"ubuntu": "linux", "macos": "darwin", "win": "windows"}
_ARCH = {"x64": "amd64", "arm64": "arm64"}
# By the first word of a variant. Others, such as OpenVINO's, are for none of ours.
_PROCESSOR: dict[str, Processor] = {
    "": "cpu",
    "cpu": "cpu",
    "cuda": "cuda",
    "vulkan": "vulkan",
    "rocm": "rocm",
    "hip": "rocm",
    "sycl": "sycl",
}
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_NUMBERS = re.compile(r"(\d+)(?:\.(\d+))?")
_TIMEOUT = httpx.Timeout(30.0, connect=15.0)
_LARGEST_ANSWER = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of a release."""

    name: str
    url: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """One release of llama.cpp."""

    version: str
    assets: tuple[Asset, ...]


@dataclass(frozen=True, slots=True)
class Archive:
    """An asset that is a build, by its name."""

    asset: Asset
    system: str
    architecture: str
    processor: Processor
    # `cuda-12.8`; empty where there is one only.
    variant: str

    @property
    def toolkit(self) -> tuple[int, int]:
        """The version of what it was built with, as the variant has it."""
        found = _NUMBERS.search(self.variant)
        return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def find(base: str, version: str) -> Release:
    """Ask the API. `NotFound` where there is no such release, `FetchFailed` where none answers."""
    check_version(version)
    url = f"{base.rstrip('/')}/{LATEST if version == LATEST else f'tags/{version}'}"
    parts = urlsplit(url)
    if not allowed(parts.scheme, parts.hostname or ""):
        raise InvalidArgument(f"lib_releases: {base}: not encrypted", param="lib_releases")
    try:
        answer = httpx.get(url, timeout=_TIMEOUT, headers={"Accept": "application/json"})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchFailed(
            f"{url}: {error or type(error).__name__}; without a way there, `kronk libs install"
            " --local --from FILE` takes an archive that was fetched elsewhere"
        ) from error
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise NotFound(f"llama.cpp has no release {version} ({url})", param="lib_version")
    if answer.status_code != httpx.codes.OK or len(answer.content) > _LARGEST_ANSWER:
        limit = "; GitHub answers 60 questions an hour" if answer.status_code in (403, 429) else ""
        raise FetchFailed(f"{url}: the server answered {answer.status_code}{limit}")
    return _release(answer, url)


def _release(answer: httpx.Response, url: str) -> Release:
    try:
        body = answer.json()
        assets = tuple(_asset(row) for row in body["assets"])
        return Release(str(body["tag_name"]), assets)
    except (ValueError, LookupError, TypeError) as error:
        raise FetchFailed(f"{url}: answered something that is no release") from error


def _asset(row: dict[str, Any]) -> Asset:
    digest = _SHA256.fullmatch(str(row.get("digest") or ""))
    size = row.get("size")
    return Asset(
        str(row["name"]),
        str(row["browser_download_url"]),
        size if type(size) is int and size >= 0 else None,
        digest[1] if digest else None,
    )


def archives(assets: Iterable[Asset]) -> list[Archive]:
    """Those that are builds for machines and processors that Kronk knows."""
    found = []
    for asset in assets:
        match = _ARCHIVE.fullmatch(asset.name)
        if match is None:
            continue
        system, variant = _SYSTEM[match["system"]], match["variant"] or ""
        processor = _PROCESSOR.get(variant.partition("-")[0])
        if system == "darwin" and match["arch"] == "arm64":
            processor = "metal"
        if processor is not None:
            found.append(Archive(asset, system, _ARCH[match["arch"]], processor, variant))
    return found


def choose(release: Release, host: Host, processor: Processor) -> Archive:
    """The build for a machine; `NotFound` says what there is instead, and what to do."""
    found = [
        archive
        for archive in archives(release.assets)
        if (archive.system, archive.architecture) == (host.system, host.architecture)
    ]
    fitting = [archive for archive in found if archive.processor == processor]
    # Metal's build computes on the processor too, and there is no other.
    if not fitting and (host.system, processor) == ("darwin", "cpu"):
        fitting = [archive for archive in found if archive.processor == "metal"]
    if not fitting:
        raise NotFound(_none(release, host, processor, found), param="processor")
    if processor != "cuda":
        # Half floats before whole ones, the newer toolkit before the older.
        return max(fitting, key=lambda archive: ("fp16" in archive.variant, archive.toolkit))
    return _for_driver(fitting, host.cuda)


def _for_driver(fitting: Sequence[Archive], driver: tuple[int, int] | None) -> Archive:
    """The newest toolkit that the driver can run; drivers run those of their own major version."""
    if driver is None:
        return min(fitting, key=lambda archive: archive.toolkit)
    runs = [archive for archive in fitting if archive.toolkit[0] <= driver[0]]
    if not runs:
        oldest = min(archive.toolkit for archive in fitting)
        raise NotFound(
            f"NVIDIA's driver here runs CUDA {driver[0]}.{driver[1]}, and the oldest build is for"
            f" CUDA {oldest[0]}.{oldest[1]}: update the driver, or take --processor vulkan",
            param="processor",
        )
    return max(runs, key=lambda archive: archive.toolkit)


def companion(release: Release, archive: Archive) -> Asset | None:
    """The archive with CUDA's own libraries, where the release has it beside the build."""
    if archive.processor != "cuda":
        return None
    ending = archive.asset.name.partition("-bin-")[2]
    return next(
        (
            asset
            for asset in release.assets
            if asset.name.startswith("cudart-llama-") and asset.name.endswith(f"bin-{ending}")
        ),
        None,
    )


def _none(release: Release, host: Host, processor: Processor, found: Sequence[Archive]) -> str:
    there = ", ".join(sorted({archive.processor for archive in found})) or "none"
    return (
        f"release {release.version} of llama.cpp has no {processor} build for {host.system}"
        f" {host.architecture} (there: {there}); build one yourself at that commit and give it to"
        f" `kronk libs install --local --from FOLDER --processor {processor}`"
    )
