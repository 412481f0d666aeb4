"""gpt-oss: messages on channels. Thinking, text and calls are told apart by each message's header,
`<|channel|>commentary to=functions.name <|constrain|>json<|message|>`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from .base import Dropped, Family, Reasoning, Text, TokenOf, Tool
from .grammar import Definitions, call_grammar, json_object, literal
from .grammar_text import verbatim
from .literal import NameReader
from .marker import Markers
from .reader import Reading

START, CHANNEL, MESSAGE = "<|start|>", "<|channel|>", "<|message|>"
CONSTRAIN, TO = "<|constrain|>", "to="
# What ends a message; the last two end the answer.
END, CALL, RETURN = "<|end|>", "<|call|>", "<|return|>"
PREFIX = "functions."

# What a message for the user begins with.
FINAL = f"{CHANNEL}final{MESSAGE}"

_MARKS = Markers(START, CHANNEL, END, CALL, RETURN)


class HarmonyParser(NameReader):
    """Separates the thinking itself. Begins behind `<|start|>assistant`, where the prompt ends."""

    openers = (START, CHANNEL)
    closers = (MESSAGE, CONSTRAIN, END, CALL, RETURN)

    # What ends the thinking when its budget is spent. The message that follows is none of thinking;
    # on its channel the model can still call a tool.
    close_text = f"{END}{START}assistant{CHANNEL}commentary"

    def __init__(self, tools: Sequence[Tool]) -> None:
        super().__init__(tools)
        if not tools:
            self.close_text = f"{END}{START}assistant{FINAL}"
        self._kind: type[Text] | type[Reasoning] = Text

    @property
    def is_thinking(self) -> bool:
        """Whether the text that comes next is thinking."""
        return self._kind is Reasoning

    def read(self) -> Reading[None]:
        if (yield from self.ahead(TO)):
            self._open_call(self._at)
            yield from self.attempt(self.read_call(TO))
        while (mark := (yield from self._body())) is not None:
            if mark in self.openers:
                self._kind = Text
                yield from self.attempt(self.read_call(mark))
            else:
                self._pass_over()
                self._kind = Text

    def read_call(self, opener: str) -> Reading[None]:
        channel, recipient = yield from self._header(opener)
        if recipient:
            yield from self._call(recipient)
        else:
            self._kind = Reasoning if channel == "analysis" else Text
            self._pass_over()

    def _body(self) -> Reading[str | None]:
        """Passes on what a message says; takes the marker that ends it, and returns that."""
        while True:
            found = _MARKS.find(self._text, self._at, ended=self._ended)
            piece = self.take(found.at - self._at)
            if self._kind is Text:
                self._emit_text(piece)
            elif piece:
                self._segments.append(Reasoning(piece, self._account()))
            if found.marker is not None:
                self._open_call(found.at + len(found.marker))
                return found.marker
            if self._ended:
                return None
            yield

    def _header(self, opener: str) -> Reading[tuple[str, str]]:
        """The channel and the recipient, where the header says so, in whatever order."""
        said: dict[str, str] = {}
        mark: str | None = opener
        if mark == START:
            yield from self.expect("assistant")
            mark = yield from self.optional(CHANNEL, TO, CONSTRAIN, MESSAGE)
        elif mark == TO:
            yield from self.expect(TO)
        while mark != MESSAGE:
            # Some leave out the marker before the arguments' type.
            mark = mark or CONSTRAIN
            if mark in said:
                raise self.no_call(f"a header says {mark} twice")
            said[mark] = yield from self.word()
            mark = yield from self.optional(CHANNEL, TO, CONSTRAIN, MESSAGE)
        return said.get(CHANNEL, ""), said.get(TO, "")

    def _call(self, recipient: str) -> Reading[None]:
        name = recipient if recipient in self.tools else recipient.removeprefix(PREFIX)
        self.begin(name)
        if name in self.tools:
            yield from self.json_arguments()
            # The marker behind it ends the answer and need not be in its text.
            yield from self.optional(CALL, END, RETURN)
        else:
            yield from self.pass_until(CALL, END, RETURN, to=lambda _: None)
        self.end()

    def _pass_over(self) -> None:
        chars = self._account()
        self._segments.append(Reasoning("", chars) if self.is_thinking else Dropped(chars))
        self._clear()


def recognises(template: str, architecture: str) -> bool:
    return (CHANNEL in template and MESSAGE in template) or architecture == "gpt-oss"


def grammar(tools: Sequence[Tool], parallel: bool, token_of: TokenOf) -> str:
    """One call, which ends the answer, with or without thinking before it."""
    definitions = Definitions()
    start, channel, message = (literal(mark, token_of) for mark in (START, CHANNEL, MESSAGE))
    thought = verbatim(END, token_of(END), definitions)
    before = f'(({channel} "analysis" {message} {thought})? {start} "assistant")?'
    calls = [
        f"{channel} {json.dumps(f'commentary to={PREFIX}{tool.name} ')} "
        f'{literal(CONSTRAIN, token_of)} "json" {message} {json_object(tool.parameters)} '
        f"({literal(CALL, token_of)})?"
        for tool in tools
    ]
    return call_grammar(calls, False, "", definitions, (before, ""))


FAMILY = Family(
    name="harmony",
    markers=(START, CHANNEL, MESSAGE, CONSTRAIN, END, CALL, RETURN),
    recognises=recognises,
    parser=HarmonyParser,
    grammar=grammar,
)
