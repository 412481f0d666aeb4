"""Images in chat templates: what reads lists of parts, and what leaves an image out."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Media, Prompt
from kronk.worker.parsers.choose import choose as choose_family
from kronk.worker.rendering import render_chat
from kronk.worker.template import choose

# As SmolVLM's: a string's characters are no parts.
LISTS = (
    "{% for m in messages %}{{ m.role }}:{% for part in m.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %};{% endfor %}"
)
STRINGS = "{% for m in messages %}{{ m.role }}:{{ m.content | trim }};{% endfor %}"
LAST = "{{ messages[-1].content }}"


class Words:
    """All that rendering wants of a model."""

    def token_text(self, which: str) -> str:
        return ""


def render(source: str, prompt: Prompt) -> str:
    words: Any = Words()
    chat = render_chat(choose(source), words, choose_family(None, source, "llama"), prompt, ())
    return chat.markers.named(chat.text)


MESSAGES = (
    {"role": "user", "content": [{"type": "image", "media": 0}, {"type": "text", "text": "Hi"}]},
    {"role": "assistant", "content": "Ho"},
    {"role": "user", "content": "So?"},
)
PROMPT = Prompt(MESSAGES, media=(Media("image", b"", "messages[0].content[0]"),))


@pytest.mark.parametrize("source", [LISTS, STRINGS])
def test_an_image_stands_where_the_client_has_put_it(source: str) -> None:
    assert render(source, PROMPT) == "user:<__media__>Hi;assistant:Ho;user:So?;"


def test_an_image_that_the_template_leaves_out_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="leaves it out") as caught:
        render(LAST, PROMPT)
    assert caught.value.param == "messages[0].content[0]"


@pytest.mark.parametrize(
    ("source", "is_so"),
    [
        (LISTS, True),
        (STRINGS, False),
        (LAST, False),
        # It reads both.
        ("{% if messages[0].content is string %}{{ messages[0].content }}{% endif %}", False),
        # It reads neither, or nothing alone.
        ("Hello!", False),
        ("{{ raise_exception('no') }}", False),
        ("{{ messages[1].content }}", False),
        ("{{ 1 / 0 }}", False),
    ],
)
def test_a_template_that_reads_lists_only_is_known(source: str, is_so: bool) -> None:
    assert choose(source).reads_lists == is_so


def test_a_chat_without_images_is_read_by_a_template_for_lists() -> None:
    messages = ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"})
    assert render(LISTS, Prompt(messages)) == "user:Hi;assistant:Ho;"
