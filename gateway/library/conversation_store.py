"""Conversations in the database, each with its owner, who alone finds it in lists.

A conversation is three records, written in one transaction: a row for lists, the document, and its
texts, which are searched without reading images. Nothing of it is there unless all of it is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kronk.gateway.batches.names import CONVERSATION, new_name
from kronk.shared.database import Database, Writer
from kronk.shared.errors import Conflict, InvalidArgument, KronkError, NotFound
from kronk.shared.security.identity import Identity

from .bodies import Refusal
from .conversations import Conversation, TitledBy, from_record, to_record
from .documents import Document, size_of, texts
from .owners import key_of, prefixes_of
from .requests import Change, New, Wanted
from .search import matches, snippet, words_of
from .shares import Share, Shares

MOST_CONVERSATIONS = 20_000
MOST_BYTES = 2 * 1024**3


class Conversations:
    """All of them."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self.clock = clock
        self.rows = database.table("conversation_rows")
        self.documents = database.table("conversations")
        self.texts = database.table("conversation_texts")
        self.shares = Shares(
            database.table("conversation_shares"),
            Share(MOST_CONVERSATIONS, MOST_BYTES),
            "conversations",
        )

    def of(self, identity: Identity) -> OwnConversations:
        """Those that it may see; what it makes is its own."""
        return OwnConversations(self, identity)


@dataclass(frozen=True, slots=True)
class Found:
    """One of a list, and where it has the words that were looked for."""

    row: Conversation
    snippet: str | None


