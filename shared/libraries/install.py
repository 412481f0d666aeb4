"""Installs a build: fetched, unpacked beside where it belongs, tried, and only then given its
name."""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kronk.shared.errors import Conflict, InvalidArgument, ModelFailed
from kronk.shared.files import sync_folder
from kronk.shared.models import fetch_https
from kronk.shared.models.fetching import Progress, Wanted, WrongContent, digest
from kronk.shared.models.one_writer import only_writer
from kronk.shared.models.partial import Partial
from kronk.shared.models.patience import Patience
from kronk.shared.models.sources import HttpSource, allowed
from kronk.shared.settings import Settings
from kronk.shared.settings_table import SETTINGS

from . import builds, proof, releases, selection, unpack
from .builds import Build
from .host import PROCESSORS, Host, Processor
from .releases import Asset
from .versions import LATEST, MATCHING, check_version

log = logging.getLogger(__name__)

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_RELEASE = re.compile(r"b[1-9]\d{3,8}")
_BEST_FIRST: tuple[Processor, ...] = ("cuda", "rocm", "metal", "vulkan", "sycl")
# Beside the builds: what is on its way, and the lock of whoever changes something.
_DOWNLOADS, _STAGING, _LOCK = ".downloads", ".staging-", ".lock"


@dataclass(frozen=True, slots=True)
class Order:
    """What to install. `source` is a URL, an archive or a folder; None: a release of llama.cpp."""

    processor: Processor
    version: str
    source: str | None = None
    sha256: str | None = None
    # Older builds of the processor go when the new one works.
    replaces: bool = False
    # Whether a processor that has a build may get another one.
    may_upgrade: bool = True


def order_of(settings: Settings, params: Mapping[str, Any]) -> Order:
    """`InvalidArgument` names the parameter that is wrong."""
    processor = _processor(params.get("processor") or _usual(settings))
    source, sha256 = params.get("source"), params.get("sha256")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InvalidArgument("sha256: expected 64 hexadecimal digits", param="sha256")
    version = params.get("version") or settings.lib_version
    if source is None:
        version = version or MATCHING
        check_version(version)
    else:
        version = version or _version_in(source)
    return Order(
        processor,
        version,
        source,
        sha256.lower() if sha256 else None,
        replaces=bool(params.get("replace", False)),
        may_upgrade=bool(params.get("allow_upgrade", True)),
    )


def _usual(settings: Settings) -> Processor:
    """The setting's, else the best that this machine has something for."""
    if settings.processor in PROCESSORS:
        return settings.processor
    here = selection.host_of(settings)
    return next((one for one in _BEST_FIRST if here.has(one)), "cpu")


def _version_in(source: str) -> str:
    """Of a file that is called as llama.cpp's are; else a name that stands for the source."""
    found = _RELEASE.search(source.rpartition("/")[2])
    return found[0] if found else f"own-{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def check(settings: Settings, params: Mapping[str, Any]) -> None:
    """What can be told without the network."""
    settings = elsewhere(settings, params)
    order = order_of(settings, params)
    _refuse_upgrade(settings, order)


