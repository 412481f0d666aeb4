"""From what a configuration says of RoPE to what llama.cpp is told. Pure.

A model rotates each position by its number. Positions beyond those it was trained on are mapped
back into them: a window of four times the trained one rotates at a quarter of the speed
(`freq_scale` 0.25), all frequencies alike (linear) or the slow ones only (YaRN). llama.cpp derives
the rest of YaRN's factors from that scale.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kronk.shared.errors import ModelFailed
from kronk.shared.sizing.shape import window_of
from kronk.shared.wire.loading import FittedRope, RopeSpec

# The manual (6.8): more than this is not recommended.
_USEFUL_RATIO = 4.0


@dataclass(frozen=True, slots=True)
class Trained:
    """What the GGUF says of positions."""

    context: int
    # Before the model was extended itself; None where the file does not say.
    original: int | None = None
    scaling: str = "none"
    freq_base: float = 10000.0
    freq_scale: float = 1.0
    # False: positions are no rotations (recurrent models, ALiBi, learned ones).
    rotates: bool = True
    # Rows, where positions are looked up in a table: reading beyond its end ends the process.
    table: int | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was derived."""

    # Tokens of one request.
    window: int
    # For llama.cpp; None in it is what the GGUF says.
    spec: RopeSpec
    fitted: FittedRope | None
    notes: tuple[str, ...]


def derive(asked: RopeSpec, window: int | None, trained: Trained) -> Rotation:
    """`ModelFailed` for a window that the model cannot have; anything odd becomes a note."""
    tokens = window_of(asked, window, trained.context, trained.table, trained.original)
    if trained.table is not None and tokens > trained.table:
        raise ModelFailed(
            f"context_window {tokens} is above the {trained.table} positions this model has; they"
            " are a table and cannot be extended",
            param="model",
        )
    if not trained.rotates:
        named = asked != RopeSpec()
        unused = ("this model does not use RoPE: the rope and yarn keys have no effect",)
        return Rotation(tokens, RopeSpec(), None, unused if named else ())
    original = asked.yarn_orig_ctx or trained.original or trained.context or tokens
    spec = replace(asked, freq_scale=_freq_scale(asked, tokens, original))
    if asked.scaling == "yarn":
        spec = replace(spec, yarn_orig_ctx=original)
    return Rotation(
        tokens,
        spec,
        FittedRope(
            scaling=asked.scaling or trained.scaling,
            freq_base=asked.freq_base or trained.freq_base,
            freq_scale=_in_force(spec, trained),
            orig_ctx=original,
        ),
        tuple(_notes(asked, tokens, original, trained)),
    )


def _freq_scale(asked: RopeSpec, tokens: int, original: int) -> float | None:
    if asked.freq_scale is not None or asked.scaling not in ("linear", "yarn"):
        return asked.freq_scale
    return min(1.0, original / tokens)


def _in_force(spec: RopeSpec, trained: Trained) -> float:
    if spec.scaling == "none":
        # llama.cpp's rule: no scaling is no scaling, whatever the factor.
        return 1.0
    return trained.freq_scale if spec.freq_scale is None else spec.freq_scale


def _notes(asked: RopeSpec, tokens: int, original: int, trained: Trained) -> list[str]:
    notes = []
    is_scaled = asked.scaling in ("linear", "yarn")
    if is_scaled and asked.freq_scale is None and tokens <= original:
        notes.append(
            f"rope_scaling {asked.scaling} has no effect: context_window {tokens} is within the"
            f" {original} tokens the model was trained for"
        )
    if tokens > trained.context > 0 and not is_scaled and asked.freq_scale is None:
        notes.append(
            f"context_window {tokens} is above the {trained.context} tokens the model was trained"
            " for: answers get worse beyond them; rope_scaling: yarn helps"
        )
    if asked.yarn_attn_factor not in (None, 1.0) and asked.yarn_ext_factor != 0.0:
        # llama.cpp puts its own in the place of any other.
        notes.append("yarn_attn_factor has no effect unless yarn_ext_factor is 0")
    if is_scaled and tokens > _USEFUL_RATIO * original:
        notes.append(
            f"context_window {tokens} is {tokens / original:.1f} times what the model was trained"
            f" for ({original}): more than {_USEFUL_RATIO:g} times is not recommended"
        )
    return notes
