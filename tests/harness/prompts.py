"""Prompts that the tiny model answers with a clear argmax, and its answers: frozen with the file.

Measured: at each step the best token leads the second by far more than batch shape can change
(`serve/test_batch_noise.py`). Behaviour beyond these is not a test.
"""

from __future__ import annotations

CLEAR = {
    "Hello!": (
        "<think>\nThe user sent a short message. I should answer politely.\n</think>\n\n"
        "Hello! How can I help you today?"
    ),
    "Echo back the word: Gorilla": (
        "<think>\nThe user wants me to echo the word Gorilla.\n</think>\n\nGorilla"
    ),
    "What is the capital of France?": (
        "<think>\nThe user asks for the capital of France. It is Paris.\n</think>\n\n"
        "The capital of France is Paris."
    ),
    "Give me JSON for a person called Alice aged 30.": (
        '<think>\nThe user wants JSON.\n</think>\n\n{"name": "Alice", "age": 30}'
    ),
    "Count from 1 to 50": (
        "<think>\nI will count from 1 to 50.\n</think>\n\n"
        + ", ".join(str(number) for number in range(1, 51))
    ),
}
