"""The files that policies are in: those that Kronk comes with, and a folder of somebody's own."""

from __future__ import annotations

import hashlib
import importlib.resources
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kronk.shared.errors import InvalidArgument

# `package kronk.authorization`, which is the first statement of a policy.
_PACKAGE = re.compile(r"^[ \t]*package[ \t]+([A-Za-z_][\w.]*)", re.MULTILINE)
_LARGEST = 1024 * 1024
_MOST_FILES = 200


@dataclass(frozen=True, slots=True)
class Files:
    """Texts by the names of their files. `data` is what policies see as `data`."""

    modules: Mapping[str, str]
    data: Mapping[str, str]
    # What logs call this version. Looked at for each request, so it is made once.
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256()
        for name, text in sorted((*self.modules.items(), *self.data.items())):
            digest.update(f"{name}\0{len(text)}\0{text}".encode("utf-8", "replace"))
        object.__setattr__(self, "digest", digest.hexdigest()[:12])


def shipped() -> Files:
    """What Kronk comes with."""
    folder = importlib.resources.files("kronk.gateway") / "policies"
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".rego")]
    return Files({entry.name: entry.read_text("utf-8") for entry in found}, {})


def read_folder(folder: Path) -> Files:
    """The policies of a folder, and of those that Kronk comes with the packages it has none of.

    `*.rego` are policies, but for `*_test.rego`, which are OPA's tests; `*.json` is data. Raises
    `InvalidArgument` for what cannot be read.
    """
    modules: dict[str, str] = {}
    data: dict[str, str] = {}
    for path in _paths(folder):
        (modules if path.suffix == ".rego" else data)[path.name] = _read(path)
    if not modules:
        raise InvalidArgument(f"policy_dir: {folder} has no *.rego", param="policy_dir")
    replaced = {name for text in modules.values() for name in _PACKAGE.findall(text)}
    for name, text in shipped().modules.items():
        if not replaced & set(_PACKAGE.findall(text)):
            modules[f"kronk/{name}"] = text
    return Files(modules, data)


def stamp_of(folder: Path) -> tuple[object, ...]:
    """Differs when a policy of the folder does, by what the files' stats say."""
    try:
        stats = [(path.name, path.stat()) for path in _paths(folder)]
    except (InvalidArgument, OSError) as error:
        return (str(error),)
    return tuple(
        (name, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        for name, found in stats
    )


def others_may_write(folder: Path) -> bool:
    """Whether any user of the machine can decide who may do what."""
    paths = (folder, *_paths(folder))
    return any(path.stat().st_mode & stat.S_IWOTH for path in paths)


def _paths(folder: Path) -> list[Path]:
    try:
        names = sorted(path for path in folder.iterdir() if _counts(path))
    except OSError as error:
        raise InvalidArgument(
            f"policy_dir: {folder} cannot be read: {error.strerror}", param="policy_dir"
        ) from error
    if len(names) > _MOST_FILES:
        raise InvalidArgument(
            f"policy_dir: {folder} has more than {_MOST_FILES} policies", param="policy_dir"
        )
    return names


def _counts(path: Path) -> bool:
    if path.name.startswith(".") or path.name.endswith("_test.rego"):
        return False
    # Links are followed: Kubernetes has its files as links.
    return path.suffix in (".rego", ".json") and path.is_file()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise InvalidArgument(f"{path}: more than {_LARGEST} bytes", param="policy_dir")
        return content.decode("utf-8")
    except OSError as error:
        raise InvalidArgument(
            f"{path} cannot be read: {error.strerror}", param="policy_dir"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{path}: not UTF-8", param="policy_dir") from error
