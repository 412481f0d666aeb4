"""Prompts in the database, each with its owner and the texts that it had before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from kronk.gateway.batches.names import PROMPT, new_name
from kronk.shared.database import Database, Writer
from kronk.shared.errors import Conflict, InvalidArgument, KronkError, NotFound
from kronk.shared.security.identity import Identity

from .bodies import EXPORT_VERSION, Refusal
from .owners import key_of, prefixes_of
from .prompt_requests import (
    EXPORT_OBJECT,
    MOST_CATEGORIES,
    MOST_VERSIONS,
    Categories,
    Change,
    New,
)
from .prompts import (
    Category,
    Prompt,
    Version,
    Wanted,
    categories_of,
    category_object,
    prompt_of,
    version_of,
)
from .shares import Share, Shares
from .templates import filled

MOST_PROMPTS = 5000
MOST_BYTES = 64 * 1024**2


class Prompts:
    """All of them."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self.clock = clock
        self.prompts = database.table("prompts")
        self.versions = database.table("prompt_versions")
        self.categories = database.table("prompt_categories")
        self.shares = Shares(
            database.table("prompt_shares"), Share(MOST_PROMPTS, MOST_BYTES), "prompts"
        )

    def of(self, identity: Identity) -> OwnPrompts:
        """Those that it may see; what it makes is its own."""
        return OwnPrompts(self, identity)


