"""Whether a build works on this machine: tried once in a child process, and written down.

A record holds for the files that were tried, the processor, the drivers and the binding of then;
when one of them is another, it is tried again.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kronk.shared import trial
from kronk.shared.files import write_atomically
from kronk.shared.trial import Ended

from . import host
from .builds import NOTE, PROOF, read_json
from .versions import MATCHING

BINDING = "llama-cpp-python"
Try = Callable[[Path], Ended]


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a try."""

    ok: bool
    # Why it may not be used; empty when it may.
    reason: str
    when: str
    # What it was tried with: files, processor, drivers, binding.
    evidence: dict[str, str]
    # What the build says of itself: `ggml`, `commit`, `devices`.
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def gpus(self) -> list[str]:
        """The names of devices that are more than the processor."""
        devices = self.facts.get("devices")
        rows = devices if isinstance(devices, list) else []
        return [str(row.get("name")) for row in rows if isinstance(row, dict) and row.get("gpu")]


def evidence_of(folder: Path, root: Path = Path("/")) -> dict[str, str]:
    """What a try now would depend on."""
    return {
        "files": _files(folder),
        "binding": binding(),
        **host.fingerprint(root),
    }


def recorded(folder: Path) -> Proof | None:
    """The record, if it still holds."""
    found = read_json(folder / PROOF)
    try:
        proof = Proof(**found)
    except TypeError:
        return None
    return proof if proof.evidence == evidence_of(folder) else None


def proven(folder: Path, attempt: Try | None = None) -> Proof:
    """The record, or what a try has shown just now; takes some seconds then."""
    return recorded(folder) or prove(folder, attempt)


def prove(folder: Path, attempt: Try | None = None) -> Proof:
    """Try it, and write down what came of it."""
    evidence = evidence_of(folder)
    ended = (attempt or try_build)(folder)
    reason = _reason(ended)
    proof = Proof(
        not reason,
        reason,
        datetime.now(UTC).isoformat(timespec="seconds"),
        evidence,
        {name: value for name, value in ended.facts.items() if name not in ("ok", "error")},
    )
    try:
        write_atomically(folder / PROOF, json.dumps(asdict(proof), indent=1).encode())
    except OSError:
        # A folder that is not ours to write: it is tried again each time.
        return proof
    return proof


def try_build(folder: Path) -> Ended:
    """Load the binding on top of it, compare what the binding expects, and decode."""
    with tempfile.TemporaryDirectory(prefix="kronk-proof-") as scratch:
        return trial.run(
            *("-m", "kronk.worker.canary", "--library", str(folder), "--scratch", scratch)
        )


def _reason(ended: Ended) -> str:
    if ended.code == 0 and ended.facts.get("ok") is True:
        return ""
    stage = ended.facts.get("stage")
    if ended.signal or stage not in ("load", "abi"):
        return f"it does not decode here: {ended.cause}"
    return (
        f"it is not the llama.cpp that {BINDING} {binding()} was made for: {ended.cause};"
        f" the right one is release {MATCHING} of llama.cpp"
        if stage == "abi"
        else f"it does not load: {ended.cause}"
    )


def binding() -> str:
    """The version of the binding that is installed."""
    # Here, as each start of a server would pay for it, and few ask.
    import importlib.metadata

    try:
        return importlib.metadata.version(BINDING)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _files(folder: Path) -> str:
    """A digest of names, sizes and times: a change of the content shows in them."""
    digest = hashlib.sha256()
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            now = entry.stat(follow_symlinks=False)
            if entry.name in (NOTE, PROOF) or entry.name.startswith("."):
                continue
            link = os.readlink(entry) if stat.S_ISLNK(now.st_mode) else ""
            time = 0 if link else now.st_mtime_ns
            digest.update(f"{entry.name}\0{now.st_size}\0{time}\0{link}\n".encode())
    return digest.hexdigest()
