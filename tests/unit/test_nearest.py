"""Which names are offered to somebody who wrote one that there is not."""

from __future__ import annotations

import pytest

from kronk.shared.models.nearest import hint, nearest

NAMES = ("Qwen3-8B-Q8_0", "Qwen3-0.6B-Q4_K_M", "SmolLM2-135M-Instruct.Q4_1", "org/Gemma-3-1B-it")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("qwen3", ["Qwen3-8B-Q8_0", "Qwen3-0.6B-Q4_K_M"]),
        ("135M", ["SmolLM2-135M-Instruct.Q4_1"]),
        ("Qwen3-8B-Q8-0", ["Qwen3-8B-Q8_0", "Qwen3-0.6B-Q4_K_M"]),
        # Far from the whole name, and near to how it begins.
        ("SmolLM3", ["SmolLM2-135M-Instruct.Q4_1"]),
        ("gemna-3", ["org/Gemma-3-1B-it"]),
        ("gpt-4o", []),
        ("x", []),
        ("", []),
        ("q" * 100_000, []),
    ],
)
def test_names_that_may_have_been_meant(wanted: str, expected: list[str]) -> None:
    assert nearest(wanted, NAMES) == expected


def test_no_more_than_three_are_offered() -> None:
    names = [f"model-{n}" for n in range(9)]
    assert hint("model", names) == "; did you mean model-0 or model-1 or model-2?"
    assert hint("mudel", names).count("model") == 3
    assert hint("model", []) == ""
