"""Tries a chat template without a model: usual conversations, under several clocks."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jinja2
from jinja2 import meta, nodes

from kronk.shared.errors import InvalidArgument
from kronk.shared.templates.faults import fault_of
from kronk.shared.wire.values import Media, Prompt

from . import template
from .conversation import tools_of
from .parsers.choose import choose as choose_family
from .parsers.reasoning import supports_thinking
from .rendering import ChatPrompt, render_chat
from .template import Choice

_LONGEST_TEXT = 2**16
# What tells the hour, the day and the year of two prompts apart.
_FIRST = datetime.datetime(2024, 3, 4, 5, 6, 7)
_LATER = datetime.datetime(2024, 3, 4, 17, 46, 57)
_ANOTHER_YEAR = datetime.datetime(2031, 10, 19, 5, 6, 7)
_OURS = frozenset(
    {"messages", "tools", "add_generation_prompt", "bos_token", "eos_token", "enable_thinking"}
)
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Its name."}},
            "required": ["city"],
        },
    },
}
_SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
_USER = {"role": "user", "content": "What is the weather in Paris?"}
_CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_0",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
        }
    ],
}
_RESULT = {"role": "tool", "tool_call_id": "call_0", "name": "get_weather", "content": "18 degrees"}
_ANSWER = {"role": "assistant", "content": "It is sunny."}
_IMAGE = {
    "role": "user",
    "content": [{"type": "image", "media": 0}, {"type": "text", "text": "What is this?"}],
}
PLAIN = "user"


@dataclass(frozen=True, slots=True)
class _Words:
    """The special tokens, as far as somebody knows them."""

    known: Mapping[str, str]

    def token_text(self, which: str) -> str:
        return self.known.get(which, "")


def _cases() -> dict[str, Prompt]:
    return {
        PLAIN: Prompt((_USER,)),
        "system": Prompt((_SYSTEM, _USER)),
        "turns": Prompt((_USER, _ANSWER, _USER)),
        "tools": Prompt((_USER,), tools=(_WEATHER,)),
        "tool results": Prompt((_USER, _CALL, _RESULT), tools=(_WEATHER,)),
        "thinking on": Prompt((_USER,), enable_thinking=True),
        "thinking off": Prompt((_USER,), enable_thinking=False),
        "image": Prompt((_IMAGE,), media=(Media("image", b"", "messages[0].content[0]"),)),
    }


def check(source: str, special: Mapping[str, str]) -> dict[str, Any]:
    """JSON: what is wrong with the text, else what becomes of each conversation and what else is to
    be known. `special` is how special tokens are written."""
    found = fault(source)
    if found is not None:
        return {"fault": found, "cases": [], "notes": []}
    trial = _Trial(source, _Words(special))
    return {"fault": None, "cases": trial.cases(), "notes": [*trial.clock(), *trial.calls()]}


def fault(source: str) -> dict[str, Any] | None:
    """What is wrong with the text as a template, as JSON."""
    try:
        template.compiled(source, "file")
    except jinja2.TemplateSyntaxError as error:
        found = fault_of(source, error.lineno, error.message or "")
        return asdict(found) | {"words": found.words}
    return None


class _Trial:
    """One template that is valid."""

    def __init__(self, source: str, words: _Words) -> None:
        self._source = source
        self._words = words
        self._tree = template.environment(lambda: _FIRST).parse(source)

    def cases(self) -> list[dict[str, Any]]:
        """What becomes of each conversation."""
        chosen = self._at(_FIRST)
        return [self._case(chosen, name, prompt) for name, prompt in _cases().items()]

    def _case(self, chosen: Choice, name: str, prompt: Prompt) -> dict[str, Any]:
        row = {"name": name, "works": True, "note": None, "error": None, "text": ""}
        try:
            chat = self._render(chosen, prompt)
        except InvalidArgument as error:
            return row | {"works": False, "error": error.message[:1000]}
        text = chat.markers.named(chat.text)
        return row | {"note": self._note(chosen, name, chat), "text": text[:_LONGEST_TEXT]}

    def _note(self, chosen: Choice, name: str, chat: ChatPrompt) -> str | None:
        match name:
            case "system" if all(message["role"] != "system" for message in chat.messages):
                return "it takes no system message: it is said in the user's turn"
            case "tools" | "tool results" if not chosen.takes_tools:
                return "it knows no tools: Kronk writes them as text"
            case "thinking on" | "thinking off" if not self._can_think(chosen):
                return "makes no difference"
            case _:
                return None

    def _can_think(self, chosen: Choice) -> bool:
        texts = {self._text(chosen, _cases()[f"thinking {word}"]) for word in ("on", "off")}
        # With tags of its own Kronk opens and closes the thinking itself.
        return len(texts) > 1 or supports_thinking(self._source) is not None

    def clock(self) -> list[dict[str, Any]]:
        """Whether a prompt depends on more than its messages, and how that is to be had off."""
        first, again = self._texts(_FIRST), self._texts(_FIRST)
        if first != again:
            return [self._unsteady("random", "is drawn anew for each prompt", "random")]
        if first != self._texts(_LATER):
            return [self._unsteady("time", "tells the time of day", "strftime_now")]
        if first != self._texts(_ANOTHER_YEAR):
            return [self._unsteady("date", "tells the day", "strftime_now")]
        return []

    def _unsteady(self, code: str, what: str, name: str) -> dict[str, Any]:
        line = self._line_of(name)
        where = f" (line {line})" if line else ""
        pin = self._pin()
        how = (
            f'send chat_template_kwargs {{"{pin}": "1 January 2025"}} with each request'
            if pin is not None
            else "copy it, write a fixed text there, and name the copy with chat_template_file"
        )
        return {
            "code": code,
            "line": line,
            "message": f"breaks prefix caching: its prompt {what}{where}; to pin it, {how}",
        }

    def _pin(self) -> str | None:
        """The variable that is used in the clock's place where a request has it."""
        for name in sorted(meta.find_undeclared_variables(self._tree) - _OURS):
            prompt = Prompt((_USER,), template_kwargs={name: "1 January 2025"})
            texts = {self._text(self._at(now), prompt) for now in (_FIRST, _LATER, _ANOTHER_YEAR)}
            if len(texts) == 1 and "1 January 2025" in (texts.pop() or ""):
                return name
        return None

    def calls(self) -> list[dict[str, Any]]:
        """Functions, filters and tests that it uses and that are not there."""
        asked = {
            test.node.name
            for test in self._tree.find_all(nodes.Test)
            if test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name)
        }
        unknown = meta.find_undeclared_variables(self._tree) - _OURS - asked
        found = {
            call.node.name: call.lineno
            for call in self._tree.find_all(nodes.Call)
            if isinstance(call.node, nodes.Name) and call.node.name in unknown
        }
        notes = [_missing("function", f"calls {name}()", line) for name, line in found.items()]
        return [*notes, *self._filters()]

    def _filters(self) -> Iterator[dict[str, Any]]:
        """Below an `if` Jinja notices only when it gets there that one is missing."""
        known = template.environment(lambda: _FIRST)
        for node in self._tree.find_all((nodes.Filter, nodes.Test)):
            if isinstance(node, nodes.Filter) and node.name not in known.filters:
                yield _missing("filter", f"uses the filter {node.name}", node.lineno)
            if isinstance(node, nodes.Test) and node.name not in known.tests:
                yield _missing("test", f"uses the test {node.name}", node.lineno)

    def _line_of(self, name: str) -> int | None:
        for node in self._tree.find_all((nodes.Call, nodes.Filter)):
            called = node.node if isinstance(node, nodes.Call) else None
            if isinstance(called, nodes.Name) and called.name == name:
                return node.lineno
            if isinstance(node, nodes.Filter) and node.name == name:
                return node.lineno
        return None

    def _at(self, now: datetime.datetime) -> Choice:
        return template.compiled(self._source, "file", lambda: now)

    def _texts(self, now: datetime.datetime) -> Sequence[str | None]:
        chosen = self._at(now)
        return [self._text(chosen, prompt) for name, prompt in _cases().items() if name != "image"]

    def _text(self, chosen: Choice, prompt: Prompt) -> str | None:
        try:
            return self._render(chosen, prompt).text
        except InvalidArgument:
            return None

    def _render(self, chosen: Choice, prompt: Prompt) -> ChatPrompt:
        family = choose_family(None, self._source, "")
        return render_chat(chosen, self._words, family, prompt, tools_of(prompt))


def _missing(code: str, what: str, line: int) -> dict[str, Any]:
    return {
        "code": code,
        "line": line,
        "message": f"{what} (line {line}), which templates do not have here",
    }
