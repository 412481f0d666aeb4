"""A model's configuration from the YAML file to what is fitted and shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import Server, kronk, running_server
from harness.tiny_variants import write_adapter

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
        **{model: keys for model, (keys, _) in BAD.items()},
    }
    with running_server(base, {"Tiny.gguf": tiny}, config) as server:
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
    assert "* context_window" in page
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
