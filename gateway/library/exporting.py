"""Conversations as files: JSON that can be read in again, and Markdown to read. Pure."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from kronk.gateway.dialects.schemas import COUNT, Schema, array, closed

from .bodies import EXPORT_VERSION
from .conversations import SUMMARY_FIELDS, Conversation, summary
from .documents import DOCUMENT, Document, Node, branch

EXPORT_OBJECT = "kronk.conversations"
WHOLE: Schema = closed({**SUMMARY_FIELDS, "document": DOCUMENT})
EXPORT: Schema = closed(
    {"object": {"const": EXPORT_OBJECT}, "version": COUNT, "conversations": array(WHOLE)}
)
_TITLES = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
# What stands for a part that Markdown has no place for.
_PARTS = {"image_url": "image", "input_audio": "audio", "file": "file", "video_url": "video"}


def to_json(rows: Sequence[tuple[Conversation, Document]]) -> dict[str, Any]:
    """All that is known of them; `importing` reads it."""
    return {
        "object": EXPORT_OBJECT,
        "version": EXPORT_VERSION,
        "conversations": [summary(row) | {"document": document} for row, document in rows],
    }


def to_markdown(row: Conversation, document: Document) -> str:
    """The branch that is looked at, to be read by people. What the model thought is folded."""
    lines = [f"# {row.title or 'Conversation'}", "", _facts(row), ""]
    for node in branch(document):
        lines += [f"## {_heading(node)}", "", *_body(node)]
    return "\n".join(lines).rstrip() + "\n"


def file_name(row: Conversation, ending: str) -> str:
    """A name for the export that every file system takes."""
    plain = "".join(one if one.isascii() and one.isalnum() else "-" for one in row.title.lower())
    short = "-".join(part for part in plain.split("-") if part)[:60].strip("-")
    return f"{short or row.id}.{ending}"


def _facts(row: Conversation) -> str:
    begun = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(row.created))
    return f"*{begun}*" if row.model is None else f"*{begun}, {row.model}*"


def _heading(node: Node) -> str:
    title = _TITLES[node["role"]]
    return f"{title} ({node['model']})" if node.get("model") else title


def _body(node: Node) -> Iterator[str]:
    if node.get("reasoning"):
        yield from ("<details><summary>Thoughts</summary>", "", node["reasoning"].strip(), "")
        yield from ("</details>", "")
    content = node["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for part in parts:
        text = part.get("text")
        said = text.strip() if isinstance(text, str) else f"*({_PARTS.get(part['type'], 'part')})*"
        if said:
            yield from (said, "")
    for call in node.get("tool_calls") or ():
        yield from ("```json", json.dumps(call, ensure_ascii=False, indent=2), "```", "")
    if node.get("error"):
        error = node["error"]
        words = error if isinstance(error, str) else error.get("message", "it failed")
        yield from (f"> **Error:** {' '.join(str(words).split())}", "")
