"""What the fields of OpenAI's routes, and of those beside them, may not be."""

from __future__ import annotations

from typing import Any

from .bad_fields import LONG, PIXEL, SCHEMA_TOOL, Cases


def tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **fields}}


def schema(value: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": value}}


def shown(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


IMAGE = "messages[0].content[0].image_url.url"
CHAT_FIELDS: Cases = {
    "an image for a model of texts": ({"messages": shown(f"data:image/png;base64,{PIXEL}")}, IMAGE),
    "an image that is none": ({"messages": shown("data:image/png;base64,AAAA")}, IMAGE),
    "an image that is no base64": ({"messages": shown("data:image/png;base64,%%%")}, IMAGE),
    "an image of another place": ({"messages": shown("http://example.com/a.png")}, IMAGE),
    "an image in a file": ({"messages": shown("file:///etc/passwd")}, IMAGE),
    "a tool message without its call": (
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages[0].tool_call_id",
    ),
    "two limits": ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
    "too many alternatives": ({"top_logprobs": 21}, "top_logprobs"),
    "a tool of no type": ({"tools": [{}]}, "tools[0].type"),
    "a custom tool": ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
    "a tool without a function": ({"tools": [{"type": "function"}]}, "tools[0].function"),
    "a tool without a name": (
        {"tools": [{"type": "function", "function": {}}]},
        "tools[0].function.name",
    ),
    "a tool with an odd name": ({"tools": [tool(name="a b")]}, "tools[0].function.name"),
    "a tool with a NUL in its name": ({"tools": [tool(name="a\0")]}, "tools[0].function.name"),
    "two tools of one name": ({"tools": [tool(), tool()]}, "tools[1].function.name"),
    "a tool's schema is a list": ({"tools": [tool(parameters=[])]}, "tools[0].function.parameters"),
    "a call without tools": ({"tool_choice": "required"}, "tool_choice"),
    "a call of no tool": (
        {"tools": [tool()], "tool_choice": tool(name="g")},
        "tool_choice.function.name",
    ),
    "a choice that is none": ({"tools": [tool()], "tool_choice": "any"}, "tool_choice"),
    "functions": ({"functions": [{"name": "f"}]}, "functions"),
    "a schema without a name": (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        "response_format.json_schema.name",
    ),
    "an answer in two places": (
        {"add_generation_prompt": True, "continue_final_message": True},
        "continue_final_message",
    ),
    "nothing to go on from": ({"continue_final_message": True}, "messages[0]"),
    "audio": ({"modalities": ["audio"]}, "modalities"),
    "too much metadata": ({"metadata": {str(at): "" for at in range(17)}}, "metadata"),
}
CHAT_RUN: Cases = {
    "an answer without a place": ({"add_generation_prompt": False}, "add_generation_prompt"),
    "a limit that no answer fits": ({"max_tokens": 2, "regex": "[0-9]{40}"}, "max_tokens"),
    "a format's bad schema": (
        {"response_format": schema({"type": "objekt"})},
        "response_format.json_schema.schema.type",
    ),
    "a tool's schema is bad where it matters": (
        {"tools": [tool(parameters=SCHEMA_TOOL)], "tool_choice": "required"},
        "tools[0].function.parameters.properties.a.type",
    ),
}
COMPLETION_FIELDS: Cases = {
    "prompt is null": ({"prompt": None}, "prompt"),
    "prompt is an empty list": ({"prompt": []}, "prompt"),
    "prompts of two kinds": ({"prompt": ["a", 1]}, "prompt[1]"),
    "a prompt of no tokens": ({"prompt": [[]]}, "prompt[0]"),
    "a negative token": ({"prompt": [1, -5]}, "prompt[1]"),
    "a token that is not there": ({"prompt": [1, 10**6]}, "prompt[1]"),
    "a fraction of a token": ({"prompt": [1.5]}, "prompt[0]"),
    "more than the best": ({"best_of": 2}, "best_of"),
    "too many logprobs": ({"logprobs": 6}, "logprobs"),
    "a gap for a model without gaps": ({"suffix": "x"}, "suffix"),
}


def item(**fields: Any) -> dict[str, Any]:
    return {"input": [fields]}


def saying(content: Any) -> dict[str, Any]:
    return item(role="user", content=content)


PART = "input[0].content[0]"
RESPONSE_FIELDS: Cases = {
    "input is empty": ({"input": []}, "input"),
    "input is null": ({"input": None}, "input"),
    "an item is a text": ({"input": ["hi"]}, "input[0]"),
    "an item of no type": (item(content="x"), "input[0].type"),
    "an item of an unknown type": (item(type="smell"), "input[0].type"),
    "a role that is none": (item(role="boss", content="x"), "input[0].role"),
    "no content": (item(role="user"), "input[0].content"),
    "content is a number": (saying(5), "input[0].content"),
    "a part is a text": (saying(["x"]), PART),
    "a part of no type": (saying([{"text": "x"}]), f"{PART}.type"),
    "a part of an unknown type": (saying([{"type": "smell"}]), f"{PART}.type"),
    "a part without its text": (saying([{"type": "input_text"}]), f"{PART}.text"),
    "an image that is none": (
        saying([{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]),
        f"{PART}.image_url",
    ),
    "an image for a model of texts": (
        saying([{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}]),
        f"{PART}.image_url",
    ),
    "an image of another place": (
        saying([{"type": "input_image", "image_url": "http://example.com/a.png"}]),
        f"{PART}.image_url",
    ),
    "a file": (saying([{"type": "input_file", "file_id": "x"}]), f"{PART}.type"),
    "an output of no call": (
        item(type="function_call_output", call_id="x", output="y"),
        "input",
    ),
    "a call's arguments are no JSON": (
        item(type="function_call", call_id="x", name="f", arguments="{"),
        "input[0].arguments",
    ),
    "instructions is a number": ({"instructions": 5}, "instructions"),
    "max_output_tokens is zero": ({"max_output_tokens": 0}, "max_output_tokens"),
    "max_output_tokens is negative": ({"max_output_tokens": -1}, "max_output_tokens"),
    "the old name of a limit": ({"max_tokens": 5}, "max_tokens"),
    "the old name of the input": ({"messages": []}, "messages"),
    "an effort that is none": ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
    "a format that is none": ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    "tools is an object": ({"tools": {}}, "tools"),
    "a tool is a text": ({"tools": ["f"]}, "tools[0]"),
    "a tool of no type": ({"tools": [{"name": "f"}]}, "tools[0].type"),
    "a tool of the vendor's": ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    "a tool without a name": ({"tools": [{"type": "function"}]}, "tools[0].name"),
    "a call without tools": ({"tool_choice": "required"}, "tool_choice"),
    "a call of no tool": (
        {
            "tools": [{"type": "function", "name": "f"}],
            "tool_choice": {"type": "function", "name": "g"},
        },
        "tool_choice.name",
    ),
    "a choice that is none": ({"tool_choice": "any"}, "tool_choice"),
    "too many alternatives": ({"top_logprobs": 21}, "top_logprobs"),
    "including what is not": ({"include": ["smell"]}, "include[0]"),
    "in the background": ({"background": True}, "background"),
    "truncation of a kind that is none": ({"truncation": "some"}, "truncation"),
    "too much metadata": ({"metadata": {str(at): "" for at in range(17)}}, "metadata"),
    "store is a text": ({"store": "yes"}, "store"),
}
RESPONSE_RUN: Cases = {
    "a limit that no answer fits": (
        {
            "max_output_tokens": 2,
            "text": {"format": {"type": "json_schema", "name": "n", "schema": LONG}},
        },
        "max_output_tokens",
    ),
    "a format's bad schema": (
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "objekt"}}}},
        "text.format.schema.type",
    ),
    "a tool's schema is bad where it matters": (
        {
            "tools": [{"type": "function", "name": "f", "parameters": SCHEMA_TOOL}],
            "tool_choice": "required",
        },
        "tools[0].parameters.properties.a.type",
    ),
}
TOKENIZE_FIELDS: Cases = {
    "two texts": ({"content": "x"}, "prompt"),
    "a flag is a text": ({"add_special": "yes"}, "add_special"),
    "flags that differ": ({"add_special": True, "add_special_tokens": False}, "add_special_tokens"),
    "a chat without messages": ({"prompt": None, "messages": []}, "prompt"),
}
DETOKENIZE_FIELDS: Cases = {
    "null": ({"tokens": None}, "tokens"),
    "a negative token": ({"tokens": [1, -5]}, "tokens[1]"),
    "a token that is not there": ({"tokens": [10**6]}, "tokens[0]"),
    "a token of 40 digits": ({"tokens": [10**40]}, "tokens[0]"),
    "a fraction of a token": ({"tokens": [1.5]}, "tokens[0]"),
    "a boolean": ({"tokens": [True]}, "tokens[0]"),
}
EMBEDDING_FIELDS: Cases = {
    "an empty text": ({"input": ""}, "input"),
    "an empty list": ({"input": []}, "input"),
    "null": ({"input": None}, "input"),
    "an empty text among others": ({"input": ["a", ""]}, "input[1]"),
    "two kinds": ({"input": ["a", 5]}, "input[1]"),
    "a token that is not there": ({"input": [[1], [10**6]]}, "input[1][0]"),
    "a negative token": ({"input": [-1]}, "input[0]"),
    "too many": ({"input": ["a"] * 2049}, "input"),
    "a format": ({"encoding_format": "hex"}, "encoding_format"),
    "no dimensions": ({"dimensions": 0}, "dimensions"),
    "negative dimensions": ({"dimensions": -1}, "dimensions"),
    "too many dimensions": ({"dimensions": 10**6}, "dimensions"),
    "a text for a model that chats": ({"model": "Tiny"}, "model"),
    "a text for a model that ranks": ({"model": "Rank"}, "model"),
}
RERANK_FIELDS: Cases = {
    "an empty query": ({"query": ""}, "query"),
    "no documents": ({"documents": []}, "documents"),
    "documents is a text": ({"documents": "x"}, "documents"),
    "a document is a number": ({"documents": ["x", 5]}, "documents[1]"),
    "a document without a text": ({"documents": [{}]}, "documents[0]"),
    "top_n of none": ({"top_n": 0}, "top_n"),
    "top_n is negative": ({"top_n": -1}, "top_n"),
    "a model that chats": ({"model": "Tiny"}, "model"),
    "a model that embeds": ({"model": "Mean"}, "model"),
}
BATCH_FIELDS: Cases = {
    "a route that is none": ({"endpoint": "/v1/nope"}, "endpoint"),
    "a window of no time": ({"completion_window": "0s"}, "completion_window"),
    "a window that is a number": ({"completion_window": 24}, "completion_window"),
    "a file that is a number": ({"input_file_id": 5}, "input_file_id"),
    "too much metadata": ({"metadata": {str(at): "" for at in range(17)}}, "metadata"),
    "an expiry that is too short": (
        {"output_expires_after": {"anchor": "created_at", "seconds": 5}},
        "output_expires_after.seconds",
    ),
}
