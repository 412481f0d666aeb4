"""System messages in the middle of a chat, by templates of every temper."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.shared.errors import InvalidArgument
from kronk.worker import template
from kronk.worker.system_turns import render_any

WRITE = "{{ '<' + message.role[0] + '>' + message.content | trim }}"
# Takes system messages anywhere, as Qwen3 does.
ANYWHERE = "{% for message in messages %}" + WRITE + "{% endfor %}"
# As Qwen3.5.
AT_THE_START = (
    "{% for message in messages %}"
    "{% if message.role == 'system' and not loop.first %}"
    "{{ raise_exception('System message must be at the beginning.') }}{% endif %}"
    + WRITE
    + "{% endfor %}"
)
# As Mistral's.
ALTERNATING = (
    "{% set first = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% for message in (messages[1:] if first else messages) %}"
    "{% if message.role != ['user', 'assistant'][loop.index0 % 2] %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if loop.first and first %}{{ '<s>' + first }}{% endif %}" + WRITE + "{% endfor %}"
)
# As Gemma 2.
NEVER = (
    "{% if messages[0].role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}" + ALTERNATING
)
# Harmony's passes over what it does not expect.
SILENT = (
    "{% for message in messages %}{% if message.role != 'system' or loop.first %}"
    + WRITE
    + "{% endif %}{% endfor %}"
)
TEMPLATES = {
    "anywhere": ANYWHERE,
    "start": AT_THE_START,
    "alternating": ALTERNATING,
    "never": NEVER,
    "silent": SILENT,
}


def said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


RULES, HI, YES = said("system", "Rules."), said("user", "Hi."), said("assistant", "Yes?")
AGENTS, GO = said("system", "Agents."), said("user", "Go.")
REMINDER = "<system-reminder>\nAgents.\n</system-reminder>"


def text(name: str, *messages: dict[str, Any]) -> str:
    choice = template.choose(TEMPLATES[name])
    given = list(messages)
    found, made = render_any(lambda turns: template.render(choice, turns, {}), given)
    assert given == list(messages)
    assert template.render(choice, made, {}) == found
    return found


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_chat_without_late_system_messages_is_as_it_was(name: str) -> None:
    rules = "<u>Rules.\n\nHi." if name == "never" else "<s>Rules.<u>Hi."
    assert text(name, RULES, HI, YES, GO) == f"{rules}<a>Yes?<u>Go."
    assert text(name, HI, YES, GO) == "<u>Hi.<a>Yes?<u>Go."


@pytest.mark.parametrize("name", ["start", "alternating", "silent"])
def test_a_late_system_message_is_said_where_it_stands(name: str) -> None:
    assert text(name, RULES, HI, AGENTS) == f"<s>Rules.<u>Hi.\n\n{REMINDER}"
    late = text(name, RULES, HI, AGENTS, YES, GO)
    assert late == f"<s>Rules.<u>Hi.\n\n{REMINDER}<a>Yes?<u>Go."
    # What comes later does not change the prompt before it.
    assert text(name, RULES, HI, AGENTS, YES, GO, AGENTS).startswith(late)


def test_a_template_that_takes_them_gets_them() -> None:
    assert text("anywhere", RULES, HI, AGENTS, YES, GO) == "<s>Rules.<u>Hi.<s>Agents.<a>Yes?<u>Go."


def test_a_template_that_takes_none_gets_all_of_it_from_the_user() -> None:
    found = text("never", RULES, HI, AGENTS, YES, AGENTS, GO)
    assert found == f"<u>Rules.\n\nHi.\n\n{REMINDER}<a>Yes?<u>{REMINDER}\n\nGo."


def test_several_at_the_start_are_one_where_they_must_be() -> None:
    assert text("start", RULES, AGENTS, HI) == "<s>Rules.\n\nAgents.<u>Hi."
    assert text("anywhere", RULES, AGENTS, HI) == "<s>Rules.<s>Agents.<u>Hi."


def test_roles_alternate_around_it() -> None:
    assert text("alternating", HI, AGENTS, GO) == f"<u>Hi.\n\n{REMINDER}\n\nGo."
    assert text("alternating", RULES, HI, YES, AGENTS, GO).endswith(f"<u>{REMINDER}\n\nGo.")


def test_users_turns_that_were_two_stay_two() -> None:
    assert text("start", HI, AGENTS, YES, GO, GO).endswith("<a>Yes?<u>Go.<u>Go.")


def test_the_first_refusal_is_the_one_to_be_told() -> None:
    refuses = "{{ raise_exception('no ' + messages[0].role) }}"
    choice = template.choose(refuses)
    for messages, says in (([HI], "no user"), ([RULES, HI, AGENTS], "no system")):
        with pytest.raises(InvalidArgument, match=says):
            render_any(lambda turns: template.render(choice, turns, {}), messages)