def run(settings: Settings, params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The job: install what `params` ask for, and tell where it is and what it can."""
    settings = elsewhere(settings, params)
    return _described(*install(settings, order_of(settings, params), progress))


def elsewhere(settings: Settings, params: Mapping[str, Any]) -> Settings:
    """The settings for the machine that `arch` and `os` name, where they do; `InvalidArgument`
    names the one that is wrong."""
    given = {name: params[name] for name in ("arch", "os") if params.get(name)}
    known = {setting.name: setting for setting in SETTINGS}
    for name, value in given.items():
        try:
            known[name].parse(value)
        except ValueError as error:
            raise InvalidArgument(f"{name}: {error}, got {value!r}", param=name) from error
    return replace(settings, **given)


def install(
    settings: Settings, order: Order, progress: Progress, patience: Patience | None = None
) -> tuple[Build, proof.Proof | None]:
    """The build, and what a try of it has shown; None where it is for another machine.

    `ModelFailed` for a build that does not work here: then nothing has changed.
    """
    root, host = settings.libraries, selection.host_of(settings)
    with _alone(root, progress):
        _sweep(root)
        if order.source is None:
            found = releases.find(settings.lib_releases, order.version)
            order = replace(order, version=found.version)
            archive = releases.choose(found, host, order.processor)
            order = replace(order, processor=archive.processor)
            more = releases.companion(found, archive)
            assets = [archive.asset, *([more] if more is not None else [])]
        else:
            assets = []
        target = builds.folder_of(
            root, host.system, host.architecture, order.processor, order.version
        )
        _refuse_upgrade(settings, order)
        if (target / builds.NOTE).is_file():
            return _again(_build(host, order, target), order)
        with _staging(root) as staging:
            note = _fill(settings, order, assets, staging, progress, patience or Patience())
            build = _build(host, order, staging)
            builds.write_note(staging, note)
            shown = _try(build, order)
            sync_folder(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            staging.rename(target)
            sync_folder(target.parent)
        if order.replaces:
            _remove_others(root, _build(host, order, target))
    return _build(host, order, target), shown


def remove(settings: Settings, processor: Processor, version: str) -> Build:
    """Delete a build. Workers that have it loaded go on with it."""
    host, root = selection.host_of(settings), settings.libraries
    with _alone(root, _silent):
        build = builds.pick(root, host.system, host.architecture, processor, version)
        _delete(root, build)
    return build


def removed(settings: Settings, processor: str, version: str) -> dict[str, Any]:
    """The same, by what a user names; tells what is gone."""
    build = remove(settings, _processor(processor), version)
    return {
        "processor": build.processor,
        "version": build.version,
        "path": str(build.folder),
        "deleted": True,
    }


def _processor(text: object) -> Processor:
    if text not in PROCESSORS:
        raise InvalidArgument(
            f"processor: expected one of {', '.join(PROCESSORS)}, got {text!r:.100}",
            param="processor",
        )
    return text


def _build(host: Host, order: Order, folder: Path) -> Build:
    return Build(host.system, host.architecture, order.processor, order.version, folder)


def _again(build: Build, order: Order) -> tuple[Build, proof.Proof | None]:
    """It is there already: whether it works is what is asked."""
    if order.sha256 not in (None, build.note().get("sha256")):
        raise Conflict(
            f"{build.folder} is there, from {build.note().get('source', 'somewhere else')}, which"
            " has another sha256; `kronk libs remove` removes it"
        )
    return build, _try(build, order)


def _try(build: Build, order: Order) -> proof.Proof | None:
    if not selection.is_for_here(build):
        return None
    shown = proof.proven(build.folder)
    if not shown.ok:
        what = order.source or f"release {order.version} of llama.cpp"
        raise ModelFailed(f"{what}: {shown.reason}", param="lib_version")
    return shown


def _refuse_upgrade(settings: Settings, order: Order) -> None:
    if order.may_upgrade or order.version == LATEST:
        return
    host = selection.host_of(settings)
    others = [
        build.version
        for build in builds.installed(settings.libraries)
        if (build.system, build.architecture, build.processor)
        == (host.system, host.architecture, order.processor)
    ]
    if others and order.version not in others:
        raise Conflict(
            f"the {order.processor} build {others[0]} is installed, and --allow-upgrade=false"
            f" keeps {order.version} from being installed too"
        )


def _fill(
    settings: Settings,
    order: Order,
    assets: list[Asset],
    staging: Path,
    progress: Progress,
    patience: Patience,
) -> dict[str, Any]:
    """Put the libraries into the folder; what is known of where they are from."""
    note: dict[str, Any] = {
        "source": order.source or assets[0].url,
        "sha256": None,
        "installed": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    local = Path(order.source).expanduser() if order.source and "://" not in order.source else None
    if local is not None and local.is_dir():
        if order.sha256 is not None:
            raise InvalidArgument("sha256: a folder has none", param="sha256")
        return note | {"files": unpack.gather(local, staging, progress)}
    if local is not None:
        note["sha256"] = _checked(local, order.sha256, progress)
        return note | {"files": unpack.unpack(local, staging, progress)}
    if order.source is not None:
        assets = [_asset_at(order.source, order.sha256)]
    files: list[str] = []
    for at, asset in enumerate(assets):
        archive, sha256 = _fetched(settings, asset, progress, patience)
        files += unpack.unpack(archive.path, staging, progress, needs_main=not at)
        archive.delete()
        note["sha256"] = note["sha256"] or sha256
    return note | {"files": files}


def _asset_at(url: str, sha256: str | None) -> Asset:
    source = HttpSource(url)
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/:?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    if not allowed(scheme, host) or not source.file_name:
        raise InvalidArgument(
            f"--from: expected an https:// address of an archive, got {source}", param="from"
        )
    return Asset(source.file_name, url, None, sha256)


def _fetched(
    settings: Settings, asset: Asset, progress: Progress, patience: Patience
) -> tuple[Partial, str]:
    folder = settings.libraries / _DOWNLOADS
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(asset.url.encode()).hexdigest()[:12]
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", asset.name)[:80]
    partial = Partial(folder / f"{stem}-{key}.part")
    wanted = Wanted(asset.name, asset.size_bytes, asset.sha256, kind="archive")
    found = partial.complete() or fetch_https.fetch(
        HttpSource(asset.url), partial, wanted, progress, patience
    )
    if asset.sha256 not in (None, found):
        partial.delete()
        raise WrongContent(
            f"{asset.name}: what came has the sha256 {found}, expected {asset.sha256}; it was"
            " deleted"
        )
    partial.mark_complete(found)
    return partial, found


def _checked(archive: Path, sha256: str | None, progress: Progress) -> str:
    if not archive.is_file():
        raise InvalidArgument(
            f"--from: expected a URL, an archive or a folder, got {archive}", param="from"
        )
    found = digest(archive, progress)
    if sha256 not in (None, found):
        raise WrongContent(f"{archive}: its sha256 is {found}, expected {sha256}")
    return found


@contextmanager
def _alone(root: Path, progress: Progress) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with only_writer(root / _LOCK, "a build of llama.cpp", lambda: progress("wait", 0, None)):
        yield


@contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """A folder that is gone afterwards, unless it was given another name."""
    folder = Path(tempfile.mkdtemp(prefix=_STAGING, dir=root))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        unpack.delete(folder)


def _sweep(root: Path) -> None:
    """What a process that was killed has left; we have the lock."""
    for left in root.glob(f"{_STAGING}*"):
        unpack.delete(left)


def _remove_others(root: Path, kept: Build) -> None:
    for build in builds.installed(root):
        same = (build.system, build.architecture, build.processor) == (
            kept.system,
            kept.architecture,
            kept.processor,
        )
        if same and build.version != kept.version:
            _delete(root, build)
            log.info("removed the build %s, which %s replaces", build.name, kept.version)


def _delete(root: Path, build: Build) -> None:
    """By another name first: nobody finds half a build."""
    gone = Path(tempfile.mkdtemp(prefix=_STAGING, dir=root))
    build.folder.rename(gone / "build")
    unpack.delete(gone)
    sync_folder(build.folder.parent)


def _described(build: Build, shown: proof.Proof | None) -> dict[str, Any]:
    return {
        "processor": build.processor,
        "version": build.version,
        "path": str(build.folder),
        "proven": shown is not None,
        "devices": shown.gpus if shown is not None else [],
    }


def _silent(phase: str, done: int, total: int | None) -> None:
    return None
