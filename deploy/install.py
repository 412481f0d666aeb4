"""Install Kronk into the virtual environment whose Python runs this; only the standard library.

`python deploy/install.py [GROUP ...]` installs the tree editable with the dependency groups named,
and builds the browser UI; `--rebuild-llama` compiles llama.cpp anew, `--ui` builds the UI anew and
fails where it cannot. Done already, it ends at once.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

import llama_flags
import ui_install
from pip_watch import LOG, ROOT, Failed, run

# The folders that are packages of ours.
PACKAGES = ("sdk", "cli", "gateway", "shared", "supervisor", "web", "worker")
SCRATCH = ROOT / "build" / "pip"
# Inside the environment, so that deleting the environment deletes it too.
STAMP = Path(sys.prefix) / "kronk-install.json"
# The first pip that knows --group.
LEAST_PIP = (25, 1)
LLAMA = "llama-cpp-python"


def fingerprint() -> str:
    """Changes whenever what is installed may differ from what pyproject.toml asks for."""
    facts = (ROOT / "pyproject.toml").read_bytes(), str(ROOT).encode(), sys.version.encode()
    return hashlib.sha256(b"\0".join(facts)).hexdigest()


def installed_groups(stamp: Path, wanted: str) -> set[str] | None:
    """The groups that are installed; None when nothing, or something else, is."""
    try:
        done = json.loads(stamp.read_text("utf-8"))
        return set(done["groups"]) if done["fingerprint"] == wanted else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def need_compiler() -> None:
    """llama.cpp is compiled here unless it is installed already."""
    if importlib.util.find_spec("llama_cpp") is not None:
        return
    for variable, command in (("CC", "cc"), ("CXX", "c++")):
        name = shlex.split(os.environ.get(variable) or command)[0]
        if shutil.which(name) is None:
            raise Failed(
                f"There is no compiler `{name}`, and llama.cpp is compiled on this machine.\n"
                "Install one (Debian, Ubuntu: apt install build-essential; "
                "Fedora: dnf install gcc gcc-c++)."
            )


def need_pip(environment: dict[str, str]) -> None:
    """A pip that knows dependency groups, in an environment that may have none."""
    if importlib.util.find_spec("pip") is None:
        run([sys.executable, "-m", "ensurepip", "--upgrade"], environment)
    asked = [sys.executable, "-m", "pip", "--version"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    found = re.match(r"pip (\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < LEAST_PIP:
        least = ".".join(map(str, LEAST_PIP))
        run(_pip("install", "--upgrade", f"pip>={least}"), environment)


def _pip(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]


def install(groups: set[str], rebuild: bool) -> None:
    """Install what is missing; the stamp is written last, so that a broken run is no run."""
    wanted = fingerprint()
    there = installed_groups(STAMP, wanted)
    if not rebuild and there is not None and groups <= there:
        return
    groups |= there or set()
    LOG.unlink(missing_ok=True)
    need_compiler()
    flags = llama_flags.here(os.environ)
    # Whatever an interrupted build leaves behind lies here, and not in the system's /tmp.
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    environment = {
        **os.environ,
        **flags.variables,
        "PYTHONUNBUFFERED": "1",
        # It is built afterwards, where its progress is seen, and without a Node.js of pip's own.
        "KRONK_SKIP_UI": "1",
        "TMPDIR": str(SCRATCH),
    }
    print(f"Installing Kronk into {sys.prefix}; llama.cpp is built {flags.reason}", flush=True)
    STAMP.unlink(missing_ok=True)
    try:
        _with_pip(groups, rebuild, environment)
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    done = json.dumps({"fingerprint": wanted, "groups": sorted(groups)})
    temporary = STAMP.with_suffix(".tmp")
    temporary.write_text(done, "utf-8")
    temporary.replace(STAMP)


def _with_pip(groups: set[str], rebuild: bool, environment: dict[str, str]) -> None:
    need_pip(environment)
    if rebuild:
        # pip's cache does not know the flags a wheel was built with.
        anew = ("--no-cache-dir", "--force-reinstall", "--no-deps", "--no-binary", LLAMA)
        run(_pip("install", "-v", *anew, pinned_llama()), environment)
    chosen = [part for group in sorted(groups) for part in ("--group", group)]
    run(_pip("install", "-v", "--editable", str(ROOT), *chosen), environment)


def compile_ours() -> None:
    """Bytecode for the tree, as pip makes it for what it copies. An editable install leaves that to
    the first import, and PYTHONDONTWRITEBYTECODE or a read-only tree to every single one, which
    costs each process of ours a second and more."""
    for name in PACKAGES:
        # A folder that cannot be written is one for which it stays as it was.
        compileall.compile_dir(ROOT / name, quiet=2, rx=re.compile("/node_modules/"))


def pinned_llama() -> str:
    """The exact requirement that pyproject.toml states."""
    found = re.search(rf'"({LLAMA}==[^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    if found is None:
        raise Failed(f"pyproject.toml does not pin {LLAMA}")
    return found[1]


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """0 when everything is installed; 1 with what to check; 130 after Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    arguments = sys.argv[1:]
    groups = {argument for argument in arguments if not argument.startswith("-")}
    try:
        install(groups, "--rebuild-llama" in arguments)
        compile_ours()
        built = ui_install.install(check="check" in groups, anew="--ui" in arguments)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the next run goes on from here.", file=sys.stderr)
        return 130
    return 0 if built or "--ui" not in arguments else 1


if __name__ == "__main__":
    sys.exit(main())
