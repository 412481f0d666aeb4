"""A model's configuration from the YAML file to what is fitted and shown."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness.server import Server, kronk, running_server
from harness.tiny_variants import write_adapter
from harness.waiting import wait_until

GREETING = "Hello! How can I help you today?"
BAD = {
    "Tiny/LORA": ({"adapters": ["/nowhere/a.gguf"]}, "adapter /nowhere/a.gguf: a.gguf: cannot be"),
    "Tiny/DRAFT": ({"draft_model": "Tinny"}, "its draft_model: there is no model 'Tinny'"),
    "Tiny/BUFFER": (
        {"tensor_buffer_overrides": ["ffn=CUDA9"]},
        "there is no buffer type 'CUDA9' here",
    ),
    "Tiny/TEMPLATE": ({"chat_template": "rag"}, "chat_template: neither the GGUF nor"),
}


def recommend(base: Path, **config: Any) -> None:
    """A catalog of the user's own, with one model and settings for it."""
    entry = {
        "id": "Known",
        "category": "Text-Generation",
        "endpoint": "chat_completion",
        "licence": "MIT",
        "description": "Known to the catalog.",
        "folder": "o/f",
        "files": [{"source": "hf:o/f/Known.gguf"}],
        "config": config,
    }
    (base / "catalog").mkdir(exist_ok=True)
    (base / "catalog" / "own.yaml").write_text(yaml.safe_dump({"models": [entry]}))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("office")
    (base / "templates").mkdir()
    source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    (base / "templates" / "plain.jinja").write_text(source + "{% endfor %}<|im_start|>assistant\n")
    style = write_adapter(base / "style.gguf")
    config = {
        "Tiny/ALL": {
            "context-window": 2048,
            "nseq-max": 3,
            "queue_depth": 4,
            "n_batch": 256,
            "n_ubatch": 128,
            "cache_type_k": "q8_0",
            "cache_type_v": "q8_0",
            "n_gpu_layers": "none",
            "use_mmap": False,
            "chat_template": "plain",
            "adapters": [{"path": str(style), "scale": 0}],
            "incremental_cache": True,
            "cache_disk": "1MiB",
            "speculative": "ngram",
        },
        # Said by the catalog.
        "Known": {},
        "Known/WILD": {"sampling_parameters": {"temperature": 2.0, "top_k": 0, "top_p": 1}},
        **{model: keys for model, (keys, _) in BAD.items()},
    }
    recommend(base, context_window=1024, n_seq_max=2, sampling_parameters={"temperature": 0})
    with running_server(base, {"Tiny.gguf": tiny, "Known.gguf": tiny}, config) as server:
        yield server


def show(server: Server, model: str, *flags: str) -> str:
    done = kronk("model", "show", model, *flags, f"--base-path={server.base}", mark=server.mark)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_configured_is_fitted_and_shown(office: Server) -> None:
    before = json.loads(show(office, "Tiny/ALL", "--json"))
    assert (before["state"], before["fitted"]) == (None, None)
    assert before["configuration"]["n_seq_max"] == 3
    assert office.text("Tiny/ALL", "Hello!").endswith(GREETING)
    after = json.loads(show(office, "Tiny/ALL", "--json"))
    fitted = after["fitted"]
    assert after["state"] == "ready"
    assert (fitted["n_ctx"], fitted["slots"], fitted["queue"]) == (2048, 3, 12)
    assert (fitted["n_batch"], fitted["n_ubatch"]) == (256, 128)
    assert (fitted["cache_type_k"], fitted["cache_type_v"]) == ("q8_0", "q8_0")
    assert (fitted["template"], fitted["template_name"]) == ("file", "plain")
    assert fitted["adapters"] == ["style.gguf x 0"]
    assert (fitted["cache"], fitted["speculation"]) == ("incremental", "ngram")
    assert fitted["kv_bytes"] > 0
    assert fitted["notes"] == []
    page = show(office, "Tiny/ALL")
    assert "file models.yaml:" in page
    assert "style.gguf x 0" in page


def test_ps_shows_more_when_asked_to(office: Server) -> None:
    office.text("Tiny/ALL", "Hello!", max_tokens=1)
    for flags, words in (((), "LAST EXIT"), (("--wide",), "q8_0/q8_0")):
        done = kronk("ps", *flags, f"--base-path={office.base}", mark=office.mark)
        assert done.returncode == 0
        assert words in done.stdout
        assert ("q8_0/q8_0" in done.stdout) == bool(flags)


