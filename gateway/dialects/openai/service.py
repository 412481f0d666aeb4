"""What OpenAI's requests say about how they are served: here one way for all, and no worse."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

# The one that every request gets.
TIER = "default"
Tier = Literal["auto", "default", "flex", "scale", "priority", "fast"]
Retention = Literal["in_memory", "in-memory", "24h"]


class PromptCacheOptions(BaseModel):
    """`prompt_cache_options`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m"] | None = None
