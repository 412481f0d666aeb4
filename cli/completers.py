"""What may stand at a place of a command line, for the shell to complete: read from the files of
this machine, without a server, in the time between two keys."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kronk.shared import settings, worker_hosts
from kronk.shared.errors import KronkError
from kronk.shared.libraries.builds import installed
from kronk.shared.libraries.host import PROCESSORS
from kronk.shared.model_config import Configs, load_file
from kronk.shared.model_keys import CACHE_TYPES
from kronk.shared.models import index
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings

# A name, and what it is for.
Proposal = tuple[str, str]
Propose = Callable[[Settings], Iterable[Proposal]]

# Others would have to be quoted, and differently for each shell.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+~=-]+")
_CATALOG_ID = re.compile(r"^\s*(?:- )?id:\s*['\"]?([^\s'\"]+)", re.MULTILINE)
_MOST_FILES, _MOST_BYTES = 200, 4 * 2**20
_CATEGORIES = (
    "Audio-Text-to-Text",
    "Embedding",
    "Image-Text-to-Text",
    "Reranking",
    "Text-Generation",
)


def models(chosen: Settings) -> Iterator[Proposal]:
    """Ids of models on disk, of variants, and aliases."""
    try:
        configs = load_file(chosen.config_file)
    except KronkError:
        configs = Configs({}, {})
    for entry in index.listed(index.scan(chosen.base.models, configs)):
        yield entry.id, "" if entry.validated else "cannot be loaded"


def processes(chosen: Settings) -> Iterator[Proposal]:
    """What a process of a server may be called."""
    for role in ("gateway", "supervisor", "spare"):
        yield role, ""
    yield from models(chosen)


def catalog_ids(chosen: Settings) -> Iterator[Proposal]:
    """Ids of the catalog. Its files are not parsed: that takes longer than one waits for a key."""
    seen: set[str] = set()
    for path in _catalog_files(chosen.base):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(_MOST_BYTES)
        except OSError:
            continue
        for found in _CATALOG_ID.findall(text):
            if found not in seen:
                seen.add(found)
                yield found, ""


def _catalog_files(base: BasePath) -> list[str]:
    shipped = os.path.dirname(index.__file__)
    found = [entry.path for entry in os.scandir(shipped) if entry.name.startswith("catalog")]
    for folder, _, names in os.walk(base.catalog):
        found += [os.path.join(folder, name) for name in names]
        if len(found) > _MOST_FILES:
            break
    return sorted(path for path in found[:_MOST_FILES] if path.endswith((".yaml", ".yml")))


def models_or_catalog_ids(chosen: Settings) -> Iterator[Proposal]:
    """What a model may be named by where it need not be on disk."""
    yield from models(chosen)
    yield from catalog_ids(chosen)


def jobs(chosen: Settings) -> Iterator[Proposal]:
    """Ids of jobs, with what they do."""
    for name, record in _records(chosen.base, "jobs"):
        yield name, f"{record.get('title', '')} ({record.get('state', '')})"


def batches(chosen: Settings) -> Iterator[Proposal]:
    """Ids of batches."""
    for name, _ in _records(chosen.base, "batches"):
        yield name, ""


def benchmarks(chosen: Settings) -> Iterator[Proposal]:
    """Ids of runs of `kronk bench`, with the model."""
    for name, record in _records(chosen.base, "benchmarks"):
        targets = record.get("targets") or [{}]
        yield name, str(targets[0].get("model", ""))


def presets(chosen: Settings) -> Iterator[Proposal]:
    """Plans of `kronk bench` that have a name."""
    # Not needed for any other word.
    from kronk.shared.benchmark.plan import PRESETS

    return ((name, "") for name in PRESETS)


def _records(base: BasePath, table: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not (base.db / "data.mdb").is_file():
        return
    # Not needed for any other word.
    import lmdb

    try:
        with lmdb.open(str(base.db), readonly=True, max_dbs=16) as environment:
            records = environment.open_db(table.encode(), create=False)
            with environment.begin(records) as transaction:
                for key, value in transaction.cursor():
                    record = json.loads(bytes(value))
                    yield bytes(key).decode(), record if isinstance(record, dict) else {}
    except (lmdb.Error, ValueError):
        return


def keys(chosen: Settings) -> Iterator[Proposal]:
    """Ids of keys that can be deleted."""
    for path in chosen.base.keys.glob("*.pem"):
        if path.stem != "master":
            yield path.stem, ""


def subjects(chosen: Settings) -> Iterator[Proposal]:
    """Who has tokens."""
    for name, record in _records(chosen.base, "tokens"):
        yield name, str(record.get("name") or "")


def categories(chosen: Settings) -> Iterator[Proposal]:
    """Of the catalog."""
    return ((name, "") for name in _CATEGORIES)


def hosts(chosen: Settings) -> Iterator[Proposal]:
    """Names of worker hosts."""
    return ((name, "") for name in worker_hosts.load(chosen.base).hosts)


def builds(chosen: Settings) -> Iterator[Proposal]:
    """Versions of llama.cpp that are installed."""
    found: dict[str, list[str]] = {}
    for build in installed(chosen.base.libraries):
        found.setdefault(build.version, []).append(build.processor)
    return ((version, ", ".join(processors)) for version, processors in found.items())


def processors(chosen: Settings) -> Iterator[Proposal]:
    """What builds are for."""
    return ((name, "") for name in PROCESSORS)


def cache_types(chosen: Settings) -> Iterator[Proposal]:
    """What keys and values may be kept as."""
    return ((name, "") for name in CACHE_TYPES)


# By the name of the argument, or of the option with its hyphens.
OF_PARAMETERS: dict[str, Propose] = {
    "model": models,
    "model_or_file": models,
    "name": models,
    "model_id": catalog_ids,
    "source": catalog_ids,
    "source_or_id": catalog_ids,
    "job_id": jobs,
    "batch_id": batches,
    "benchmark_id": benchmarks,
    "other_id": benchmarks,
    "whose": subjects,
    "--subject": subjects,
    "--keyid": keys,
    "--filter-category": categories,
    "--preset": presets,
    "--processor": processors,
    "--cache-type-k": cache_types,
    "--cache-type-v": cache_types,
}
# Where a name means something else.
OF_COMMANDS: dict[tuple[str, str], Propose] = {
    ("server stacks", "process"): processes,
    ("server profile", "process"): processes,
    ("model vram", "model"): models_or_catalog_ids,
    ("model autotune", "model"): models_or_catalog_ids,
    ("worker remove", "name"): hosts,
    ("libs remove", "version"): builds,
}
# New names, which nobody can know before.
NEW = {("worker add", "name"), ("security token inspect", "token")}


def propose(command: str, parameter: str) -> Propose | None:
    """Who knows what this parameter of the command may be; None where the shell proposes files."""
    if (command, parameter) in NEW:
        return None
    return OF_COMMANDS.get((command, parameter)) or OF_PARAMETERS.get(parameter)


def proposals(propose: Propose, base_path: str | None, begun: str) -> list[Proposal]:
    """Those that go on from what was begun; none where something is in the way, as nobody reads
    what is wrong between two keys."""
    try:
        chosen = settings.resolve({"base_path": base_path}, os.environ)
        found = list(propose(chosen))
    except (KronkError, OSError):
        return []
    return [each for each in found if each[0].startswith(begun) and _PLAIN.fullmatch(each[0])]
