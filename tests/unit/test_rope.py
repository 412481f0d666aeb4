"""The derivation of RoPE's and YaRN's parameters from the extension ratio."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import ModelFailed
from kronk.shared.wire.loading import FittedRope, RopeSpec
from kronk.worker.rope import Trained, derive

NATIVE = Trained(context=32768, freq_base=1e6)
# Published for 131,072 tokens already, by YaRN over 32,768.
EXTENDED = Trained(context=131072, original=32768, scaling="yarn", freq_scale=0.25)


@pytest.mark.parametrize(
    ("window", "trained", "tokens"),
    [
        (None, Trained(32768), 8192),
        (None, Trained(4096), 4096),
        (None, Trained(1000), 1000),
        (None, Trained(0), 8192),
        (4096, Trained(32768), 4096),
        (1000, Trained(32768), 1000),
        (1100, Trained(1000), 1100),
        (65536, Trained(32768), 65536),
    ],
)
def test_the_window_is_as_configured_or_what_the_model_knows_up_to_8192(
    window: int | None, trained: Trained, tokens: int
) -> None:
    assert derive(RopeSpec(), window, trained).window == tokens


@pytest.mark.parametrize(
    ("asked", "trained", "tokens"),
    [
        (RopeSpec("yarn"), NATIVE, 8192),
        (RopeSpec("yarn", freq_scale=0.25), NATIVE, 131072),
        (RopeSpec("linear", freq_scale=0.5), Trained(4096), 8192),
        (RopeSpec("yarn", freq_scale=0.25, yarn_orig_ctx=8192), NATIVE, 32768),
        (RopeSpec("none", freq_scale=0.25), NATIVE, 8192),
    ],
)
def test_without_a_window_a_given_scale_says_how_far_the_context_extends(
    asked: RopeSpec, trained: Trained, tokens: int
) -> None:
    assert derive(asked, None, trained).window == tokens


@pytest.mark.parametrize(
    ("asked", "window", "trained", "told", "scale"),
    [
        # The manual's Qwen3 (6.6).
        (RopeSpec("yarn"), 131072, NATIVE,
         RopeSpec("yarn", freq_scale=0.25, yarn_orig_ctx=32768), 0.25),
        # The manual's Llama 3.
        (RopeSpec("yarn", freq_base=10000.0), 32768, Trained(8192),
         RopeSpec("yarn", freq_base=10000.0, freq_scale=0.25, yarn_orig_ctx=8192), 0.25),
        (RopeSpec("linear"), 65536, NATIVE, RopeSpec("linear", freq_scale=0.5), 0.5),
        # Within what it was trained for, nothing is scaled.
        (RopeSpec("yarn"), 16384, NATIVE,
         RopeSpec("yarn", freq_scale=1.0, yarn_orig_ctx=32768), 1.0),
        # What is given is not derived.
        (RopeSpec("yarn", freq_scale=0.5, yarn_orig_ctx=16384, yarn_ext_factor=0.0), 65536, NATIVE,
         RopeSpec("yarn", freq_scale=0.5, yarn_orig_ctx=16384, yarn_ext_factor=0.0), 0.5),
        # A model that was extended before is measured from where it began.
        (RopeSpec("yarn"), 262144, EXTENDED,
         RopeSpec("yarn", freq_scale=0.125, yarn_orig_ctx=32768), 0.125),
        # Nothing asked: the GGUF's own, whatever the window.
        (RopeSpec(), 131072, EXTENDED, RopeSpec(), 0.25),
        (RopeSpec(), 65536, NATIVE, RopeSpec(), 1.0),
        (RopeSpec("none"), 65536, EXTENDED, RopeSpec("none"), 1.0),
        (RopeSpec(freq_scale=0.5), 65536, NATIVE, RopeSpec(freq_scale=0.5), 0.5),
    ],
)  # fmt: skip
def test_what_is_not_given_follows_from_the_extension_ratio(
    asked: RopeSpec, window: int, trained: Trained, told: RopeSpec, scale: float
) -> None:
    rotation = derive(asked, window, trained)
    assert rotation.spec == told
    assert rotation.fitted is not None
    assert rotation.fitted.freq_scale == scale


def test_the_report_names_what_is_in_force() -> None:
    found = derive(RopeSpec("yarn"), 65536, NATIVE).fitted
    assert found == FittedRope("yarn", freq_base=1e6, freq_scale=0.5, orig_ctx=32768)
    assert derive(RopeSpec(), 65536, EXTENDED).fitted == FittedRope("yarn", 10000.0, 0.25, 32768)


@pytest.mark.parametrize(
    ("asked", "window", "words"),
    [
        (RopeSpec(), 32768, []),
        (RopeSpec("yarn"), 131072, []),
        (RopeSpec(freq_base=5e6), 32768, []),
        (RopeSpec(freq_scale=0.5), 65536, []),
        (RopeSpec("yarn", yarn_attn_factor=1.0), 65536, []),
        (RopeSpec("yarn", yarn_attn_factor=0.5, yarn_ext_factor=0.0), 65536, []),
        (RopeSpec("yarn", yarn_attn_factor=0.5), 65536, ["yarn_attn_factor has no effect"]),
        (RopeSpec(), 65536, ["above the 32768 tokens", "rope_scaling: yarn"]),
        (RopeSpec("none"), 65536, ["above the 32768 tokens"]),
        (RopeSpec("yarn"), 32768, ["rope_scaling yarn has no effect"]),
        (RopeSpec("linear"), 163840, ["5.0 times", "not recommended"]),
    ],
)
def test_what_is_odd_is_noted(asked: RopeSpec, window: int, words: list[str]) -> None:
    notes = derive(asked, window, NATIVE).notes
    assert bool(notes) == bool(words)
    assert all(word in notes[0] for word in words)


def test_a_model_without_rotations_is_told_none_and_says_so() -> None:
    model = Trained(context=2048, rotates=False)
    assert derive(RopeSpec("yarn"), 4096, model).spec == RopeSpec()
    assert "no effect" in derive(RopeSpec("yarn"), 4096, model).notes[0]
    assert derive(RopeSpec(), 4096, model).notes == ()


def test_a_table_of_positions_is_never_read_past_its_end() -> None:
    model = Trained(context=1024, rotates=False, table=1000)
    assert derive(RopeSpec(), None, model).window == 1000
    with pytest.raises(ModelFailed, match="above the 1000 positions"):
        derive(RopeSpec(), 1001, model)


@given(
    window=st.integers(256, 2**24),
    trained=st.integers(1, 2**20),
    scaling=st.sampled_from(["linear", "yarn"]),
)
def test_every_position_of_the_window_falls_into_the_trained_ones(
    window: int, trained: int, scaling: str
) -> None:
    rotation = derive(RopeSpec(scaling), window, Trained(trained))  # type: ignore[arg-type]
    assert rotation.window == window
    assert rotation.fitted is not None
    assert 0 < rotation.fitted.freq_scale <= 1
    assert rotation.window * rotation.fitted.freq_scale <= max(trained, rotation.window) + 1e-6
    if rotation.window > trained:
        assert rotation.window * rotation.fitted.freq_scale == pytest.approx(trained)
