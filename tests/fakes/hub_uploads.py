"""The hub as it takes uploads: repositories are made, files stored, and then comes one commit."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fakes.hub import COMMIT


@dataclass
class UploadHub:
    """What it was given: (method, path) with the token of each request, and what came of them."""

    url: str
    # Refuse everything with this status.
    status: int = 200
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    # What was wanted of new repositories.
    created: list[dict[str, Any]] = field(default_factory=list)
    # By digest.
    stored: dict[str, bytes] = field(default_factory=dict)
    # Paths in the repository with their digests, of each commit.
    commits: list[dict[str, str]] = field(default_factory=list)

    def puts(self) -> list[str]:
        """The digests whose bytes were sent."""
        return [path.rpartition("/")[2] for method, path, _ in self.asked if method == "PUT"]


@contextmanager
def taking_uploads() -> Iterator[UploadHub]:
    """A hub on a free port, until the block ends."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    hub = UploadHub(f"http://127.0.0.1:{httpd.server_port}")
    httpd.hub = hub  # type: ignore[attr-defined]
    httpd.daemon_threads = False
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hub
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    @property
    def hub(self) -> UploadHub:
        hub: UploadHub = self.server.hub  # type: ignore[attr-defined]
        return hub

    def do_PUT(self) -> None:
        body = self._body()
        self.hub.stored[self.path.rpartition("/")[2]] = body
        self._answer({})

    def do_POST(self) -> None:
        body = self._body()
        if self.hub.status != 200:
            self._answer({"error": "no"}, self.hub.status)
        elif self.path == "/api/repos/create":
            self.hub.created.append(json.loads(body))
            self._answer({"url": f"{self.hub.url}/o/r"})
        elif "/preupload/" in self.path:
            paths = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": path, "uploadMode": "lfs", "shouldIgnore": False} for path in paths]
            self._answer({"files": modes})
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            self._answer({"transfer": "basic", "objects": [self._action(one) for one in objects]})
        else:
            lines = [json.loads(line) for line in body.splitlines()]
            files = [line["value"] for line in lines if line["key"] == "lfsFile"]
            self.hub.commits.append({file["path"]: file["oid"] for file in files})
            self._answer({"commitUrl": f"{self.hub.url}/o/r/commit/{COMMIT}", "commitOid": COMMIT})

    def _action(self, wanted: dict[str, Any]) -> dict[str, Any]:
        known = wanted["oid"] in self.hub.stored
        actions = {"upload": {"href": f"{self.hub.url}/store/{wanted['oid']}", "header": {}}}
        return wanted | ({} if known else {"actions": actions})

    def _body(self) -> bytes:
        token = self.headers.get("Authorization")
        self.hub.asked.append((self.command, self.path, token))
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _answer(self, value: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what matters is in `asked`."""