class OwnPrompts:
    """The prompts of somebody. Everything blocks for the disk."""

    def __init__(self, store: Prompts, identity: Identity) -> None:
        self._store = store
        self._identity = identity

    def page(self, wanted: Wanted) -> tuple[list[Prompt], bool]:
        """Those on the page by their names; and whether more follow."""
        found = [prompt for prompt in self._all() if wanted.has(prompt)]
        found.sort(key=lambda prompt: (prompt.name.casefold(), prompt.id))
        if wanted.after is not None:
            names = [prompt.id for prompt in found]
            if wanted.after not in names:
                raise InvalidArgument(
                    "Invalid value for 'after': expected the id of a prompt of this list",
                    param="after",
                )
            found = found[names.index(wanted.after) + 1 :]
        return found[: wanted.limit], len(found) > wanted.limit

    def get(self, name: str) -> Prompt:
        """`NotFound` for one that is not there, or somebody else's."""
        prompt = prompt_of(self._store.prompts.get(self._key(name)))
        if prompt is None:
            raise _not_found(name)
        return prompt

    def create(self, new: New) -> Prompt:
        """Keep a new one; `TooLarge` when there are too many."""
        return self._store.database.together(lambda writer: self._create(writer, new))

    def change(self, name: str, change: Change) -> Prompt:
        """What it is then. Another text makes a version; the one before stays to be restored."""
        key = self._key(name)

        def write(writer: Writer) -> Prompt:
            before = self._current(writer, key, name)
            if change.version not in (None, before.version):
                raise Conflict(
                    f"'version': the prompt has been changed since: it has version"
                    f" {before.version}, and the change was made from {change.version}",
                    param="version",
                )
            after = replace(before, **change.fields)
            if change.fields.keys() - {"favourite"}:
                after = replace(after, updated=self._store.clock())
            if after.text != before.text:
                after = replace(after, version=before.version + 1)
                self._write_version(writer, key, after)
            more = _size(after) - _size(before)
            self._count(writer, before.owner, Share(0, more))
            writer.put(self._store.prompts, key, asdict(after))
            return after

        return self._store.database.together(write)

    def restore(self, name: str, version: int) -> Prompt:
        """Have the text of an earlier version again, as a new one."""
        for one in self.versions(name):
            if one.version == version:
                return self.change(name, Change({"text": one.text}, None))
        raise NotFound(f"version: the prompt has no version {version} any more", param="version")

    def use(self, name: str, values: dict[str, str]) -> tuple[str, Prompt]:
        """The text with these values in it; it counts."""
        key = self._key(name)

        def write(writer: Writer) -> tuple[str, Prompt]:
            before = self._current(writer, key, name)
            text = filled(before.text, values)
            after = replace(before, uses=before.uses + 1)
            writer.put(self._store.prompts, key, asdict(after))
            return text, after

        return self._store.database.together(write)

    def versions(self, name: str) -> list[Version]:
        """The texts it has and had, the newest first."""
        prompt = self.get(name)
        records = self._store.versions.items(f"{key_of(prompt.owner)}/{name}/")
        found = [one for _, record in records if (one := version_of(record)) is not None]
        return found[::-1]

    def delete(self, name: str) -> None:
        """Forget it with all its versions."""
        key = self._key(name)

        def write(writer: Writer) -> None:
            before = self._current(writer, key, name)
            versions = list(writer.items(self._store.versions, f"{key}/"))
            for version_key, _ in versions:
                writer.delete(self._store.versions, version_key)
            writer.delete(self._store.prompts, key)
            size = sum(_bytes(record.get("text")) for _, record in versions)
            self._count(writer, before.owner, Share(-1, -size - _size(before)))

        self._store.database.together(write)

    def export(self) -> dict[str, Any]:
        """All of them with their versions, and the categories; an import reads it."""
        prompts = sorted(self._all(), key=lambda prompt: (prompt.name.casefold(), prompt.id))
        return {
            "object": EXPORT_OBJECT,
            "version": EXPORT_VERSION,
            "prompts": [self._exported(prompt) for prompt in prompts],
            "categories": [category_object(one) for one in self.categories()],
        }

    def import_all(
        self, news: Sequence[tuple[int, New]], categories: Sequence[Category]
    ) -> tuple[list[Prompt], list[Refusal]]:
        """Keep as many as there is room for; which those are, and why the others are not. What is
        there already, by its name and text, is not kept a second time."""
        kept, refused = list[Prompt](), list[Refusal]()
        there = {(one.name, one.text, one.kind) for one in self._all()}
        for at, new in news:
            if (new.name, new.text, new.kind) in there:
                refused.append(Refusal(at, new.name, "It is there already, with that text", None))
                continue
            try:
                kept.append(self.create(new))
            except KronkError as error:
                refused.append(Refusal(at, new.name, error.message, error.param))
            else:
                there.add((new.name, new.text, new.kind))
        self._add_categories(categories)
        return kept, refused

    def categories(self) -> tuple[Category, ...]:
        """In the order in which they were given."""
        return categories_of(self._store.categories.get(key_of(self._identity.subject)))

    def set_categories(self, change: Categories) -> tuple[Category, ...]:
        """Have these. Prompts of one that is called differently now go with it.

        `Conflict` when they are no longer those that the change was made from.
        """
        owner = key_of(self._identity.subject)
        categories = change.wanted
        renamed = {one.was: one.name for one in categories if one.was and one.was != one.name}

        def write(writer: Writer) -> None:
            known = categories_of(writer.get(self._store.categories, owner))
            if change.before not in (None, known):
                raise Conflict("'before': the categories have been changed since", param="before")
            record = {"categories": [category_object(one) for one in categories]}
            writer.put(self._store.categories, owner, record)
            # Of all that are to be written the reading has to be over.
            for key, found in list(
                writer.items(self._store.prompts, f"{owner}/") if renamed else ()
            ):
                prompt = prompt_of(found)
                if prompt is not None and prompt.category in renamed:
                    after = replace(prompt, category=renamed[prompt.category])
                    writer.put(self._store.prompts, key, asdict(after))

        self._store.database.together(write)
        return self.categories()

    def _add_categories(self, categories: Sequence[Category]) -> None:
        known = self.categories()
        names = {one.name.casefold() for one in known}
        more = [one for one in categories if one.name.casefold() not in names]
        if more:
            self.set_categories(Categories((*known, *more)[:MOST_CATEGORIES]))

    def _create(self, writer: Writer, new: New) -> Prompt:
        now = self._store.clock()
        owner = self._identity.subject
        prompt = Prompt(
            id=new_name(PROMPT),
            owner=owner,
            name=new.name,
            text=new.text,
            description=new.description,
            category=new.category,
            favourite=new.favourite,
            kind=new.kind,
            uses=new.uses,
            created=now if new.created is None else new.created,
            updated=now if new.updated is None else new.updated,
            version=new.versions[-1].version if new.versions else 1,
        )
        key = f"{key_of(owner)}/{prompt.id}"
        versions = new.versions or (Version(1, new.text, now),)
        size = _size(prompt) + sum(_bytes(one.text) for one in versions)
        self._count(writer, owner, Share(1, size))
        for one in versions:
            writer.put(self._store.versions, _version_key(key, one.version), asdict(one))
        writer.put(self._store.prompts, key, asdict(prompt))
        return prompt

    def _write_version(self, writer: Writer, key: str, prompt: Prompt) -> None:
        made = Version(prompt.version, prompt.text, prompt.updated)
        writer.put(self._store.versions, _version_key(key, made.version), asdict(made))
        size = _bytes(made.text)
        known = list(writer.items(self._store.versions, f"{key}/"))
        for old_key, old in known[:-MOST_VERSIONS]:
            writer.delete(self._store.versions, old_key)
            size -= _bytes(old.get("text"))
        self._count(writer, prompt.owner, Share(0, size))

    def _exported(self, prompt: Prompt) -> dict[str, Any]:
        fields = asdict(prompt)
        for name in ("id", "owner", "version"):
            del fields[name]
        versions = [asdict(one) for one in reversed(self.versions(prompt.id))]
        # The last one is its text, else an import would not know which is.
        is_whole = bool(versions) and versions[-1]["text"] == prompt.text
        return fields | ({"versions": versions} if is_whole else {})

    def _all(self) -> Iterator[Prompt]:
        for prefix in prefixes_of(self._identity):
            for _, record in self._store.prompts.items(prefix):
                prompt = prompt_of(record)
                if prompt is not None:
                    yield prompt

    def _key(self, name: str) -> str:
        own = f"{key_of(self._identity.subject)}/{name}"
        if not self._identity.sees_all or self._store.prompts.get(own) is not None:
            return own
        keys = (key for key in self._store.prompts.names() if key.partition("/")[2] == name)
        return next(keys, own)

    def _current(self, writer: Writer, key: str, name: str) -> Prompt:
        prompt = prompt_of(writer.get(self._store.prompts, key))
        if prompt is None:
            raise _not_found(name)
        return prompt

    def _count(self, writer: Writer, owner: str | None, more: Share) -> None:
        def count(writer: Writer) -> Share:
            prefix = f"{key_of(owner)}/"
            found = [prompt_of(one) for _, one in writer.items(self._store.prompts, prefix)]
            prompts = [one for one in found if one is not None]
            texts = [one.get("text") for _, one in writer.items(self._store.versions, prefix)]
            return Share(len(prompts), sum(map(_size, prompts)) + sum(map(_bytes, texts)))

        self._store.shares.add(writer, owner, more, count)


def _version_key(key: str, version: int) -> str:
    return f"{key}/{version:010d}"


def _size(prompt: Prompt) -> int:
    return _bytes(prompt.text) + _bytes(prompt.description)


def _bytes(text: object) -> int:
    return len(text.encode()) if isinstance(text, str) else 0


def _not_found(name: str) -> NotFound:
    return NotFound(f"prompt_id: there is no {name[:100]!r}", param="prompt_id")
