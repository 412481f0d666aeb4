"""What the engine needs of a model's vocabulary."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Vocabulary(Protocol):
    """`kronk.worker.model.Model` is one."""

    n_vocab: int

    @property
    def ends(self) -> Collection[int]:
        """The tokens by which the model says that it is done."""

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; control tokens stand for none."""

    def spelling(self, token: int) -> bytes:
        """The bytes of a token's own name, also of a control token."""
