"""The catalog, its repository and chat templates of a running server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.file_server import FileServer, answer
from harness.server import Server, kronk, running_server
from kronk.cli.catalog_update import WHEN

TINY = Path(__file__).parents[1] / "models/tiny-chat-q8_0.gguf"
CATALOG = """\
models:
  - id: Tiny
    category: Text-Generation
    endpoint: chat_completion
    licence: MIT
    description: Ours.
    files: [{source: hf:o/r/Tiny.gguf}]
"""


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    with FileServer({"/c.yaml": answer(CATALOG.encode())}) as server:
        yield server


@pytest.fixture(scope="module")
def server(files: FileServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base, flag = tmp_path_factory.mktemp("catalog"), f"--catalog-github-repo={files.url}/c.yaml"
    with running_server(base, {"tiny/Tiny.gguf": TINY}, None, flag) as server:
        yield server


def test_the_catalog_is_updated_by_a_job_and_seen_at_once(
    server: Server, files: FileServer
) -> None:
    assert "Tiny" not in {row["id"] for row in server.get("/v1/kronk/catalog")["data"]}
    done = kronk("catalog", "update", f"--base-path={server.base}")
    assert (done.returncode, done.stdout) == (0, f"1 model of {files.url}/c.yaml\n{WHEN}\n"), (
        done.stderr
    )
    found = server.get("/v1/kronk/catalog/tiny")
    assert (found["id"], found["pulled"]) == ("Tiny", True)
    assert found["origin"] == f"{files.url}/c.yaml: c.yaml"
    rows = server.get("/v1/kronk/catalog?category=text-gen")["data"]
    assert {row["category"] for row in rows} == {"Text-Generation"}
    listed = kronk("catalog", "list", "--filter-category=Text-G", f"--base-path={server.base}")
    assert ["Text-Generation", "Tiny", "yes", "chat_completion"] in [
        line.split() for line in listed.stdout.splitlines()
    ]


def test_a_catalog_that_is_wrong_leaves_what_was_there(server: Server, files: FileServer) -> None:
    files.answers["/c.yaml"] = answer(CATALOG.replace("MIT", "[1]").encode())
    done = kronk("catalog", "update", f"--base-path={server.base}")
    assert done.returncode == 1
    assert "c.yaml: models[0] (Tiny).licence: expected a line of text" in done.stderr
    assert server.get("/v1/kronk/catalog/Tiny")["licence"] == "MIT"


def test_a_broken_file_of_the_users_is_a_fault_and_no_error(server: Server) -> None:
    (server.base / "catalog").mkdir(exist_ok=True)
    (server.base / "catalog" / "bad.yaml").write_text("models: [")
    answered = server.get("/v1/kronk/catalog")
    assert len(answered["faults"]) == 1 and "bad.yaml: not YAML" in answered["faults"][0]
    assert len(answered["data"]) > 40


def test_the_template_is_tried_without_loading_the_model(server: Server) -> None:
    report = server.get("/v1/kronk/models/Tiny/template/test")
    assert (report["origin"], report["fault"]) == ("model", None)
    assert all(case["works"] for case in report["cases"])
    shown = kronk("model", "template", "show", "Tiny", f"--base-path={server.base}")
    assert shown.stdout.strip() == report["text"].strip()
    assert server.row("Tiny") is None
