"""The servers that Kronk is measured next to, made from the sources of the very binding it runs on.

    python bench/peers.py [--peers FOLDER]

The sources of llama-cpp-python, in the version that `pyproject.toml` pins, hold llama.cpp's. From
these `llama-server` is built with the compiler flags that Kronk's installation uses, so that both
compute with the same kernels; the example server lies in them as a script. All of it goes to
`bench/peers/`, or to the folder that `--peers` or KRONK_BENCH_PEERS names; what is there already
is used. The build takes ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PACKAGE = "llama-cpp-python"
_VARIABLE = "KRONK_BENCH_PEERS"
# The UI and TLS are no part of what is measured, and want more to be installed.
_WITHOUT = ("LLAMA_BUILD_TESTS", "LLAMA_BUILD_EXAMPLES", "LLAMA_BUILD_UI", "LLAMA_OPENSSL")


@dataclass(frozen=True, slots=True)
class Peers:
    """What there is of them; None where it could not be had."""

    llama_server: Path | None
    example_server: Path | None


def default_folder() -> Path:
    """Where they are kept."""
    return Path(os.environ.get(_VARIABLE) or Path(__file__).with_name("peers"))


def pinned_version() -> str:
    """The binding's, which `pyproject.toml` names."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    pin = next(one for one in project["dependencies"] if one.startswith(f"{_PACKAGE}=="))
    return str(pin.removeprefix(f"{_PACKAGE}=="))


def peers(folder: Path) -> Peers:
    """Those that can be had; what cannot is said, with what to do about it."""
    folder = folder.expanduser().resolve()
    sources = folder / f"{_PACKAGE.replace('-', '_')}-{pinned_version()}"
    if not sources.is_dir() and not _step(f"fetching {sources.name}", lambda: _fetch(sources)):
        return Peers(None, None)
    binary = folder / "build" / "bin" / "llama-server"
    if not binary.exists():
        _step("building llama-server, which takes minutes", lambda: _build(sources, binary))
    script = sources / "examples" / "server" / "server.py"
    return Peers(
        binary if binary.exists() else None,
        script if script.exists() else None,
    )


def _step(what: str, act: Callable[[], None]) -> bool:
    print(f"peers: {what}", flush=True)
    try:
        act()
    except (OSError, subprocess.CalledProcessError, tarfile.TarError) as error:
        print(f"peers: failed, and is left out: {error}", flush=True)
        return False
    return True


def _fetch(sources: Path) -> None:
    folder = sources.parent
    folder.mkdir(parents=True, exist_ok=True)
    version = pinned_version()
    # Without a build of its metadata pip downloads no sources; it brings what that takes.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", _PACKAGE, "--dest", str(folder), f"{_PACKAGE}=={version}"]
    subprocess.run(command, check=True)
    with tarfile.open(folder / f"{sources.name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")


def _build(sources: Path, binary: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        raise FileNotFoundError("there is no cmake on the PATH")
    build = binary.parents[1]
    configure = [cmake, "-S", str(sources / "vendor" / "llama.cpp"), "-B", str(build)]
    configure += ["-DCMAKE_BUILD_TYPE=Release", *[f"-D{name}=OFF" for name in _WITHOUT]]
    configure += ["-G", "Ninja"] if shutil.which("ninja") else []
    environment = os.environ | _compiler_flags()
    with (build.parent / "build.log").open("w") as log:
        for command in (
            configure,
            [cmake, "--build", str(build), "--target", "llama-server", "--parallel"],
        ):
            subprocess.run(command, check=True, env=environment, stdout=log, stderr=log)


def _compiler_flags() -> dict[str, str]:
    """Those of Kronk's own installation."""
    sys.path.insert(0, str(_ROOT / "deploy"))
    import llama_flags  # is no package: it runs before anything is installed

    flags = llama_flags.here(os.environ)
    print(f"peers: llama.cpp is built {flags.reason}", flush=True)
    return dict(flags.variables)


def add_option(arguments: argparse.ArgumentParser) -> None:
    """What a measurement with peers can be told of them."""
    arguments.add_argument(
        "--peers", type=Path, default=default_folder(), help=f"or {_VARIABLE}; default: %(default)s"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_option(arguments)
    found = peers(arguments.parse_args().peers)
    for name, path in (
        ("llama-server", found.llama_server),
        ("example server", found.example_server),
    ):
        print(f"{name}: {path or 'none'}")


if __name__ == "__main__":
    main()