@pytest.mark.parametrize("model", sorted(BAD))
def test_what_cannot_be_honoured_is_said_to_who_asks(office: Server, model: str) -> None:
    answer = office.chat(model, "Hello!", max_tokens=1)
    assert answer.status_code == 503
    assert BAD[model][1] in answer.json()["error"]["message"]
    assert office.text("Tiny", "Hello!").endswith(GREETING)


def test_an_unknown_model_is_not_shown(office: Server) -> None:
    done = kronk("model", "show", "Tinny", f"--base-path={office.base}", mark=office.mark)
    assert done.returncode != 0
    assert "did you mean Tiny" in done.stderr


def settings(server: Server, model: str) -> tuple[dict[str, Any], dict[str, str]]:
    (row,) = server.get(f"/v1/kronk/config?model={model}")["models"]
    return row["configuration"], row["origins"]


def asked(server: Server, model: str, **options: Any) -> str:
    """Without a word on how to sample."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 100}
    answer = server.http().post("/v1/chat/completions", json=body | options)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def fitted(server: Server, model: str) -> dict[str, Any]:
    found = server.get(f"/v1/kronk/models/{model}")["fitted"]
    assert isinstance(found, dict)
    return found


def test_a_preset_of_a_request_stands_above_the_models_settings(office: Server) -> None:
    names = [row["id"] for row in office.get("/v1/kronk/presets")["data"]]
    assert names == ["balanced", "coding", "creative", "precise", "recommended"]
    # The catalog's temperature is 0, the file's is 2.
    assert asked(office, "Known/WILD", sampling_preset="recommended").endswith(GREETING)
    assert asked(office, "Known/WILD", sampling_preset="coding", temperature=0).endswith(GREETING)
    wrong = office.chat("Known/WILD", "Hello!", sampling_preset="codng", max_tokens=1)
    assert wrong.status_code == 400
    assert wrong.json()["error"]["param"] == "sampling_preset"
    assert "did you mean coding" in wrong.json()["error"]["message"]


def test_what_the_catalog_recommends_applies_until_the_file_says_otherwise(office: Server) -> None:
    values, origins = settings(office, "Known")
    assert (values["context_window"], origins["context_window"]) == (1024, "catalog")
    assert (values["sampling_parameters"], origins["n_batch"]) == ({"temperature": 0}, "default")
    assert asked(office, "Known").endswith(GREETING)
    now = fitted(office, "Known")
    assert (now["n_ctx"], now["slots"]) == (1024, 2)
    # A catalog that has changed, and a file that says one of its keys, are taken by a reload, and
    # both processes have the same then.
    recommend(office.base, context_window=2048, n_seq_max=2)
    assert settings(office, "Known")[0]["context_window"] == 1024
    file = office.base / "models.yaml"
    models = yaml.safe_load(file.read_text())
    models["models"]["Known"] = {"n_seq_max": 1}
    file.write_text(yaml.safe_dump(models))
    done = kronk("server", "reload", f"--base-path={office.base}", mark=office.mark)
    assert done.returncode == 0, done.stderr
    assert "Changed: Known\n" in done.stdout
    asked(office, "Known", temperature=0)
    now = fitted(office, "Known")
    assert (now["n_ctx"], now["slots"]) == (2048, 1)
    page = kronk("config", "show", "Known", f"--base-path={office.base}", mark=office.mark).stdout
    lines = [line.split() for line in page.splitlines()]
    assert ["context_window", "2048", "catalog"] in lines
    assert any(line[:2] == ["n_seq_max", "1"] and "models.yaml" in line[3] for line in lines[1:])
    # A gateway that starts later reads what is in force, and not what the catalog says by then.
    recommend(office.base, context_window=512)
    old = office.role_pid("gateway")
    assert old is not None
    office.kill(old, signal.SIGKILL)
    wait_until(lambda: office.role_pid("gateway") not in (None, old), "another gateway")
    wait_until(lambda: is_served(office), "an answer")
    assert settings(office, "Known")[0]["context_window"] == 2048


def is_served(server: Server) -> bool:
    try:
        return server.http().get("/v1/readiness").status_code == 200
    except httpx.TransportError:
        return False
