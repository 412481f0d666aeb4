"""From a word to the files that it means, against a hub on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fakes.hub import COMMIT, FileServer, Served, serving
from fakes.hub_api import description, publish, refuse, witness
from kronk.cli.resolve import page
from kronk.shared.errors import InvalidArgument, KronkError, NotFound
from kronk.shared.models import catalog, facts, hub, planning, preview
from kronk.shared.models.fetching import FetchFailed
from kronk.shared.settings import Settings, resolve

HEAD = b"GGUF\x03\x00\x00\x00" + bytes(32)
OTHER = "f" * 40
FILES = {
    "README.md": b"# m",
    "m-Q4_K_M.gguf": HEAD + b"q4",
    "m-Q8_0.gguf": HEAD + b"q8..",
    "BF16/m-BF16-00001-of-00002.gguf": HEAD + b"b1",
    "BF16/m-BF16-00002-of-00002.gguf": HEAD + b"b2",
    "mmproj-F16.gguf": HEAD + b"p",
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return resolve({"base_path": str(tmp_path / "base")}, {})


@pytest.mark.parametrize(
    ("wanted", "names", "model"),
    [
        ("o/m-GGUF", ["m-Q4_K_M.gguf", "mmproj-F16.gguf"], "m-Q4_K_M"),
        ("hf:o/m-GGUF:q8_0", ["m-Q8_0.gguf", "mmproj-F16.gguf"], "m-Q8_0"),
        ("o/m-GGUF/m-Q8_0.gguf", ["m-Q8_0.gguf", "mmproj-F16.gguf"], "m-Q8_0"),
        (
            "o/m-GGUF:bf16@main",
            ["m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf", "mmproj-F16.gguf"],
            "m-BF16",
        ),
        ("{hub}/o/m-GGUF/blob/main/m-Q8_0.gguf", ["m-Q8_0.gguf", "mmproj-F16.gguf"], "m-Q8_0"),
    ],
)
def test_a_plan_pins_the_commit_the_digests_and_the_sizes(
    server: FileServer, settings: Settings, wanted: str, names: list[str], model: str
) -> None:
    publish(server, "o/m-GGUF", FILES)
    wanted = wanted.replace("{hub}", server.url)
    plan = planning.plan(settings, wanted)
    assert (plan.wanted, plan.id, plan.revision) == (wanted, model, COMMIT)
    assert [item.relative for item in plan.items] == [f"o/m-GGUF/{name}" for name in names]
    by_name = {path.rpartition("/")[2]: body for path, body in FILES.items()}
    assert [item.size_bytes for item in plan.items] == [len(by_name[name]) for name in names]
    assert all(item.sha256 and f"@{COMMIT}" in str(item.source) for item in plan.items)
    assert (plan.licence, plan.gated) == ("apache-2.0", None)


def test_what_was_looked_at_is_what_is_fetched(server: FileServer, settings: Settings) -> None:
    publish(server, "o/m-GGUF", FILES)
    plan = planning.plan(settings, "o/m-GGUF:Q8_0")
    # The branch moves on.
    publish(server, "o/m-GGUF", {"m-Q8_0.gguf": HEAD + b"new"}, commit=OTHER)
    assert all(str(item.source).endswith(f"@{COMMIT}") for item in plan.items)
    assert planning.plan(settings, "o/m-GGUF:Q8_0").revision == OTHER


def test_a_revision_pins_everything(server: FileServer, settings: Settings) -> None:
    publish(server, "o/r", {"m.gguf": HEAD}, revisions=("main",))
    publish(server, "o/r", {"m.gguf": HEAD + b"old"}, revisions=("refs/pr/1",), commit=OTHER)
    server.files["/api/models/o/r"] = Served(statuses=deque([500] * 9))
    plan = planning.plan(settings, "o/r@refs/pr/1")
    assert (plan.revision, plan.size_bytes) == (OTHER, len(HEAD) + 3)
    assert server.asked[-1][1] == "/api/models/o/r/revision/refs%2Fpr%2F1"


def test_files_of_one_name_keep_their_folders(server: FileServer, settings: Settings) -> None:
    paths = ("q4/model.gguf", "q8/model.gguf", "mmproj-F16.gguf")
    publish(server, "o/r", dict.fromkeys(paths, HEAD))
    plan = planning.plan(settings, "o/r:q8")
    assert [item.relative for item in plan.items] == [
        "o/r/q8/model.gguf",
        # Beside the model, where it is looked for.
        "o/r/q8/mmproj-F16.gguf",
    ]


def test_a_name_that_a_hub_must_not_have_is_passed_over(
    server: FileServer, settings: Settings
) -> None:
    bad = ("../m-Q4_K_M.gguf", "a/../../m-Q4_K_M.gguf", "/m-Q4_K_M.gguf", "x/-m-Q4_K_M.gguf")
    publish(server, "o/r", dict.fromkeys((*bad, "a\\m-Q4_K_M.gguf", "m-Q8_0.gguf"), HEAD))
    assert [item.relative for item in planning.plan(settings, "o/r").items] == ["o/r/m-Q8_0.gguf"]
    with pytest.raises(NotFound, match="has no Q4_K_M; it has Q8_0"):
        planning.plan(settings, "o/r:Q4_K_M")


@pytest.mark.parametrize(
    ("status", "code", "token", "kind", "says"),
    [
        (401, "RepoNotFound", None, NotFound, "or it is private; .* set KRONK_HF_TOKEN"),
        (404, "RepoNotFound", "hf_x", NotFound, "check the token in KRONK_HF_TOKEN"),
        (404, "", None, NotFound, "the hub has no such repository"),
        (404, "RevisionNotFound", None, NotFound, "no such branch, tag or commit"),
        (401, "GatedRepo", None, FetchFailed, "accept the repository's terms .*set KRONK_HF_TOK"),
        (403, "GatedRepo", "hf_x", FetchFailed, "accept the repository's terms .*check the token"),
        (403, "", "hf_x", FetchFailed, "refuses access"),
        (500, "", None, FetchFailed, "answered 500; try again later"),
        (429, "", None, FetchFailed, "answered 429; try again later"),
    ],
)
def test_a_refusal_of_the_hub_says_what_to_do(
    server: FileServer,
    tmp_path: Path,
    status: int,
    code: str,
    token: str | None,
    kind: type[KronkError],
    says: str,
) -> None:
    refuse(server, "o/r", status, code)
    with pytest.raises(kind, match=rf"^hf:o/r: .*{says}") as caught:
        planning.plan(resolve({"base_path": str(tmp_path), "hf_token": token}, {}), "o/r")
    assert "hf_x" not in caught.value.message


def test_an_unknown_revision_is_said(server: FileServer, settings: Settings) -> None:
    publish(server, "o/r", {"m.gguf": HEAD})
    refuse(server, "o/r", 404, "RevisionNotFound", revision="v9")
    with pytest.raises(NotFound, match="hf:o/r@v9: the repository has no such branch"):
        planning.plan(settings, "o/r@v9")


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b"{}", b'{"id": "o/r", "sha": "../../x"}', b'{"sha": 1}'],
)
def test_an_answer_that_is_none_is_said(
    server: FileServer, settings: Settings, answer: bytes
) -> None:
    server.files["/api/models/o/r"] = Served(answer)
    with pytest.raises(FetchFailed, match="answered something that cannot be read"):
        planning.plan(settings, "o/r")


def test_a_hub_that_is_not_there_or_silent_is_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with pytest.raises(FetchFailed, match=r"the hub at http://127.* cannot be reached"):
            planning.plan(settings, "o/r")
        deaf.listen()
        monkeypatch.setattr(hub, "SECONDS", 0.1)
        with pytest.raises(FetchFailed, match=r"did not answer within 0\.1 s"):
            planning.plan(settings, "o/r")


def test_the_token_is_told_to_the_hub_and_to_nobody_it_redirects_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = resolve({"base_path": str(tmp_path), "hf_token": "hf_secret"}, {})
    answer = json.dumps(description("o/r", {"m.gguf": HEAD})).encode()
    with witness(200, {}, answer) as elsewhere:
        there = elsewhere.url.replace("127.0.0.1", "localhost")
        with witness(302, {"Location": f"{there}/x"}, b"") as server:
            monkeypatch.setenv("HF_ENDPOINT", server.url)
            assert planning.plan(settings, "o/r").id == "m"
    assert server.tokens == ["Bearer hf_secret"]
    assert elsewhere.tokens == [None]


def test_an_id_of_the_catalog_comes_first_and_needs_no_network(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for wanted in (catalog.STARTER, catalog.STARTER.upper()):
        assert planning.plan(settings, wanted).id == catalog.STARTER
    with pytest.raises(NotFound, match=f"did you mean .*{catalog.STARTER}"):
        planning.plan(settings, "SmolLM2-135M")


ENTRY = {
    "id": "m",
    "category": "Image-Text-to-Text",
    "endpoint": "chat_completion",
    "licence": "MIT",
    "description": "A model.",
    "folder": "org/family",
    "files": [
        {"source": "hf:o/r/m-00001-of-00002.gguf"},
        {"source": "hf:o/r/m-00002-of-00002.gguf"},
        {"source": "hf:o/r/mmproj-F16.gguf"},
        {"source": "hf:o/r/draft.gguf"},
    ],
}


def test_what_a_catalog_leaves_out_the_hub_says(
    server: FileServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(file["source"]).rpartition("/")[2] for file in ENTRY["files"]]  # type: ignore[union-attr,call-overload]
    publish(server, "o/r", dict.fromkeys(paths, HEAD))
    known = catalog.parse(yaml.safe_load(json.dumps({"models": [ENTRY]})), "test")
    monkeypatch.setattr(catalog, "known", lambda base: known)
    plan = planning.plan(settings, "M")
    assert (plan.id, plan.licence, plan.revision) == ("m", "MIT", COMMIT)
    assert [item.role for item in plan.items] == ["model", "shard", "projector", "draft"]
    assert all(item.sha256 and item.size_bytes == len(HEAD) for item in plan.items)
    assert len(server.asked) == 1


# What is shown of it


def test_a_preview_says_what_is_here(server: FileServer, settings: Settings) -> None:
    publish(server, "o/r", {"m-Q8_0.gguf": HEAD, "mmproj-F16.gguf": HEAD + b"p"}, gated="auto")
    found = preview.preview(settings, "o/r")
    assert [file["here"] for file in found["files"]] == ["absent", "absent"]
    assert found["folder"] == str(settings.base.models / "o/r")
    shown = page(found)
    assert "set KRONK_HF_TOKEN" in shown and "to fetch: 81 B" in shown and COMMIT in shown

    plan = planning.plan(settings, "o/r")
    settings.base.models.mkdir(parents=True)
    (settings.base.models / "o/r").mkdir(parents=True)
    model, projector = (settings.base.models / item.relative for item in plan.items)
    model.write_bytes(HEAD)
    projector.write_bytes(HEAD)
    found = preview.preview(settings, "o/r")
    assert [file["here"] for file in found["files"]] == ["unverified", "different"]
    assert "another file" in page(found)
    projector.unlink()
    now = model.stat()
    for sha256, here in ((plan.items[0].sha256, "same"), ("0" * 64, "different")):
        row = facts.Facts(str(sha256), now.st_size, now.st_mtime_ns, "x", "now")
        facts.record(settings.base.models, plan.items[0].relative, row)
        assert preview.preview(settings, "o/r")["files"][0]["here"] == here


def test_a_preview_lists_what_else_the_repository_has(
    server: FileServer, settings: Settings
) -> None:
    publish(server, "o/m-GGUF", FILES)
    choices = preview.preview(settings, "o/m-GGUF:q8_0")["choices"]
    assert [(one["quant"], one["chosen"], one["projector"]) for one in choices] == [
        ("Q4_K_M", False, True),
        ("Q8_0", True, True),
        ("BF16", False, True),
    ]
    assert choices[0]["source"] == "hf:o/m-GGUF/m-Q4_K_M.gguf"
    for choice in choices:
        plan = planning.plan(settings, choice["source"])
        assert plan.size_bytes == choice["size_bytes"]
    pinned = preview.preview(settings, "o/m-GGUF:q8_0@main")["choices"]
    assert pinned[0]["source"] == f"hf:o/m-GGUF/m-Q4_K_M.gguf@{COMMIT}"


def test_the_command_resolves_and_says_why_it_cannot(
    server: FileServer, settings: Settings
) -> None:
    publish(server, "o/r", {"m-Q8_0.gguf": HEAD})
    base = f"--base-path={settings.base.root}"

    def kronk(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "kronk.cli.main", "model", "resolve", *arguments, base],
            env=os.environ | {"HF_ENDPOINT": server.url},
            capture_output=True,
            text=True,
            timeout=60,
        )

    done = kronk("o/r", "--local", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"][0]["name"] == "m-Q8_0.gguf"
    assert not settings.base.root.exists()
    done = kronk("o/r:Q4_K_M", "--local")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: o/r has no Q4_K_M; it has Q8_0\n"


@pytest.mark.parametrize("wanted", ["", "../x", "x/../../y.gguf"])
def test_nonsense_is_refused_without_asking(
    server: FileServer, settings: Settings, wanted: str
) -> None:
    with pytest.raises((InvalidArgument, NotFound)):
        planning.plan(settings, wanted)
    assert server.asked == []
