"""All that is kept for people."""

from __future__ import annotations

from dataclasses import dataclass

from kronk.shared.database import Database

from .conversation_store import Conversations
from .notes import Notes
from .prompt_store import Prompts


@dataclass(frozen=True, slots=True)
class Library:
    """One per gateway."""

    conversations: Conversations
    prompts: Prompts
    notes: Notes


def make_library(database: Database) -> Library:
    """With its tables in the database."""
    return Library(Conversations(database), Prompts(database), Notes(database))
