"""How an answer is read and steered: its thinking, its tool calls, the grammar it is held to."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Constraint, Prompt

from .constraint import schema
from .constraint.refused import Unenforceable
from .conversation import tools_of
from .engine.job import Grammar, Thinking
from .loader import Loaded
from .model import Model
from .parsers import harmony
from .parsers.base import Family, Parser, Tool
from .parsers.grammar import json_object, json_of
from .parsers.reasoning import ReasoningSplitter, Tags, prompt_opens_thinking

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reading:
    """How the text of an answer is read."""

    # None where all of it is content.
    parser: Callable[[], Parser] | None = None
    # Control tokens whose text the parser must see.
    shown: Mapping[int, bytes] = field(default_factory=dict)
    thinking: Thinking | None = None
    # Tokens that the shortest thinking takes before the answer.
    preface: int = 0


PLAIN = Reading()


def callable_tools(prompt: Prompt, answer: Answer) -> tuple[Tool, ...]:
    """The functions the answer may call; they are put before the model."""
    if answer.tool_choice == "none":
        return ()
    return tools_of(prompt)


def read_chat(
    loaded: Loaded, prompt: Prompt, answer: Answer, text: str, tools: Sequence[Tool]
) -> tuple[str, Reading]:
    """The rendered chat, with its thinking closed where it is not wanted and with what the answer
    begins with, and how to read the rest of the answer."""
    text, reading = _read_chat(loaded, prompt, answer, text, tools)
    return text + (prompt.prefill or ""), reading


def _read_chat(
    loaded: Loaded, prompt: Prompt, answer: Answer, text: str, tools: Sequence[Tool]
) -> tuple[str, Reading]:
    model, family, tags = loaded.model, loaded.family, loaded.tags
    if family is harmony.FAMILY:
        is_final = answer.constraint is not None or prompt.prefill is not None
        return _on_channels(model, answer, text, tools, is_final=is_final)
    if tags is None:
        if not tools:
            return text, PLAIN
        return text, Reading(functools.partial(family.parser, tools), _shown(model, family.markers))
    is_open = prompt_opens_thinking(text, tags)
    is_wanted = wants_thinking(prompt) is not False
    if is_open and not is_wanted:
        text, is_open = text + tags.close_text.lstrip("\n"), False
    thinking = Thinking(
        opening=_opening(model, tags) if is_wanted and not is_open else None,
        closing=tuple(model.tokenize_part(tags.close_text)),
        budget=answer.thinking_budget,
    )
    markers = (*tags.markers, *(family.markers if tools else ()))
    parser = functools.partial(_splitter, family, tools, tags, is_open)
    thinks = is_open or thinking.opening is not None
    return text, Reading(
        parser, _shown(model, markers), thinking, preface=_preface(thinking) if thinks else 0
    )


def _on_channels(
    model: Model, answer: Answer, text: str, tools: Sequence[Tool], *, is_final: bool
) -> tuple[str, Reading]:
    """Harmony tells thinking from answer by itself, also where there are no tools."""
    if is_final:
        # What is asked for is the answer, which has a channel of its own.
        text += harmony.FINAL
    closing = tuple(model.tokenize_part(harmony.HarmonyParser(tools).close_text))
    thinking = Thinking(opening=None, closing=closing, budget=answer.thinking_budget)
    parser = functools.partial(harmony.HarmonyParser, tools)
    return text, Reading(
        parser, _shown(model, harmony.FAMILY.markers), thinking, preface=_preface(thinking)
    )


def _preface(thinking: Thinking) -> int:
    # The model may open it by a token of its own.
    return len(thinking.closing) + 1


def wants_thinking(prompt: Prompt) -> bool | None:
    """What the client says about thinking; None when it says nothing."""
    if prompt.prefill is not None:
        return False
    if prompt.enable_thinking is not None:
        return prompt.enable_thinking
    if prompt.reasoning_effort == "none":
        return False
    given = prompt.template_kwargs.get("enable_thinking")
    return given if isinstance(given, bool) else None


def _splitter(
    family: Family, tools: Sequence[Tool], tags: Tags, is_open: bool
) -> ReasoningSplitter:
    return ReasoningSplitter(family.parser(tools) if tools else None, tags, is_open)


def _opening(model: Model, tags: Tags) -> int | None:
    return model.single(tags.markers[0])


def _shown(model: Model, markers: Iterable[str]) -> dict[int, bytes]:
    """Control tokens among the markers: on their own they stand for no text."""
    shown = {}
    for marker in markers:
        token = control_token(model, marker)
        if token is not None:
            shown[token] = marker.encode()
    return shown


def control_token(model: Model, text: str) -> int | None:
    """The control token of that name."""
    token = model.single(text)
    return token if token is not None and not model.piece(token) else None


def grammar(
    loaded: Loaded, submit: Submit, tools: Sequence[Tool], max_tokens: int, reading: Reading
) -> Grammar | None:
    """What the answer is held to; `InvalidArgument` where it does not fit into its tokens."""
    constraint, choice = submit.answer.constraint, submit.answer.tool_choice
    if constraint is not None:
        if tools and choice == "auto":
            made = _answer_or_call(loaded, submit, constraint, tools)
        else:
            made = loaded.compiler.compile(constraint)
    elif tools and choice in ("required", "named"):
        made = _compiled(loaded, submit, tools, lambda calls: calls, "tools")
    else:
        return None
    least = made.shortest + reading.preface
    if max_tokens < least:
        param = submit.answer.limit_param or "max_tokens"
        raise InvalidArgument(
            f"'{param}': the shortest answer that is asked for takes {least} tokens;"
            f" there are {max_tokens}",
            param=param,
        )
    return made


def _calls(loaded: Loaded, submit: Submit, tools: Sequence[Tool]) -> str:
    """One call, or several, with arguments that keep the tools' schemas."""
    answer = submit.answer
    return loaded.family.grammar(
        tools,
        answer.parallel_tool_calls and answer.tool_choice != "named",
        functools.partial(control_token, loaded.model),
    )


