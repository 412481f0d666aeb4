"""What fields of conversations and prompts may not be, and which field the error names."""

from __future__ import annotations

from harness.bad_fields import Cases

CONVERSATION_FIELDS: Cases = {
    "a title that is empty": ({"title": "  "}, "title"),
    "a title that is a number": ({"title": 5}, "title"),
    "a model that is a list": ({"model": []}, "model"),
    "a document that is a text": ({"document": "x"}, "document"),
    "a document without nodes": ({"document": {"version": 1, "head": None}}, "document.nodes"),
    "a head that is not there": (
        {"document": {"version": 1, "head": "x", "nodes": {}}},
        "document.head",
    ),
    "a node that is a text": (
        {"document": {"version": 1, "head": None, "nodes": {"x": "y"}}},
        "document.nodes.x",
    ),
}
# What is wrong with one of those that are imported is told beside those that are kept.
IMPORT_FIELDS: Cases = {
    "conversations in an object": ({"conversations": {}}, "conversations"),
    "another kind of export": ({"object": "kronk.prompts"}, "object"),
    "a version that is not known": ({"version": 2}, "version"),
}

PROMPT_FIELDS: Cases = {
    "a name that is empty": ({"name": " "}, "name"),
    "a name that is too long": ({"name": "x" * 121}, "name"),
    "a text that is empty": ({"text": "\n"}, "text"),
    "a description that is a list": ({"description": []}, "description"),
    "a category that is null": ({"category": None}, "category"),
    "a favourite that is a text": ({"favourite": "yes"}, "favourite"),
    "a kind that is none": ({"kind": "tool"}, "kind"),
}
PROMPT_IMPORT_FIELDS: Cases = {
    "prompts in an object": ({"prompts": {}}, "prompts"),
    "another kind of export": ({"object": "kronk.conversations"}, "object"),
    "a category of no colour": ({"categories": [{"name": "x"}]}, "categories[0].color"),
    "a colour that is none": (
        {"categories": [{"name": "x", "color": "loud"}]},
        "categories[0].color",
    ),
}
