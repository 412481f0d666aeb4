"""Whatever has become of the files below the base path: the server starts, serves the models that
are whole and says what it found; or says in one line why it does not start."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.server import SMALL, Server, free_port, kronk, running_server
from harness.waiting import wait_until

MODELS = Path(__file__).resolve().parents[1] / "models"
TINY = MODELS / "tiny-chat-q8_0.gguf"
CONFIG = {"Good": SMALL, "Spare": SMALL}
NOISE = random.Random(6).randbytes(3000)
GARBAGE = (
    "db/data.mdb",
    "db/lock.mdb",
    "db/load-times.json",
    "db/model-sizes.json",
    "cache/headers/0123456789abcdef0123456789abcdef.header",
    "catalog/mine.yaml",
    "files/file-0123456789abcdef01234567",
    "files/.lock",
    "libraries/linux/x86_64/cpu/manifest.json",
    "logs/audit.jsonl",
    "logs/history.jsonl",
    "logs/kronk.log",
    "logs/models/Good.log",
    "models/.downloads/part.gguf-0123456789ab.part",
    "models/.downloads/part.gguf-0123456789ab.import",
    "models/.index.lock",
    "models/.index.yaml",
    "models/o/f/Noise.gguf",
    "run/children.json",
    "run/control.sock",
    "run/kronk.pid",
    "run/model-config.json",
    "run/server.json",
    "templates/mine.jinja",
    "workers.yaml",
)
# Of these a folder is as bad.
FOLDERS = tuple(name for name in GARBAGE if name != "logs/kronk.log")


def put(base: Path, name: str, data: bytes) -> None:
    path = base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def wreck(base: Path) -> None:
    """Garbage in every file, and files that are not whole."""
    for name in GARBAGE:
        put(base, name, NOISE)
    put(base, "models/o/f/Cut.gguf", TINY.read_bytes()[:-1000])
    put(base, "models/o/f/Half-00001-of-00002.gguf", TINY.read_bytes())
    (base / "models/o/f/Gone.gguf").symlink_to(base / "nowhere")


def folders(base: Path) -> None:
    """A folder in the place of every file."""
    for name in FOLDERS:
        (base / name / "below").mkdir(parents=True)


@pytest.fixture(scope="module")
def wrecked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("wrecked")
    wreck(base)
    with running_server(base, {"o/f/Good.gguf": TINY, "p/f/Spare.gguf": TINY}, CONFIG) as server:
        yield server


def serves(server: Server) -> None:
    assert server.text("Good", "Hello!", max_tokens=1) is not None
    log = server.log_file.read_text(errors="replace")
    assert "Traceback" not in log


def reasons(server: Server) -> dict[str, str | None]:
    return {row["id"]: row["reason"] for row in server.get("/v1/kronk/models")["data"]}


def test_garbage_everywhere_is_told_and_stops_nothing(wrecked: Server) -> None:
    serves(wrecked)
    # Without anything having been loaded or asked for.
    wait_until(lambda: "truncated" in str(reasons(wrecked).get("Cut")), "the headers are read")
    told = reasons(wrecked)
    assert "1000 bytes are missing" in str(told["Cut"])
    assert "not a GGUF file" in str(told["Noise"])
    assert "lacks number 2" in str(told["Half"])
    assert "cannot be read" in str(told["Gone"])
    assert told["Good"] is None
    assert not any("part" in name for name in told)
    for words in (
        "the database was broken, and is put aside",
        ".index.yaml is not an index of models",
        "measured times of loads were damaged",
        "measured sizes of models: parts were damaged",
        "a model file cannot be loaded: o/f/Cut.gguf",
    ):
        wait_until(lambda words=words: words in wrecked.log_file.read_text(errors="replace"), words)
    [kept] = wrecked.base.glob("db.broken-*")
    assert (kept / "data.mdb").read_bytes() == NOISE
    assert (kept / "files/file-0123456789abcdef01234567").read_bytes() == NOISE
    # A download is gone on with; what an import left that was killed is nobody's.
    downloads = wrecked.base / "models/.downloads"
    assert [path.suffix for path in downloads.iterdir() if path.suffix != ".lock"] == [".part"]


def test_a_loaded_model_is_not_removed_unless_forced(wrecked: Server) -> None:
    assert wrecked.text("Spare", "Hello!", max_tokens=1) is not None
    base = f"--base-path={wrecked.base}"
    file = wrecked.base / "models/p/f/Spare.gguf"
    refused = kronk("model", "remove", "Spare", base)
    assert refused.returncode != 0 and "Spare is ready" in refused.stderr
    shown = wrecked.http().delete("/v1/kronk/models/Spare", params={"dry_run": "true"}).json()
    assert (shown["files"], shown["removed"], file.exists()) == ([str(file)], False, True)
    ollama = wrecked.http().request("DELETE", "/api/delete", json={"model": "Spare:latest"})
    assert ollama.status_code == 409
    done = kronk("model", "remove", "Spare", "--force", "--json", base)
    assert json.loads(done.stdout)["removed"] is True, done.stderr
    assert not file.exists() and not file.parent.exists()
    assert wrecked.row("Spare") is None or wrecked.row("Spare")["state"] == "absent"  # type: ignore[index]
    assert wrecked.http().delete("/v1/kronk/models/Spare").status_code == 404
    assert wrecked.http().delete("/v1/kronk/models/..%2F..%2Fsecret").status_code == 404
    odd = wrecked.http().delete("/v1/kronk/models/Good", params={"force": "yes"})
    assert (odd.status_code, odd.json()["error"]["param"]) == (400, "force")


def test_import_verify_and_index_are_jobs_of_the_server(wrecked: Server, tmp_path: Path) -> None:
    base = f"--base-path={wrecked.base}"
    shutil.copy(TINY, tmp_path / "New-Q8_0.gguf")
    done = kronk("model", "import", "New-Q8_0.gguf", "--as", "org/new", base, cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "New-Q8_0 is a model now" in done.stdout
    assert wrecked.text("New-Q8_0", "Hello!", max_tokens=1) is not None
    verified = kronk("model", "verify", "New-Q8_0", base)
    assert (verified.returncode, "as it should be" in verified.stdout) == (0, True), verified
    bad = bytearray(TINY.read_bytes())
    bad[-1] ^= 1
    (wrecked.base / "models/org/new/New-Q8_0.gguf").unlink()
    put(wrecked.base, "models/org/new/New-Q8_0.gguf", bytes(bad))
    damaged = kronk("model", "verify", "New-Q8_0", base)
    assert (damaged.returncode, "damaged: its sha256 is" in damaged.stdout) == (3, True), damaged
    assert "damaged" in str(reasons(wrecked)["New-Q8_0"])
    index = json.loads(kronk("model", "index", "--json", base).stdout)["result"]
    assert index["broken"].keys() >= {"Cut", "Noise", "Half", "Gone", "New-Q8_0"}
    refused = kronk("model", "import", str(tmp_path / "nope.gguf"), base)
    assert refused.returncode != 0 and "is no file" in refused.stderr
    removed = wrecked.http().request("DELETE", "/api/delete", json={"model": "New-Q8_0:latest"})
    # The one that was loaded before still is.
    assert removed.status_code == 409


def test_a_folder_in_the_place_of_every_file_stops_nothing(tmp_path: Path) -> None:
    folders(tmp_path)
    with running_server(tmp_path, {"o/f/Good.gguf": TINY}, {"Good": SMALL}) as server:
        serves(server)
        assert reasons(server)["Noise"] is None or "folder" in str(reasons(server)["Noise"])


def keys(base: Path) -> str:
    """The server's secret is not what it was: no host would know it any more."""
    put(base, "workers.yaml", b"workers: {}\n")
    put(base, "keys/workers.key", NOISE)
    return "keys/workers.key"


def log(base: Path) -> str:
    (base / "logs/kronk.log").mkdir(parents=True)
    return "logs/kronk.log"


def models(base: Path) -> str:
    put(base, "models", NOISE)
    return "models"


def run(base: Path) -> str:
    put(base, "run", NOISE)
    return "run"


@pytest.mark.parametrize("damage", [keys, log, models, run])
def test_what_a_server_cannot_do_without_is_named_in_one_line(
    tmp_path: Path, damage: Callable[[Path], str]
) -> None:
    name = damage(tmp_path)
    port = free_port()
    done = kronk("server", "start", f"--base-path={tmp_path}", f"--api-host=127.0.0.1:{port}")
    assert done.returncode == 2, done.stderr
    [*_, words] = done.stderr.splitlines()
    assert words.startswith("error: ") and str(tmp_path / name) in words
    assert "Traceback" not in done.stderr + done.stdout