def _enforced(tool: Tool) -> Tool:
    """The tool with its schema as it can be enforced; `InvalidArgument` where it cannot be."""
    schema.check_depth(tool.parameters, tool.param)
    document = schema.rewrite({"type": "object", **tool.parameters}, tool.param)
    return dataclasses.replace(tool, parameters=document.alone(document.root.schema))


def _loosened(tool: Tool, try_it: Callable[[Tool], object]) -> Tool:
    """The tool, or with any object for its arguments where its schema cannot be enforced and nobody
    insists on it: vendors take what they do not enforce, and MCP servers offer it."""
    try:
        try_it(tool)
    except Unenforceable as error:
        if tool.is_strict:
            raise
        log.info("a tool's schema is not enforced", reason=error.message)
        return dataclasses.replace(tool, parameters={"type": "object"})
    return tool


def _answer_or_call(
    loaded: Loaded, submit: Submit, constraint: Constraint, tools: Sequence[Tool]
) -> Grammar:
    """The model decides whether it calls tools or answers in the form that was asked for."""
    if constraint.kind not in ("json_object", "json_schema"):
        raise InvalidArgument(
            f"'{constraint.param}' cannot be combined with tools that may be called; set"
            ' tool_choice to "none"',
            param=constraint.param,
        )
    # Says what is wrong with it by its own name.
    loaded.compiler.compile(constraint)
    if constraint.kind == "json_object":
        answer = json_object({})
    else:
        document = schema.rewrite(json.loads(constraint.source), constraint.param)
        answer = json_of(document.alone(document.root.schema))

    def either(calls: str) -> str:
        return f"start: answer | calls\nanswer: {answer}\n{calls.replace('start:', 'calls:', 1)}"

    return _compiled(loaded, submit, tools, either, constraint.param)


def _compiled(
    loaded: Loaded,
    submit: Submit,
    tools: Sequence[Tool],
    lark: Callable[[str], str],
    param: str,
) -> Grammar:
    """The grammar that `lark` makes of that of the calls. `InvalidArgument` names the path in the
    schema of a strict tool that it cannot be made with."""
    answer = submit.answer
    callable_now = [
        tool for tool in tools if answer.tool_choice != "named" or tool.name == answer.tool_name
    ]

    def compiled(tools: Sequence[Tool]) -> Grammar:
        enforced = [_enforced(tool) for tool in tools]
        return loaded.compiler.compile_lark(lark(_calls(loaded, submit, enforced)), param)

    def alone(tool: Tool) -> Grammar:
        source = json.dumps({"type": "object", **tool.parameters})
        return loaded.compiler.compile(Constraint("json_schema", source, tool.param))

    known = [_loosened(tool, _enforced) for tool in callable_now]
    try:
        return compiled(known)
    except InvalidArgument:
        # One of them, or all together: what fails alone is found first.
        return compiled([_loosened(tool, alone) for tool in known])
