"""Prompts that the tiny model answers with a clear argmax, and its answers: frozen with the file.

Measured: at each step the best token leads the second by far more than batch shape can change
(`serve/test_batch_noise.py`). Behaviour beyond these is not a test.
"""

from __future__ import annotations

# Answers, and the thoughts that come before them.
CLEAR = {
    "Hello!": "Hello! How can I help you today?",
    "Echo back the word: Gorilla": "Gorilla",
    "What is the capital of France?": "The capital of France is Paris.",
    "Give me JSON for a person called Alice aged 30.": '{"name": "Alice", "age": 30}',
    "Count from 1 to 50": ", ".join(str(number) for number in range(1, 51)),
}
THOUGHTS = {
    "Hello!": "The user sent a short message. I should answer politely.",
    "Echo back the word: Gorilla": "The user wants me to echo the word Gorilla.",
    "What is the capital of France?": "The user asks for the capital of France. It is Paris.",
    "Give me JSON for a person called Alice aged 30.": "The user wants JSON.",
    "Count from 1 to 50": "I will count from 1 to 50.",
}
