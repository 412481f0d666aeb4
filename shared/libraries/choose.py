"""Which build a model computes with, and why it is not the one that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .builds import Build
from .host import Host, Processor

# `auto`: the best that is installed and works; `bundled`: the build that came with the binding.
Wanted = Literal["auto", "bundled"] | Processor
# What to try when the one that is wanted cannot be had, in this order; then the bundled build.
_FALLBACK: dict[Processor, tuple[Processor, ...]] = {
    "cuda": ("cuda", "vulkan", "cpu"),
    "rocm": ("rocm", "vulkan", "cpu"),
    "sycl": ("sycl", "vulkan", "cpu"),
    "vulkan": ("vulkan", "cpu"),
    "metal": ("metal", "cpu"),
    "cpu": ("cpu",),
}
_BEST_FIRST: tuple[Processor, ...] = ("cuda", "rocm", "metal", "vulkan", "sycl", "cpu")
BUNDLED = "bundled"


@dataclass(frozen=True, slots=True)
class Choice:
    """A build, or None for the bundled one; and what stood in the way of better ones."""

    build: Build | None
    reasons: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.build.name if self.build is not None else BUNDLED

    @property
    def folder(self) -> Path | None:
        return self.build.folder if self.build is not None else None

    @property
    def reason(self) -> str | None:
        """In words, for logs and notes."""
        return f"{'; '.join(self.reasons)}: {self.name} is used" if self.reasons else None


def choose(
    wanted: Wanted,
    version: str | None,
    builds: Sequence[Build],
    host: Host,
    fault: Callable[[Build], str | None],
) -> Choice:
    """`version` is preferred where it is installed. `fault` says what is wrong with a build, and
    may take long: it is asked only of those that would be chosen."""
    if wanted == "bundled":
        return Choice(None)
    reasons: list[str] = []
    ours = [one for one in builds if (one.system, one.architecture) == _of(host)]
    for processor in _order(wanted):
        there = [build for build in ours if build.processor == processor]
        if not there:
            reasons += _missing(processor, wanted)
            continue
        # Metal comes with macOS, and what is not looked for cannot be missed.
        if not host.has(processor):
            reasons.append(f"{processor} cannot be used here ({host.words(processor)})")
            continue
        for build in _preferred(there, version, reasons):
            why = fault(build)
            if why is None:
                return Choice(build, tuple(reasons))
            reasons.append(f"the build {build.name} cannot be used: {why}")
    return Choice(None, tuple(reasons))


def _of(host: Host) -> tuple[str, str]:
    return host.system, host.architecture


def _order(wanted: Wanted) -> tuple[Processor, ...]:
    if wanted == "auto":
        return _BEST_FIRST
    assert wanted != "bundled"
    return _FALLBACK[wanted]


def _missing(processor: Processor, wanted: Wanted) -> Iterator[str]:
    """Worth a word only of the one that was asked for; a processor is what the bundled build
    computes on too."""
    if processor == wanted != "cpu":
        yield f"no {processor} build is installed (`kronk libs install --processor {processor}`)"


def _preferred(there: Sequence[Build], version: str | None, reasons: list[str]) -> list[Build]:
    if version is None:
        return list(there)
    first = [build for build in there if build.version == version]
    if not first:
        processor = there[0].processor
        reasons.append(f"version {version} of the {processor} build is not installed")
    return [*first, *(build for build in there if build.version != version)]
