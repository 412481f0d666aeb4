"""The model's vocabulary as texts to pool need it. Any thread."""

from __future__ import annotations

import llama_cpp.llama_cpp as lib

from kronk.worker.model import Model

from .pairs import Specials

_ADDS_SEP = "tokenizer.ggml.add_sep_token"


class Vocabulary:
    """Tokenises texts with and without what the model wants around them."""

    def __init__(self, model: Model) -> None:
        self.model = model
        template = lib.llama_model_chat_template(model.handle, b"rerank")
        self.rerank_template: str | None = template.decode("utf-8") if template else None
        kind = lib.llama_vocab_type(model.vocab)
        says_sep = model.metadata(_ADDS_SEP)
        self.specials = Specials(
            bos=_token(lib.llama_vocab_bos(model.vocab)),
            eos=_token(lib.llama_vocab_eos(model.vocab)),
            sep=_token(lib.llama_vocab_sep(model.vocab)),
            add_bos=lib.llama_vocab_get_add_bos(model.vocab),
            add_eos=lib.llama_vocab_get_add_eos(model.vocab),
            add_sep=None if says_sep is None else says_sep == "true",
            is_wordpiece=kind == lib.LLAMA_VOCAB_TYPE_WPM,
            is_unigram=kind == lib.LLAMA_VOCAB_TYPE_UGM,
        )

    def text(self, text: str) -> list[int]:
        """With the special tokens the model wants around a text; those in it are plain text."""
        return self.model.tokenize_raw(text, add_special=True, parse_special=False)

    def plain(self, text: str) -> list[int]:
        """The text's tokens and nothing around them; no token of it is special."""
        return self.model.tokenize_raw(text, add_special=False, parse_special=False)

    def marked_up(self, text: str) -> list[int]:
        """The same, with the names of special tokens read as those tokens."""
        return self.model.tokenize_raw(text, add_special=False, parse_special=True)

    def cut(self, tokens: list[int], longest: int) -> list[int]:
        """The text's first tokens, with the special token at its end where it had one."""
        if len(tokens) <= longest:
            return tokens
        ends = (self.specials.eos, self.specials.sep)
        if longest > 1 and tokens[-1] in ends:
            return [*tokens[: longest - 1], tokens[-1]]
        return tokens[:longest]


def _token(token: int) -> int | None:
    return token if token >= 0 else None
