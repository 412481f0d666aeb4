"""The hub's answers about repositories, for `fakes.hub`'s server of files."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import quote

from fakes.hub import COMMIT, FileServer, Served


@dataclass
class Witness:
    """A host's address, and the Authorization headers of what it was asked."""

    url: str
    tokens: list[str | None] = field(default_factory=list)


def publish(
    server: FileServer,
    repo: str,
    files: Mapping[str, bytes],
    *,
    revisions: tuple[str, ...] = ("main",),
    commit: str = COMMIT,
    **facts: Any,
) -> None:
    """A repository as the hub serves it: what it has, and each file at a commit and its branches.

    `facts` are more of what the hub says of it, such as `gated`.
    """
    answer = json.dumps(description(repo, files, commit) | facts).encode()
    for at in (f"/api/models/{repo}", *(_at(repo, one) for one in (*revisions, commit))):
        server.files[at] = Served(answer, headers={"Content-Type": "application/json"})
    for path, body in files.items():
        for revision in (*revisions, commit):
            server.files[f"/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"] = Served(
                body, etag=f'"{_sha256(body)}"', headers={"X-Repo-Commit": commit}
            )


def refuse(
    server: FileServer, repo: str, status: int, code: str = "", revision: str | None = None
) -> None:
    """The hub's refusal to say anything of a repository, with the name it gives it."""
    path = f"/api/models/{repo}" if revision is None else _at(repo, revision)
    headers = {"X-Error-Code": code} if code else {}
    server.files[path] = Served(statuses=deque([status] * 20), headers=headers)


def description(repo: str, files: Mapping[str, bytes], commit: str = COMMIT) -> dict[str, Any]:
    """What the hub answers with `?blobs=true`."""
    return {
        "id": repo,
        "modelId": repo,
        "sha": commit,
        "gated": False,
        "private": False,
        "tags": ["gguf", "license:apache-2.0"],
        "siblings": [
            {
                "rfilename": path,
                "size": len(body),
                "blobId": "0" * 40,
                "lfs": {"sha256": _sha256(body), "size": len(body), "pointerSize": 134},
            }
            for path, body in files.items()
        ],
    }


def _at(repo: str, revision: str) -> str:
    return f"/api/models/{repo}/revision/{quote(revision, safe='')}"


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@contextmanager
def witness(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[Witness]:
    """A host that answers everything with one thing, and notes which token it was told."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.tokens.append(self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    seen = Witness(f"http://127.0.0.1:{httpd.server_port}")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield seen
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