class OwnConversations:
    """The conversations of somebody. Everything blocks for the disk."""

    def __init__(self, store: Conversations, identity: Identity) -> None:
        self._store = store
        self._identity = identity

    def page(self, wanted: Wanted) -> tuple[list[Found], bool]:
        """What was changed last comes first; and whether more follow."""
        rows = [row for row in self._rows() if _is_wanted(row, wanted)]
        rows.sort(key=lambda row: (row.updated, row.id), reverse=True)
        if wanted.after is not None:
            names = [row.id for row in rows]
            if wanted.after not in names:
                raise _no_such_page()
            rows = rows[names.index(wanted.after) + 1 :]
        words, found = words_of(wanted.query), list[Found]()
        for row in rows:
            one = self._searched(row, words)
            if one is not None:
                found.append(one)
            if len(found) > wanted.limit:
                break
        return found[: wanted.limit], len(found) > wanted.limit

    def row(self, name: str) -> Conversation:
        """`NotFound` for one that is not there, or somebody else's."""
        row = from_record(self._store.rows.get(self._key(name)))
        return row or self._elsewhere(name)[0]

    def get(self, name: str) -> tuple[Conversation, Document]:
        """The same with its document."""
        row = self.row(name)
        record = self._store.documents.get(name)
        if record is None:
            raise _not_found(name)
        return row, record["document"]

    def create(self, new: New) -> Conversation:
        """Keep a new one; `TooLarge` when there are too many."""
        text = "\n".join(texts(new.document))
        row = self._made(new, _weight(new.document, text))

        def write(writer: Writer) -> None:
            self._store.shares.add(writer, row.owner, Share(1, row.bytes), self._counted(row.owner))
            self._write(writer, row, new.document, text)

        self._store.database.together(write)
        return row

    def import_all(
        self, news: Sequence[tuple[int, New]]
    ) -> tuple[list[Conversation], list[Refusal]]:
        """Keep as many as there is room for; which those are, and why the others are not."""
        kept, refused = list[Conversation](), list[Refusal]()
        for at, new in news:
            try:
                kept.append(self.create(new))
            except KronkError as error:
                refused.append(Refusal(at, new.title, error.message, error.param))
        return kept, refused

    def change(self, name: str, change: Change) -> Conversation:
        """What it is then; `Conflict` when it is another than the change was made from."""
        document = change.document
        text = None if document is None else "\n".join(texts(document))
        size = None if document is None or text is None else _weight(document, text)

        def write(writer: Writer) -> Conversation:
            row = self._current(writer, name)
            _require_revision(row, change.revision)
            given = document
            if given is None and "title" in change.given and change.title is None:
                # Its first message is in the document.
                given = self._document(writer, name)
            after = _changed(row, change, given, size, self._store.clock())
            more = Share(0, after.bytes - row.bytes)
            self._store.shares.add(writer, row.owner, more, self._counted(row.owner))
            self._write(writer, after, document, text)
            return after

        return self._store.database.together(write)

    def note_title(self, name: str, title: str, by: TitledBy, revision: int) -> Conversation:
        """Give it a title that is none of its owner's, unless it has been changed since that
        revision: then it stays as it is.

        It stays of that revision, too: a change that its owner makes meanwhile cannot undo the
        title unknowingly, and is not refused for it.
        """

        def write(writer: Writer) -> Conversation:
            row = self._current(writer, name)
            if row.revision != revision:
                return row
            after = replace(row, title=title, titled_by=by)
            self._write(writer, after, None, None)
            return after

        return self._store.database.together(write)

    def delete(self, name: str) -> None:
        """Forget it."""

        def write(writer: Writer) -> None:
            row = self._current(writer, name)
            writer.delete(self._store.rows, f"{key_of(row.owner)}/{name}")
            writer.delete(self._store.documents, name)
            writer.delete(self._store.texts, f"{key_of(row.owner)}/{name}")
            less = Share(-1, -row.bytes)
            self._store.shares.add(writer, row.owner, less, self._counted(row.owner))

        self._store.database.together(write)

    def stats(self) -> dict[str, Any]:
        """How many there are, and what may be."""
        rows = list(self._rows())
        models = Counter(row.model for row in rows if row.model is not None)
        return {
            "object": "kronk.conversation.stats",
            "conversations": len(rows),
            "archived": sum(row.archived for row in rows),
            "messages": sum(row.messages for row in rows),
            "bytes": sum(row.bytes for row in rows),
            "most_conversations": MOST_CONVERSATIONS,
            "most_bytes": MOST_BYTES,
            "models": dict(models.most_common()),
        }

    def _made(self, new: New, size: int) -> Conversation:
        now = self._store.clock()
        by: TitledBy = new.titled_by or ("user" if new.title is not None else "first_message")
        created = now if new.created is None else new.created
        row = Conversation(
            id=new_name(CONVERSATION),
            owner=self._identity.subject,
            title=new.title or "",
            titled_by=by,
            model=new.model,
            created=created,
            updated=now if new.updated is None else new.updated,
            archived=new.archived,
            messages=0,
            revision=1,
            bytes=size,
        )
        return row.with_document(new.document, size)

    def _rows(self) -> Iterator[Conversation]:
        for prefix in prefixes_of(self._identity):
            for _, record in self._store.rows.items(prefix):
                row = from_record(record)
                if row is not None:
                    yield row

    def _searched(self, row: Conversation, words: tuple[str, ...]) -> Found | None:
        if not words:
            return Found(row, None)
        record = self._store.texts.get(f"{key_of(row.owner)}/{row.id}")
        text = record.get("text") if record is not None else None
        body = text if isinstance(text, str) else ""
        return Found(row, snippet(words, body)) if matches(words, row.title, body) else None

    def _key(self, name: str) -> str:
        return f"{key_of(self._identity.subject)}/{name}"

    def _elsewhere(self, name: str) -> tuple[Conversation, Document]:
        """One that is somebody else's, for who sees all; or one whose row is damaged."""
        is_own = self._store.texts.get(self._key(name)) is not None
        may = is_own or self._identity.sees_all
        record = self._store.documents.get(name) if may else None
        row = None if record is None else from_record(record.get("row"))
        if record is None or row is None:
            raise _not_found(name)
        current = from_record(self._store.rows.get(f"{key_of(row.owner)}/{name}"))
        return current or row, record["document"]

    def _current(self, writer: Writer, name: str) -> Conversation:
        row = from_record(writer.get(self._store.rows, self._key(name)))
        is_own = writer.get(self._store.texts, self._key(name)) is not None
        if row is None and (is_own or self._identity.sees_all):
            record = writer.get(self._store.documents, name)
            first = None if record is None else from_record(record.get("row"))
            if first is not None:
                key = f"{key_of(first.owner)}/{name}"
                row = from_record(writer.get(self._store.rows, key)) or first
        if row is None:
            raise _not_found(name)
        return row

    def _document(self, writer: Writer, name: str) -> Document | None:
        record = writer.get(self._store.documents, name)
        return None if record is None else record["document"]

    def _write(
        self, writer: Writer, row: Conversation, document: Document | None, text: str | None
    ) -> None:
        key = f"{key_of(row.owner)}/{row.id}"
        writer.put(self._store.rows, key, to_record(row))
        if document is not None:
            # The row as it is now, should the other one ever be damaged.
            record = {"row": to_record(row), "document": document}
            writer.put(self._store.documents, row.id, record)
            writer.put(self._store.texts, key, {"text": text})

    def _counted(self, owner: str | None) -> Callable[[Writer], Share]:
        def count(writer: Writer) -> Share:
            records = writer.items(self._store.rows, f"{key_of(owner)}/")
            rows = [row for _, record in records if (row := from_record(record)) is not None]
            return Share(len(rows), sum(row.bytes for row in rows))

        return count


def _changed(
    row: Conversation, change: Change, document: Document | None, size: int | None, now: float
) -> Conversation:
    after = replace(row, revision=row.revision + 1)
    if "title" in change.given:
        by: TitledBy = "first_message" if change.title is None else "user"
        after = replace(after, title=change.title or "", titled_by=by)
    if "archived" in change.given:
        after = replace(after, archived=change.archived)
    if "model" in change.given:
        after = replace(after, model=change.model)
    if document is not None:
        after = after.with_document(document, row.bytes if size is None else size)
    # Neither another title nor the archive makes it newer.
    return replace(after, updated=now) if "document" in change.given else after


def _weight(document: Document, text: str) -> int:
    return size_of(document) + len(text.encode())


def _is_wanted(row: Conversation, wanted: Wanted) -> bool:
    return wanted.archived == "all" or row.archived is (wanted.archived == "true")


def _require_revision(row: Conversation, revision: int | None) -> None:
    if revision is not None and revision != row.revision:
        raise Conflict(
            f"'revision': the conversation has been changed since: it has revision {row.revision},"
            f" and the change was made from {revision}. Read it again, and make the change there",
            param="revision",
        )


def _not_found(name: str) -> NotFound:
    return NotFound(f"conversation_id: there is no {name[:100]!r}", param="conversation_id")


def _no_such_page() -> InvalidArgument:
    return InvalidArgument(
        "Invalid value for 'after': expected the id of a conversation of this list", param="after"
    )
