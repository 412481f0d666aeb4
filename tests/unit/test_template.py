"""The model's own template, or ChatML with the reason; a template never takes the worker down."""

from __future__ import annotations

import pytest

from kronk.shared.errors import InvalidArgument
from kronk.worker.template import choose, render

HELLO = [{"role": "user", "content": "Hi"}]


def test_the_models_own_template_is_used() -> None:
    chosen = choose("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}")
    assert (chosen.origin, chosen.reason) == ("model", None)
    assert render(chosen, HELLO, {}) == "[user]Hi"


def test_a_variable_may_have_any_name() -> None:
    chosen = choose("{{ self_ }}{{ environment }}{{ messages[0].content }}")
    variables = {"self": 1, "self_": 2, "environment": 3, "args": 4, "kwargs": 5}
    assert render(chosen, HELLO, variables) == "23Hi"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (None, "the GGUF has no chat template"),
        ("  ", "the GGUF has no chat template"),
        ("{{ if .System }}{{ .System }}{{ end }}", "is a Go template"),
        ("{% for m in messages %}{{ m.role }", "is not valid Jinja"),
        (
            "{{ 10 ** 5000 }}",
            "is not valid Jinja, line 1, column 1: `{{ 10 ** 5000 }}`: ValueError",
        ),
        ("{% break %}", "'break' outside loop"),
    ],
)
def test_without_a_usable_template_chatml_is_used_and_the_reason_is_known(
    source: str | None, reason: str
) -> None:
    chosen = choose(source)
    assert chosen.origin == "chatml"
    assert chosen.reason is not None
    assert reason in chosen.reason
    assert render(chosen, HELLO, {}) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_tojson_writes_json_for_a_model_not_for_html() -> None:
    chosen = choose("{{ messages[0].content | tojson }}")
    assert render(chosen, [{"role": "user", "content": "<é>"}], {}) == '"<é>"'


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages[0].content + 1 }}", "TypeError"),
        ("{{ messages[9].content.x.y }}", "has no"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "is unsafe"),
        ("{% for i in range(10**9) %}{% endfor %}", "too big"),
        ("{{ messages[0].x // 0 }}", "no attribute 'x'"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{{ cycler() }}", "RuntimeError"),
    ],
)
def test_a_template_that_fails_is_the_requests_error(source: str, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says) as caught:
        render(choose(source), HELLO, {})
    assert caught.value.param == "messages"
