"""`kronk run`: one answer, and a chat at a terminal."""

from __future__ import annotations

import subprocess

import pytest

from harness.counting_model import counted
from harness.server import KRONK, Server, environment, kronk
from harness.terminal import Terminal

CTRL_C, CTRL_D, ENTER = "\x03", "\x04", "\r"


def test_one_prompt_is_answered_on_stdout_and_all_else_goes_to_stderr(house: Server) -> None:
    flags = ["--temperature=0", "--max-tokens=5", f"--base-path={house.base}"]
    done = kronk("run", "Count", "from 7", *flags)
    assert (done.returncode, done.stdout) == (0, counted(7, 5) + "\n"), done.stderr
    assert "5 tokens" in done.stderr


def test_a_prompt_may_come_through_a_pipe(house: Server) -> None:
    command = [KRONK, "run", "Count", "--max-tokens=5", f"--base-path={house.base}"]
    done = subprocess.run(
        command, input="from 7", capture_output=True, text=True, env=environment(""), timeout=120
    )
    assert (done.returncode, done.stdout) == (0, counted(7, 5) + "\n"), done.stderr


def test_a_model_that_is_not_there_is_one_line_of_error(house: Server) -> None:
    done = kronk("run", "Cuont", "from 7", f"--base-path={house.base}")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "did you mean Count" in done.stderr


@pytest.fixture
def chat(house: Server) -> Terminal:
    command = [KRONK, "run", "Slow", "--temperature=0", f"--base-path={house.base}"]
    return Terminal(command, house.mark)


def test_a_chat_streams_remembers_and_ctrl_c_stops_the_answer_only(
    house: Server, chat: Terminal
) -> None:
    with chat:
        chat.wait_for("/help")
        chat.type("from 7" + ENTER)
        # It would go on for thousands of numbers.
        chat.wait_for(counted(7, 20))
        house.wait_for_row("Slow", active_streams=1)
        chat.type(CTRL_C)
        house.wait_for_row("Slow", active_streams=0)
        assert chat.process.poll() is None

        chat.type("/set max_tokens 3" + ENTER)
        chat.wait_for("max_tokens = 3")
        chat.type("and from 500" + ENTER)
        chat.wait_for(counted(500, 3))
        chat.wait_for("3 tokens")
        chat.type("/history" + ENTER)
        chat.wait_for("user: from 7")
        chat.wait_for(f"assistant: {counted(7, 20)}")
        chat.wait_for("user: and from 500")
        chat.type("/help" + ENTER)
        chat.wait_for("/bye")
        chat.type("/bye" + ENTER)
        assert chat.process.wait(60) == 0


def test_ctrl_d_ends_a_chat(chat: Terminal) -> None:
    with chat:
        chat.wait_for("/help")
        chat.type(CTRL_D)
        assert chat.process.wait(60) == 0


def test_ctrl_d_during_an_answer_ends_the_chat_after_it(chat: Terminal) -> None:
    with chat:
        chat.type("/set max_tokens 40" + ENTER)
        chat.wait_for("max_tokens = 40")
        chat.type("from 7" + ENTER)
        chat.wait_for(counted(7, 3))
        chat.type(CTRL_D)
        chat.wait_for("40 tokens")
        assert chat.process.wait(60) == 0
