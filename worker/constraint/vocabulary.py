"""A model's vocabulary as llguidance wants it: bytes per token, and which tokens are no text."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Sequence

import llama_cpp.llama_cpp as lib
from llguidance import LLTokenizer

from kronk.shared.errors import InvalidArgument
from kronk.worker.model import Model

# llguidance's mark of a token that is no text: no UTF-8 contains this byte.
_SPECIAL = b"\xff"
# Tokens that llama.cpp renders as no text at all.
_INVISIBLE: int = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN


class Vocabulary:
    """The token table of one model, built once: it looks at every token."""

    def __init__(self, model: Model) -> None:
        # llguidance tokenises through this model's C handle.
        self._model = model
        self.size = model.n_vocab
        if not model.ends:
            raise InvalidArgument(
                "this model has no token that ends an answer: its output cannot be constrained",
                param="model",
            )
        self.ends = frozenset(model.ends)
        self.end = model.ends[0]
        pieces = _pieces(model)
        # Tokens of a single byte: the alphabet an answer's ending can always be spelled in.
        self.bytes: dict[int, int] = {}
        table = []
        for token, (piece, visible) in enumerate(pieces):
            if token in self.ends or not visible:
                table.append(_SPECIAL + piece if piece else b"")
                continue
            if piece.startswith(_SPECIAL):
                # A byte that is in no UTF-8 would be taken for the mark.
                table.append(b"")
                continue
            table.append(piece)
            if len(piece) == 1:
                self.bytes.setdefault(piece[0], token)
        self.table: tuple[bytes, ...] = tuple(table)
        # Bytes in the longest token.
        self.longest = max(map(len, table))
        self.tokenizer: LLTokenizer = LLTokenizer.from_llamacpp(  # type: ignore[attr-defined]
            tokens=table,
            vocab_ptr=ctypes.cast(model.vocab, ctypes.c_void_p).value,
            tokenize_fptr=ctypes.cast(lib.llama_tokenize, ctypes.c_void_p).value,
            eos_token=sorted(self.ends),
        )

    def respell(self, tokens: list[int]) -> list[int]:
        """The same text in fewer tokens; control tokens stay where they are."""
        spelled: list[int] = []
        for is_text, run in itertools.groupby(tokens, self._is_text):
            same = list(run)
            spelled += self._spell(same) if is_text else same
        return spelled

    def text(self, tokens: Sequence[int]) -> bytes:
        """What tokens that are text say."""
        return b"".join(self.table[token] for token in tokens)

    def _spell(self, tokens: list[int]) -> list[int]:
        text = self.text(tokens)
        spelled: list[int] = self.tokenizer.tokenize_bytes(text)
        if self.text(spelled) != text:
            # Some vocabularies put a space before a text. The longest tokens do without.
            spelled = self.tokenizer.greedy_tokenize(text.decode("utf-8", "replace"))
        return spelled if self.text(spelled) == text and len(spelled) < len(tokens) else tokens

    def _is_text(self, token: int) -> bool:
        return not self.table[token].startswith(_SPECIAL)


def _pieces(model: Model) -> list[tuple[bytes, bool]]:
    """Each token's bytes, and whether they are in the answer's text."""
    # Longer than any piece: the library says so when it is not.
    room = 16 * 1024
    buffer = ctypes.create_string_buffer(room)
    pieces = []
    for token in range(model.n_vocab):
        size = lib.llama_token_to_piece(model.vocab, token, buffer, room, 0, True)
        piece = ctypes.string_at(buffer, size) if size > 0 else b""
        visible = not lib.llama_vocab_get_attr(model.vocab, token) & _INVISIBLE
        pieces.append((piece, visible))
    return pieces
