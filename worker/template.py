"""The model's chat template: its own Jinja in a sandbox, or ChatML with the reason why.

Templates come out of GGUF files, so they run in Jinja's immutable sandbox, in this model's own
process, and a template that raises is the request's error, not ours.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kronk.shared.errors import InvalidArgument
from kronk.shared.templates import builtin
from kronk.shared.templates.faults import fault_of, first_go_line, looks_like_go

from .conversation import as_parts

# What `strftime_now` tells.
Clock = Callable[[], datetime.datetime]

# Of template code that meets a shape it was not written for.
_MISTAKES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError)
_PROBE = "Is this read?"


@dataclass(frozen=True, slots=True)
class Choice:
    """A compiled template, and why it is not the model's own where it is not."""

    template: jinja2.Template
    # "model" (the GGUF's), "file" or "chatml".
    origin: str
    # None unless ChatML stands in for a template that is missing or broken.
    reason: str | None
    source: str
    # It passes over contents that are texts: it wants lists of parts.
    reads_lists: bool = False

    @property
    def takes_tools(self) -> bool:
        """The template writes the tools into the prompt itself."""
        return "tools" in self.source


def choose(source: str | None) -> Choice:
    """The model's template, or ChatML when it has none or one that is not Jinja."""
    reason = "the GGUF has no chat template"
    if source is not None and source.strip():
        try:
            return compiled(source, "model")
        except jinja2.TemplateSyntaxError as error:
            fault = fault_of(source, error.lineno, error.message or "")
            reason = f"the GGUF's chat template {fault.words}"
    return replace(compiled(builtin.CHATML, builtin.NAME), reason=reason)


def compiled(source: str, origin: str, clock: Clock = datetime.datetime.now) -> Choice:
    """That very template; raises Jinja's `TemplateSyntaxError`."""
    if looks_like_go(source):
        raise jinja2.TemplateSyntaxError("it is not Jinja", first_go_line(source))
    try:
        template = environment(clock).from_string(source)
    except RecursionError as error:
        raise jinja2.TemplateSyntaxError("nested too deeply", 1) from error
    except (SyntaxError, *_MISTAKES) as error:
        # Jinja computes constants at once, and leaves some mistakes to Python.
        raise jinja2.TemplateSyntaxError(f"{type(error).__name__}: {error}", 1) from error
    return Choice(template, origin, None, source, _reads_lists(template))


def _reads_lists(template: jinja2.Template) -> bool:
    return not _shows(template, _PROBE) and _shows(template, [{"type": "text", "text": _PROBE}])


def _shows(template: jinja2.Template, content: Any) -> bool:
    """Whether a message of that content is seen in the prompt."""
    try:
        messages = [{"role": "user", "content": content}]
        return _PROBE in template.render(messages=messages, add_generation_prompt=True)
    except (jinja2.TemplateError, *_MISTAKES):
        return False


def render(
    choice: Choice,
    messages: Sequence[Any],
    variables: dict[str, Any],
    *,
    add_generation_prompt: bool = True,
    param: str = "messages",
) -> str:
    """The prompt for `messages`; `InvalidArgument` names `param` when the template refuses them."""
    try:
        # As a map: a client may call a variable `self`.
        return choice.template.render(
            {
                **variables,
                "messages": as_parts(messages) if choice.reads_lists else list(messages),
                "add_generation_prompt": add_generation_prompt,
            }
        )
    except jinja2.TemplateError as error:
        # `raise_exception` in a template, an undefined variable it insists on, the sandbox.
        raise InvalidArgument(
            f"the model's chat template refuses these messages: {error}", param=param
        ) from error
    except _MISTAKES as e:
        # Template code meeting a shape it was not written for.
        raise InvalidArgument(
            f"the model's chat template fails on these messages: {type(e).__name__}: {e}",
            param=param,
        ) from e


def environment(clock: Clock) -> ImmutableSandboxedEnvironment:
    """Everything that a template can use."""
    # The settings and helpers Hugging Face's templates are written against.
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    made.filters["tojson"] = _to_json
    made.globals["raise_exception"] = _raise
    made.globals["strftime_now"] = lambda form: clock().strftime(form)
    return made


def _to_json(value: Any, indent: int | None = None, ensure_ascii: bool = False) -> str:
    # Jinja's own escapes <, > and & for HTML, which a model was never trained on.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
