"""Builds of llama.cpp to install: the binding's own libraries, as a release has them, and others
that are wrong in one way each."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from fakes.hub import FileServer, Served

VERSION = "b11312"
# The library a build is known by; the others come along.
MAIN = "libllama.so.0"


def bundled() -> Path:
    """Where the binding's own libraries are; the binding itself is not imported."""
    found = importlib.util.find_spec("llama_cpp")
    assert found is not None and found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / "lib"


def copy(folder: Path) -> Path:
    """A build that works. As upstream: one file of each library, and links to it."""
    folder.mkdir(parents=True)
    for name in ("llama", "ggml", "ggml-base", "ggml-cpu", "mtmd"):
        shutil.copyfile(bundled() / f"lib{name}.so", folder / f"lib{name}.so.0")
        (folder / f"lib{name}.so").symlink_to(f"lib{name}.so.0")
    return folder


def packed(folder: Path, archive: Path) -> Path:
    """The folder as upstream packs it."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, f"llama-{VERSION}/{path.name}")
    return archive


def released(server: FileServer, archive: bytes, version: str = VERSION) -> Served:
    """Have the server release it for Linux; returns what answers for the archive."""
    name = f"llama-{version}-bin-ubuntu-x64.tar.gz"
    asset = {
        "name": name,
        "browser_download_url": f"{server.url}/files/{name}",
        "size": len(archive),
        "digest": f"sha256:{hashlib.sha256(archive).hexdigest()}",
    }
    document = {"tag_name": version, "assets": [asset]}
    for path in (f"/releases/tags/{version}", "/releases/latest"):
        server.files[path] = Served(json.dumps(document).encode())
    served = server.files[f"/files/{name}"] = Served(archive)
    return served


def compiled(folder: Path, source: str, *, beside_real: bool) -> Path:
    """A build whose libllama is made of this C; with `beside_real` it passes on what it lacks."""
    if beside_real:
        copy(folder)
    else:
        folder.mkdir(parents=True)
    code, library = folder / "wrong.c", folder / "libllama.so"
    code.write_text(source)
    library.unlink(missing_ok=True)
    links = ["-Wl,--no-as-needed,-rpath,$ORIGIN", str(folder / MAIN)] if beside_real else []
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", str(library), str(code), *links],
        check=True,
        env={**os.environ, "LANG": "C"},
    )
    code.unlink()
    return folder
