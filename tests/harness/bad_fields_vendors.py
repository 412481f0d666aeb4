"""What the fields of Anthropic's and Ollama's routes may not be."""

from __future__ import annotations

from typing import Any

from .bad_fields import LONG, PIXEL, SAMPLING, SCHEMA_TOOL, Cases


def block(**fields: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [fields]}]


BLOCK = "messages[0].content[0]"
MESSAGE_FIELDS: Cases = {
    "an image for a model of texts": (
        {
            "messages": block(
                type="image",
                source={"type": "base64", "media_type": "image/png", "data": PIXEL},
            )
        },
        f"{BLOCK}.source.data",
    ),
    "an image that is none": (
        {
            "messages": block(
                type="image",
                source={"type": "base64", "media_type": "image/png", "data": "AAAA"},
            )
        },
        f"{BLOCK}.source.data",
    ),
    "a result of no call": (
        {"messages": block(type="tool_result", tool_use_id="x", content="y")},
        f"{BLOCK}.tool_use_id",
    ),
    "a tool without a name": ({"tools": [{"input_schema": {"type": "object"}}]}, "tools[0].name"),
    "a tool without a schema": ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
    "a tool of the vendor's": (
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        "tools[0].type",
    ),
    "two tools of one name": (
        {"tools": [{"name": "f", "input_schema": {"type": "object"}}] * 2},
        "tools[1].name",
    ),
    "a call without tools": ({"tool_choice": {"type": "any"}}, "tool_choice"),
    "a call of no tool": (
        {
            "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "tool", "name": "g"},
        },
        "tool_choice.name",
    ),
    "a choice that is none": ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
    "system is a number": ({"system": 5}, "system"),
    "thinking without a budget": ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
}
MESSAGE_RUN: Cases = {
    "a tool's schema is bad where it matters": (
        {
            "tools": [{"name": "f", "input_schema": SCHEMA_TOOL}],
            "tool_choice": {"type": "any"},
        },
        "tools[0].input_schema.properties.a.type",
    ),
    "stop_sequences is a text": ({"stop_sequences": "x"}, "stop_sequences"),
    "an empty stop": ({"stop_sequences": [""]}, "stop_sequences[0]"),
    "too many stops": ({"stop_sequences": ["x"] * 17}, "stop_sequences"),
    "metadata is a text": ({"metadata": "x"}, "metadata"),
}


OPTIONS: Cases = {
    name: ({"options": fields}, f"options.{param}")
    for name, (fields, param) in SAMPLING.items()
    if "not there" not in name
} | {
    "options is a list": ({"options": []}, "options"),
    "an option that nobody knows": ({"options": {"wat": 1}}, "options.wat"),
    "num_predict is a text": ({"options": {"num_predict": "5"}}, "options.num_predict"),
    "num_predict is huge": ({"options": {"num_predict": 2**63}}, "options.num_predict"),
    "an empty stop": ({"options": {"stop": [""]}}, "options.stop"),
    "a stay that is a word": ({"keep_alive": "long"}, "keep_alive"),
    "a stay that is a list": ({"keep_alive": []}, "keep_alive"),
}
OLLAMA_FORM: Cases = {
    "a limit that no answer fits": (
        {"options": {"num_predict": 2}, "format": LONG},
        "options.num_predict",
    ),
    "a form that is none": ({"format": "xml"}, "format"),
    "a bad schema": ({"format": {"type": "objekt"}}, "format.type"),
    "a schema with a bad reference": ({"format": {"$ref": "#/nowhere"}}, "format.$ref"),
    "thinking that is a number": ({"think": 5}, "think"),
    "too many alternatives": ({"top_logprobs": 21}, "top_logprobs"),
    "a chat that is cut": ({"truncate": True}, "truncate"),
}
OLLAMA_CHAT: Cases = {
    "an image for a model of texts": (
        {"messages": [{"role": "user", "content": "x", "images": [PIXEL]}]},
        "messages[0].images[0]",
    ),
    "messages is a text": ({"messages": "hi"}, "messages"),
    "messages is an object": ({"messages": {}}, "messages"),
    "a message is a text": ({"messages": ["hi"]}, "messages[0]"),
    "no role": ({"messages": [{"content": "x"}]}, "messages[0].role"),
    "a role that is none": (
        {"messages": [{"role": "boss", "content": "x"}]},
        "messages[0].role",
    ),
    "content is a number": (
        {"messages": [{"role": "user", "content": 5}]},
        "messages[0].content",
    ),
    "content is zero": ({"messages": [{"role": "user", "content": 0}]}, "messages[0].content"),
    "content is parts": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        "messages[0].content",
    ),
    "images is a text": (
        {"messages": [{"role": "user", "content": "x", "images": "y"}]},
        "messages[0].images",
    ),
    "an image that is none": (
        {"messages": [{"role": "user", "content": "x", "images": ["AAAA"]}]},
        "messages[0].images[0]",
    ),
    "tools is an object": ({"tools": {"a": 1}}, "tools"),
    "a tool without a name": (
        {"tools": [{"type": "function", "function": {}}]},
        "tools[0].function.name",
    ),
    "a message has an unknown field": (
        {"messages": [{"role": "user", "content": "x", "wat": 1}]},
        "messages[0].wat",
    ),
}
OLLAMA_GENERATE: Cases = {
    "an image for a model of texts": ({"images": [PIXEL]}, "images[0]"),
    "prompt is a list": ({"prompt": ["x"]}, "prompt"),
    "images is a text": ({"images": "x"}, "images"),
    "an image that is none": ({"images": ["AAAA"]}, "images[0]"),
    "a template": ({"template": "x"}, "template"),
    "a context": ({"context": [1, 2]}, "context"),
    "a gap for a model without gaps": ({"suffix": "x"}, "suffix"),
    "a system prompt without a template": ({"raw": True, "system": "x"}, "system"),
}
OLLAMA_EMBED: Cases = {
    "an empty text among others": ({"input": ["a", ""]}, "input[1]"),
    "tokens": ({"input": [1, 2]}, "input[0]"),
    "no dimensions": ({"dimensions": 0}, "dimensions"),
    "too many dimensions": ({"dimensions": 10**6}, "dimensions"),
    "a text for a model that chats": ({"model": "Tiny"}, "model"),
}
OLLAMA_NAME: Cases = {
    "two names": ({"name": "Other"}, "name"),
    "a name that is a number": ({"name": 5}, "name"),
    "verbose is a text": ({"verbose": "yes"}, "verbose"),
}
