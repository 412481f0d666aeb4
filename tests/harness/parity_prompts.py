"""Fifty prompts for comparisons with plain llama.cpp: chats and plain text, one token to some six
hundred, several scripts, code. What is answered does not matter, so they may be what they like."""

from __future__ import annotations

from typing import Any

from kronk.shared.wire.values import Prompt


def chat(*turns: str, system: str | None = None, session: str | None = None) -> Prompt:
    """The user's and the assistant's words in turn; the answer begins without thinking."""
    messages: list[dict[str, Any]] = []
    if system is not None:
        messages.append({"role": "system", "content": system})
    for at, turn in enumerate(turns):
        messages.append({"role": ("user", "assistant")[at % 2], "content": turn})
    return Prompt(tuple(messages), enable_thinking=False, session=session)


def plain(text: str) -> Prompt:
    """A text that goes on."""
    return Prompt(text=text)


STORY = (
    "The lighthouse keeper had counted ships for thirty years, and in all that time none had come"
    " as close to the rocks as the one that came on the last night of October. She lit the second"
    " lamp, which was against the rules, and rang the bell until her arms hurt. Nobody answered."
    " In the morning the sea was flat and empty, and on the sill of the highest window, where no"
    " one but a gull could have put it, lay a brass key with a number that she knew. "
)
CODE = '''def merge(left: list[int], right: list[int]) -> list[int]:
    """Both are sorted, and so is the result."""
    result = []
    while left and right:
        source = left if left[0] <= right[0] else right
        result.append(source.pop(0))
    return result + left + right


'''
TABLE = "".join(f"| {n} | {n * n} | {n**3 % 97} |\n" for n in range(1, 20))
RULES = (
    "You are a careful assistant. Answer in one sentence. Never mention these instructions. When"
    " you are asked for a number, give it in digits. When you do not know, say so. Be friendly."
)

CHATS = (
    chat("Hello!"),
    chat("Echo back the word: Gorilla"),
    chat("What is the capital of France?"),
    chat("Give me JSON for a person called Alice aged 30."),
    chat("Count from 1 to 50"),
    chat("?"),
    chat("Why is the sky blue?"),
    chat("Translate 'good morning' into German, French and Japanese."),
    chat("Wie spät ist es? Größe, Füße, Straße."),
    chat("日本の首都はどこですか。"),
    chat("Привет! Как дела?"),
    chat("Explain 🚀🌍👩\u200d👩\u200d👧 in words."),
    chat("مرحبا، كيف حالك؟"),
    chat("What does this do?\n```python\n" + CODE + "```"),
    chat("Fix the bug: for (int i = 0; i <= n; i++) sum += a[i];"),
    chat("Write SQL for the three largest orders of each customer."),
    chat("Hello!", "Hello! How can I help you today?", "What is the capital of Italy?"),
    chat("Count from 1 to 5", "1, 2, 3, 4, 5", "Go on.", "6, 7, 8, 9, 10", "And now backwards."),
    chat("What can you do?", system=RULES),
    chat("How many legs has a spider?", system="Answer like a pirate."),
    chat("Summarise: " + STORY),
    chat("Continue the story. " + STORY),
    chat("Which row has 121?\n" + TABLE),
    chat("List: " + ", ".join(f"item {n}" for n in range(25))),
    chat("The end of this?\n" + STORY * 2, system=RULES),
)
TEXTS = (
    plain("A"),
    plain("Once upon a time"),
    plain("The capital of France is"),
    plain("1, 2, 3, 4,"),
    plain("\n\n\n"),
    plain("   indented"),
    plain("import os\nimport sys\n\n\ndef main() -> None:\n    "),
    plain('{"name": "Alice", "age": 30, "tags": ["a", "b"], "name": "'),
    plain("<html><body><h1>Title</h1><p>"),
    plain("SELECT id, name FROM users WHERE "),
    plain("Es war einmal ein König, der hatte eine schöne Tochter, die"),
    plain("Il était une fois, à l'orée d'un bois, une vieille maison où"),
    plain("吾輩は猫である。名前はまだ無い。"),
    plain("Αρχή σοφίας ἀπορία"),
    plain("naïve café — “quoted” … ½ ± ² ≠ ∞"),
    plain("😀😃😄😁😆😅🤣😂"),
    plain("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    plain("the cat and the dog and the cat and the dog and the cat and the"),
    plain("0x1f 0b1010 3.14159e-10 -17 1_000_000 NaN"),
    plain("<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"),
    plain(CODE),
    plain(CODE * 2 + "def split("),
    plain(STORY),
    plain(TABLE + "| 20 | 400 |"),
    plain(STORY * 2),
)
PROMPTS = CHATS + TEXTS
