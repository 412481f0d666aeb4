"""A GGUF model's weights and vocabulary, through llama.cpp."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import llama_cpp.llama_cpp as lib

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.loading import PlacementSpec

from . import backends
from .library import LlamaLog, use_numa
from .placement import Layers, Placement, place
from .rope import Trained

_NAMED_TEMPLATE = "tokenizer.chat_template."
# llama.cpp's own word for it.
_ALL_LAYERS = -1
_SPLIT_MODES = {
    "none": lib.LLAMA_SPLIT_MODE_NONE,
    "layer": lib.LLAMA_SPLIT_MODE_LAYER,
    "row": lib.LLAMA_SPLIT_MODE_ROW,
    "tensor": lib.LLAMA_SPLIT_MODE_TENSOR,
}
_LOAD_MODES = {
    "auto": lib.LLAMA_LOAD_MODE_AUTO,
    "none": lib.LLAMA_LOAD_MODE_NONE,
    "mlock": lib.LLAMA_LOAD_MODE_MLOCK,
    "mmap_mlock": lib.LLAMA_LOAD_MODE_MMAP_MLOCK,
}


_ANYWHERE, _UNKNOWN = PlacementSpec(), Layers(0)


class _Override(ctypes.Structure):
    """llama.cpp's `llama_model_tensor_buft_override`; a list ends with one that has no pattern."""

    _fields_: ClassVar = [("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p)]


def _place(params: lib.llama_model_params, placement: Placement) -> list[object]:
    """Fill the parameters; what is returned must live until the model is loaded."""
    layers = placement.n_gpu_layers
    params.n_gpu_layers = _ALL_LAYERS if layers is None else layers
    params.split_mode = _SPLIT_MODES[placement.split_mode]
    params.main_gpu = placement.main_gpu
    params.load_mode = _LOAD_MODES[placement.load_mode]
    if placement.numa is not None:
        use_numa(placement.numa)
    kept: list[object] = []
    if placement.tensor_split:
        # llama.cpp reads one for each device there could be.
        shares = (ctypes.c_float * lib.llama_max_devices())(*placement.tensor_split)
        params.tensor_split = shares
        kept.append(shares)
    if placement.overrides:
        types = {device.buffer: device.buffer_type for device in backends.devices()}
        rows = [_Override(o.pattern.encode(), types[o.buffer]) for o in placement.overrides]
        overrides = (_Override * (len(rows) + 1))(*rows)
        params.tensor_buft_overrides = ctypes.cast(overrides, ctypes.c_void_p)
        kept += [overrides, rows]
    return kept


class Model:
    """Weights and vocabulary. Methods may be called from any thread; nothing here decodes."""

    def __init__(
        self,
        path: Path,
        *,
        log: LlamaLog,
        on_progress: Callable[[float], None],
        placement: PlacementSpec = _ANYWHERE,
        layers: Layers = _UNKNOWN,
        extra_buffers: bool = True,
    ) -> None:
        placed = place(placement, backends.machine(), layers)
        # What the configuration asked for in vain.
        self.notes = placed.notes
        params = lib.llama_model_default_params()
        params.use_extra_bufts = extra_buffers
        # llama.cpp keeps pointers to these.
        self._kept = _place(params, placed)

        def report(fraction: float, _: object) -> bool:
            on_progress(fraction)
            return True

        progress = lib.llama_progress_callback(report)
        params.progress_callback = progress
        handle = lib.llama_model_load_from_file(str(path).encode(), params)
        # A NULL pointer is falsy but not None.
        if not handle:
            raise log.failure(f"llama.cpp cannot load {path.name}: {log.explain()}")
        self.handle = handle
        self.vocab = lib.llama_model_get_vocab(handle)
        self.n_vocab: int = lib.llama_vocab_n_tokens(self.vocab)
        self.n_ctx_train: int = lib.llama_model_n_ctx_train(handle)
        self.parameters: int = lib.llama_model_n_params(handle)
        self.weights_bytes: int = lib.llama_model_size(handle)
        # Their memory cannot be trimmed at a position, only cleared.
        self.is_recurrent: bool = lib.llama_model_is_recurrent(handle) or lib.llama_model_is_hybrid(
            handle
        )
        self.adds_bos: bool = lib.llama_vocab_get_add_bos(self.vocab)
        # Positions that layers with a sliding window see; 0 where no layer has one.
        self.window: int = lib.llama_model_n_swa(handle)
        self._pieces: dict[int, bytes] = {}

    @property
    def architecture(self) -> str:
        return self.metadata("general.architecture") or "unknown"

    def require_generation(self) -> None:
        """Raise unless this model generates text: decoding another as if it did aborts the
        process."""
        is_causal = self.metadata(f"{self.architecture}.attention.causal") != "false"
        if not is_causal or lib.llama_model_has_encoder(self.handle):
            raise InvalidArgument(
                f"models of the architecture {self.architecture} are not supported by this version"
                " of Kronk",
                param="model",
            )

    @property
    def layers(self) -> int:
        return int(lib.llama_model_n_layer(self.handle))

    def trained(self, table: int | None) -> Trained:
        """What the GGUF says of positions; `table` is the rows of its table of them, if any."""
        name = f"{self.architecture}.rope"
        original = self.metadata(f"{name}.scaling.original_context_length")
        return Trained(
            context=self.n_ctx_train,
            original=int(original) if original else None,
            scaling=self.metadata(f"{name}.scaling.type") or "none",
            freq_base=float(self.metadata(f"{name}.freq_base") or 10000.0),
            freq_scale=lib.llama_model_rope_freq_scale_train(self.handle),
            rotates=lib.llama_model_rope_type(self.handle) != lib.LLAMA_ROPE_TYPE_NONE,
            table=table,
        )

    def metadata(self, key: str) -> str | None:
        """A scalar of the GGUF's metadata as text; None when absent."""
        size = lib.llama_model_meta_val_str(self.handle, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        lib.llama_model_meta_val_str(self.handle, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")

    def chat_template(self, name: str | None = None) -> str | None:
        """The GGUF's default chat template or that of a name, whatever language it is in."""
        text = lib.llama_model_chat_template(self.handle, name.encode() if name else None)
        return text.decode("utf-8", "replace") if text else None

    def template_names(self) -> list[str]:
        """The names of the GGUF's further chat templates."""
        buffer = ctypes.create_string_buffer(256)
        names = []
        for index in range(lib.llama_model_meta_count(self.handle)):
            lib.llama_model_meta_key_by_index(self.handle, index, buffer, len(buffer))
            _, prefix, name = buffer.value.decode("utf-8", "replace").partition(_NAMED_TEMPLATE)
            if prefix and name:
                names.append(name)
        return names

    def token_text(self, which: str) -> str:
        """The text of a special token (`bos`, `eos`), empty when the vocabulary has none."""
        token: int = getattr(lib, f"llama_vocab_{which}")(self.vocab)
        if token < 0:
            return ""
        text: bytes = lib.llama_vocab_get_text(self.vocab, token)
        return text.decode("utf-8", "replace")

    def tokenize(self, text: str) -> list[int]:
        """A rendered prompt as tokens; special tokens are recognised, BOS added where wanted."""
        bos = self.token_text("bos") if self.adds_bos else ""
        # Templates that write BOS themselves would otherwise get it twice.
        return self.tokenize_raw(
            text.removeprefix(bos) if bos else text, add_special=self.adds_bos, parse_special=True
        )

    def tokenize_part(self, text: str) -> list[int]:
        """A text in the middle of a prompt; special tokens are recognised."""
        return self.tokenize_raw(text, add_special=False, parse_special=True)

    def tokenize_raw(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """A text as tokens, with those around it that the vocabulary adds, and with the names of
        special tokens in it read as those tokens."""
        data = text.encode()
        room = len(data) + 8
        while True:
            tokens = (lib.llama_token * room)()
            count: int = lib.llama_tokenize(
                self.vocab, data, len(data), tokens, room, add_special, parse_special
            )
            if count >= 0:
                return list(tokens[:count])
            room = -count

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        """The text that these tokens are of, special ones by their names. The tokens must be of
        the vocabulary."""
        given = (lib.llama_token * len(tokens))(*tokens)
        room = 8 * len(tokens) + 8
        while True:
            buffer = ctypes.create_string_buffer(room)
            size: int = lib.llama_detokenize(
                self.vocab, given, len(tokens), buffer, room, False, True
            )
            if size >= 0:
                return buffer.raw[:size]
            room = -size

    def require_known(self, tokens: Sequence[object], where: str) -> None:
        """`InvalidArgument` names the first that is no token of the vocabulary: llama.cpp ends the
        process over such a one."""
        for at, token in enumerate(tokens):
            if type(token) is not int or not 0 <= token < self.n_vocab:
                raise InvalidArgument(
                    f"'{where}[{at}]': token ids of this model are whole numbers from 0 to"
                    f" {self.n_vocab - 1}, got {token!r}",
                    param=f"{where}[{at}]",
                )

    def special(self, which: str) -> int | None:
        """A special token's id (`bos`, `fim_pre`, ...); None when the vocabulary has none."""
        token: int = getattr(lib, f"llama_vocab_{which}")(self.vocab)
        return token if token >= 0 else None

    @functools.cached_property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end a generation; looks at the whole vocabulary, once."""
        return tuple(t for t in range(self.n_vocab) if lib.llama_vocab_is_eog(self.vocab, t))

    def single(self, text: str) -> int | None:
        """The one token that is exactly this text; None when it takes several."""
        tokens = self.tokenize_part(text)
        return tokens[0] if len(tokens) == 1 else None

    def spelling(self, token: int) -> bytes:
        """The bytes of a token's name, also of a control token that stands for no text."""
        return self.piece(token) or self._read_piece(token, special=True)

    @functools.cached_property
    def longest_piece(self) -> int:
        """Bytes of the longest token's text; looks at the whole vocabulary, once."""
        return max(len(self._read_piece(token)) for token in range(self.n_vocab)) or 1

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; control tokens stand for none."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._read_piece(token)
        return known

    def _read_piece(self, token: int, *, special: bool = False) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            size: int = lib.llama_token_to_piece(self.vocab, token, buffer, room, 0, special)
            if size >= 0:
                return buffer.raw[:size]
            room = -size
