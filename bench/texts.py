"""Texts without meaning, for prompts that must differ."""

from __future__ import annotations

import random

WORDS = (
    "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "while", "seven", "wizards", "brew",
    "potions", "in", "quiet", "towers", "near", "cold", "rivers", "and", "old", "mills", "turn",
)  # fmt: skip


def some_words(seed: int, count: int) -> str:
    """`count` words, about as many tokens; another seed gives other words from the first on."""
    dice = random.Random(seed)
    return " ".join([f"{seed}", *dice.choices(WORDS, k=count - 1)])
