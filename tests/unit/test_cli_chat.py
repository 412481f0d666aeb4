"""Reading a streamed answer, and the commands of the dialogue."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kronk.cli.chat import Answer, Conversation, Piece, ask, take
from kronk.cli.screen import Screen, answer_once, footer, printable
from kronk.cli.slash import Quit, obey
from kronk.shared.errors import InvalidArgument, ModelCrashed, ServerError


class Scripted:
    """Stands for a server: plays the lines of one stream and keeps the request."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        self.body: Any = None

    @contextmanager
    def stream(self, path: str, body: object) -> Iterator[Iterator[str]]:
        self.body = body
        yield iter(self.lines)


def data(event: object) -> tuple[str, str]:
    return f"data: {json.dumps(event)}", ""


def delta(**fields: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
DONE = ("data: [DONE]", "")
WHOLE = (
    *data(delta(role="assistant", content="")),
    *data(delta(content="Hel")),
    *data(delta(content="lo")),
    *data(STOP),
    *data(USAGE),
    *DONE,
)


def test_an_answer_is_streamed_and_filled() -> None:
    answer = Answer()
    server = Scripted(*WHOLE)
    conversation = Conversation("m", "be brief", parameters={"temperature": 0.0})
    pieces = list(ask(server, conversation, answer))  # type: ignore[arg-type]
    assert pieces == [Piece("Hel"), Piece("lo")]
    assert (answer.text, answer.finish, answer.completion_tokens) == ("Hello", "stop", 2)
    assert answer.first_token_after is not None
    assert server.body["temperature"] == 0.0
    assert server.body["messages"] == [{"role": "system", "content": "be brief"}]


def test_thoughts_are_not_part_of_the_answer() -> None:
    answer = Answer()
    assert take(delta(reasoning_content="hm"), answer) == Piece("hm", "thought")
    assert answer.text == ""


def test_a_call_is_shown_by_its_name_and_arguments_and_is_not_part_of_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def part(index: int, **function: str) -> dict[str, Any]:
        return {"choices": [{"delta": {"tool_calls": [{"index": index, "function": function}]}}]}

    lines = (
        *data(delta(content="Let me see.")),
        *data(part(0, name="get_weather", arguments="")),
        *data(part(0, arguments='{"place": ')),
        *data(part(0, arguments='"Paris"}')),
        *data(part(1, name="get_time", arguments="{}")),
        *data({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}),
        *DONE,
    )
    conversation = Conversation("m")
    answer_once(Scripted(*lines), conversation, "hi", Screen())  # type: ignore[arg-type]
    calls = 'get_weather {"place": "Paris"}\nget_time {}'
    assert capsys.readouterr().out == f"Let me see.\n\n{calls}\n"
    assert conversation.messages[-1] == {"role": "assistant", "content": "Let me see."}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_thoughts_are_dim_on_a_terminal_and_left_out_of_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    thoughts = (*data(delta(reasoning_content="hm")), *data(STOP), *DONE)
    both = (*data(delta(reasoning_content="hm")), *data(delta(content="so")), *data(STOP), *DONE)
    answer_once(Scripted(*both), Conversation("m"), "hi", Screen())  # type: ignore[arg-type]
    assert capsys.readouterr().out == "so\n"
    terminal = Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", terminal)
    screen = Screen()
    # One that ends in a thought leaves nothing behind for the next.
    answer_once(Scripted(*thoughts), Conversation("m"), "hi", screen)  # type: ignore[arg-type]
    answer_once(Scripted(*both), Conversation("m"), "hi", screen)  # type: ignore[arg-type]
    dim = "\x1b[2mhm\x1b[0m"
    assert terminal.getvalue() == f"{dim}\n{dim}\n\nso\n"


def test_a_stream_that_ends_without_a_reason_is_an_error() -> None:
    server = Scripted(*data(delta(content="Hel")))
    with pytest.raises(ServerError, match="broke off"):
        list(ask(server, Conversation("m"), Answer()))  # type: ignore[arg-type]


def test_an_error_in_mid_stream_keeps_the_text_and_raises_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = {"error": {"code": "model_crashed", "message": "killed by SIGKILL", "param": None}}
    server = Scripted(*data(delta(content="Hel")), *data(error))
    conversation = Conversation("m")
    with pytest.raises(ModelCrashed, match="SIGKILL"):
        answer_once(server, conversation, "hi", Screen())  # type: ignore[arg-type]
    assert capsys.readouterr().out == "Hel\n"
    assert [m["role"] for m in conversation.messages] == ["user", "assistant"]


def test_a_question_without_any_answer_is_taken_back() -> None:
    conversation = Conversation("m")
    with pytest.raises(ServerError):
        answer_once(Scripted(), conversation, "hi", Screen())  # type: ignore[arg-type]
    assert conversation.messages == []


def test_the_conversation_grows_with_each_answer(capsys: pytest.CaptureFixture[str]) -> None:
    conversation = Conversation("m")
    answer_once(Scripted(*WHOLE), conversation, "hi", Screen())  # type: ignore[arg-type]
    assert conversation.messages == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello"},
    ]
    shown = capsys.readouterr()
    assert shown.out == "Hello\n"
    assert "2 tokens" in shown.err


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (Answer(), ""),
        (
            Answer(completion_tokens=1, first_token_after=0.5, seconds=0.5),
            "1 tokens · first after 0.50 s",
        ),
        (
            Answer(completion_tokens=11, first_token_after=0.5, seconds=1.5),
            "11 tokens · 10.0 tokens/s · first after 0.50 s",
        ),
        (Answer(finish="length"), "cut off: longest answer or context reached"),
    ],
)
def test_the_footer_leaves_out_what_is_not_known(answer: Answer, line: str) -> None:
    assert footer(answer) == line


def test_a_model_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\r\x07\n\té\x9b") == "a[2Jb\n\té"


def test_parameters_are_set_shown_and_removed() -> None:
    conversation = Conversation("m")
    assert obey(conversation, "/set temperature 0") == "temperature = 0"
    assert obey(conversation, "/set max-tokens 5") == "max_tokens = 5"
    assert conversation.parameters == {"temperature": 0.0, "max_tokens": 5}
    assert obey(conversation, "/set") == "temperature = 0.0\nmax_tokens = 5"
    obey(conversation, "/set temperature")
    assert conversation.parameters == {"max_tokens": 5}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/nope", "no command /nope"),
        ("/set warmth 3", "no parameter warmth"),
        ("/set temperature hot", "expected a number"),
        ("/set temperature 3", "expected 0.0 to 2.0"),
        ("/set temperature nan", "expected 0.0 to 2.0"),
        ("/set top_k 1.5", "expected a whole number"),
        ("/set max_tokens 0", "expected 1 to"),
        ("/save", "needs the name of a file"),
        ("/save /nowhere/at/all", "cannot write"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(line: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        obey(Conversation("m"), line)


def test_the_other_commands_do_what_help_says(tmp_path: Path) -> None:
    conversation = Conversation("m", messages=[{"role": "user", "content": "hi"}])
    assert "/system TEXT" in obey(conversation, "/help")
    assert obey(conversation, "/history") == "user: hi"
    obey(conversation, "/system be brief")
    obey(conversation, f"/save {tmp_path / 'chat.json'}")
    saved = json.loads((tmp_path / "chat.json").read_text())
    assert [m["content"] for m in saved["messages"]] == ["be brief", "hi"]
    assert "stream" not in saved
    obey(conversation, "/reset")
    assert (conversation.messages, conversation.system) == ([], "be brief")
    with pytest.raises(Quit):
        obey(conversation, "/bye")
