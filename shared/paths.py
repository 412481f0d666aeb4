"""Where Kronk keeps things under its base path."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import InvalidArgument

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")
# Beside a digest, `.log.1` and what a temporary file adds; file systems take 255 bytes.
_LONGEST_NAME = 150
# sockaddr_un holds 108 bytes with the closing NUL; the longest socket name we add is 16.
_LONGEST_SOCKET_FOLDER = 90


@dataclass(frozen=True, slots=True)
class BasePath:
    """The layout below one base path; nothing is created before `prepare`."""

    root: Path
    # Where the models are, when not below the root.
    models_at: Path | None = None

    @property
    def models(self) -> Path:
        """`<org>/<family>/<file>.gguf`, with `.index.yaml` beside."""
        return self.models_at if self.models_at is not None else self.root / "models"

    @property
    def model_config(self) -> Path:
        """Settings per model, where no other file is named; it need not be there."""
        return self.root / "model_config.yaml"

    @property
    def catalog(self) -> Path:
        """Catalogs of the user's, and those fetched from a repository: `*.yaml`."""
        return self.root / "catalog"

    @property
    def libraries(self) -> Path:
        """Builds of llama.cpp: `<os>/<arch>/<processor>/`."""
        return self.root / "libraries"

    @property
    def adapters(self) -> Path:
        """LoRA adapters that configurations name."""
        return self.root / "adapters"

    @property
    def cache(self) -> Path:
        """Cached prefixes that outlive their worker, a folder per model."""
        return self.root / "cache"

    @property
    def headers(self) -> Path:
        """What the headers of model files say, so that none is read twice."""
        return self.cache / "headers"

    @property
    def templates(self) -> Path:
        """Chat templates that configurations name: `<name>.jinja`."""
        return self.root / "templates"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def log_file(self) -> Path:
        return self.logs / "kronk.log"

    @property
    def model_logs(self) -> Path:
        """What the processes of each model said, a file per model; 0700."""
        return self.logs / "models"

    def model_log(self, model: str) -> Path:
        """The newest one of the model of that id, whatever characters that has."""
        return self.model_logs / f"{_as_file_name(model)}.log"

    @property
    def history_file(self) -> Path:
        """How processes of models ended, a line of JSON each."""
        return self.logs / "history.jsonl"

    @property
    def audit_file(self) -> Path:
        """Who administered what, a line of JSON each."""
        return self.logs / "audit.jsonl"

    @property
    def db(self) -> Path:
        """LMDB: stored responses, files and batches; and what else is to outlive the server."""
        return self.root / "db"

    @property
    def counters(self) -> Path:
        """LMDB of its own: what each subject has used. No commit of it waits for the disk."""
        return self.db / "counters"

    @property
    def model_sizes(self) -> Path:
        """JSON: how much memory the latest loads of each model took."""
        return self.db / "model-sizes.json"

    @property
    def load_times(self) -> Path:
        """JSON: how long the latest loads of each model took."""
        return self.db / "load-times.json"

    @property
    def files(self) -> Path:
        """Contents of uploaded files and of batches' results, by id."""
        return self.root / "files"

    @property
    def keys(self) -> Path:
        """Secret keys; 0700, the files 0600."""
        return self.root / "keys"

    @property
    def admin_token(self) -> Path:
        """The operator's own token."""
        return self.keys / "master.jwt"

    @property
    def workers_file(self) -> Path:
        """The other hosts whose workers this server uses."""
        return self.root / "workers.yaml"

    @property
    def run(self) -> Path:
        """Process id and address of the running server; its sockets too, where names fit."""
        return self.root / "run"

    @property
    def pid_file(self) -> Path:
        """Locked with flock for as long as the server lives."""
        return self.run / "kronk.pid"

    @property
    def server_file(self) -> Path:
        """JSON: pid and addresses of the running server."""
        return self.run / "server.json"

    @property
    def configuration(self) -> Path:
        """JSON: the model configuration that is in force, as the server last read it."""
        return self.run / "model-config.json"

    @property
    def downloads(self) -> Path:
        """Partial downloads: on the models' own file system, so that the last step is a rename."""
        return self.models / ".downloads"

    @property
    def sockets(self) -> Path:
        """`run/`, or a private folder of the temporary directory where `run/` is too long a name
        for a Unix socket (about 100 bytes)."""
        if len(os.fsencode(self.run)) <= _LONGEST_SOCKET_FOLDER:
            return self.run
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"kronk-{os.getuid()}-{digest}"

    def prepare(self) -> None:
        """Create what a server needs; raises `InvalidArgument` naming a folder that is unusable."""
        for folder in (self.root, self.models, self.logs):
            _make(folder, 0o755)
        for folder in {self.run, self.sockets}:
            _make_private(folder)


def _as_file_name(name: str) -> str:
    """The name where it can be a file's; else what is left of it, and a digest, so that no other
    name has the same."""
    safe = _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME].lstrip(".")
    if safe and safe == name:
        return safe
    return f"{safe}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"


def _make(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidArgument(
            f"base path: cannot create {folder}: {error.strerror}", param="base_path"
        ) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise InvalidArgument(
            f"base path: {folder} is not readable and writable for this user", param="base_path"
        )


def _make_private(folder: Path) -> None:
    _make(folder, 0o700)
    facts = folder.lstat()
    # Someone else's folder of that name under /tmp would hand them our sockets.
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise InvalidArgument(
            f"base path: {folder} must be a folder owned by this user", param="base_path"
        )
    folder.chmod(0o700)
