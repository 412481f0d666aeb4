"""What each key of a model may be by itself, but not together with others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kronk.shared.model_keys import QUANTISED

from .model import ModelConfig


@dataclass(frozen=True, slots=True)
class Conflict:
    """`keys` are those that exclude each other; the message is about the first, or about the
    model where `is_of_model`."""

    keys: tuple[str, ...]
    message: str
    is_of_model: bool = False


def conflicts(config: ModelConfig) -> Iterator[Conflict]:
    """All that there are."""
    if config.n_ubatch > config.n_batch:
        yield Conflict(
            ("n_ubatch", "n_batch"),
            f"must not exceed n_batch ({config.n_batch}), got {config.n_ubatch}",
        )
    if config.cache_type_v in QUANTISED and config.flash_attention == "disabled":
        yield Conflict(
            ("cache_type_v", "flash_attention"),
            f"{config.cache_type_v} needs flash_attention, which is disabled",
        )
    if config.system_prompt_cache and config.incremental_cache:
        yield Conflict(
            ("system_prompt_cache", "incremental_cache"),
            "system_prompt_cache and incremental_cache exclude each other"
            " (incremental_cache keeps the system prompt too)",
            is_of_model=True,
        )
    if config.cache_scope == "subject" and config.cache_disk:
        yield Conflict(
            ("cache_scope", "cache_disk"),
            "subject excludes cache_disk (what is kept on disk is everybody's)",
        )
    if config.chat_template_file is not None and config.chat_template is not None:
        yield Conflict(
            ("chat_template_file", "chat_template"),
            "chat_template and chat_template_file exclude each other",
            is_of_model=True,
        )
    if config.preload and config.ttl == 0 and not config.pin:
        yield Conflict(("preload", "ttl"), "with a ttl of 0 it would be unloaded at once")
    yield from _speculation(config)


def _speculation(config: ModelConfig) -> Iterator[Conflict]:
    if config.speculative == "draft" and config.draft_model is None:
        yield Conflict(("speculative", "draft_model"), "draft needs the key draft_model")
    if config.speculative == "ngram" and config.draft_model is not None:
        yield Conflict(
            ("speculative", "draft_model"), "ngram uses no draft_model, but one is given"
        )
    if config.draft_min > config.draft_max:
        yield Conflict(
            ("draft_min", "draft_max"),
            f"must not exceed draft_max ({config.draft_max}), got {config.draft_min}",
        )
