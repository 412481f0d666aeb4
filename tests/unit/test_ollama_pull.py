"""Ollama's words for a pull."""

from __future__ import annotations

import pytest

from kronk.gateway.dialects.ollama.pull import digest, is_source, status, wanted


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Qwen3-0.6B-Q8_0", "Qwen3-0.6B-Q8_0"),
        ("Qwen3-0.6B-Q8_0:latest", "Qwen3-0.6B-Q8_0"),
        ("hf.co/owner/repo", "hf.co/owner/repo"),
        ("hf.co/owner/repo:Q4_K_M", "hf.co/owner/repo:Q4_K_M"),
        ("https://huggingface.co/owner/repo:latest", "huggingface.co/owner/repo:latest"),
        ("HF.co/owner/repo", "HF.co/owner/repo"),
        ("hf:owner/repo:Q8_0", "hf:owner/repo:Q8_0"),
        ("https://host/a.gguf", "https://host/a.gguf"),
    ],
)
def test_names_are_read_as_ollamas_tools_write_them(model: str, expected: str) -> None:
    assert wanted(model) == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("hf.co/owner/repo:Q8_0", True),
        ("https://huggingface.co/owner/repo", True),
        ("hf:owner/repo", True),
        ("https://host/a.gguf", True),
        ("owner/repo", False),
        ("Qwen3:latest", False),
        ("../../etc/passwd", False),
    ],
)
def test_a_name_of_ollamas_registry_is_no_repository_of_the_hub(model: str, expected: bool) -> None:
    assert is_source(model) is expected


def test_a_pull_is_told_as_ollama_tells_it() -> None:
    name = digest("pull:a")
    assert status("pull:a", None, 0, None) == {"status": "pulling manifest"}
    assert status("pull:a", "download", 3, 9) == {
        "status": f"pulling {name[7:19]}",
        "digest": name,
        "total": 9,
        "completed": 3,
    }
    assert status("pull:a", "download", 3, None) == {"status": f"pulling {name[7:19]}"}
    assert status("pull:a", "verify", 3, 9) == {"status": "verifying sha256 digest"}
    assert status("pull:a", "extract", 3, 9) == {"status": "extract"}
