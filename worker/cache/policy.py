"""What to keep of a request, and when. Pure.

`automatic` reuses whatever was computed; `system` keeps the state at the end of the system
prompt above all; `incremental` keeps each session's conversation up to its last message; `off`
computes everything anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from kronk.shared.wire.loading import CacheMode, CacheScope

# The manual's (5.7): below this, keeping costs more than computing.
MIN_TOKENS = 100
MAX_SESSIONS = 1
# The one pin of `system`; no session's name, which always has a prefix of those below.
SYSTEM_PIN = "system"
_SESSION_PREFIX = "session:"
# Of a session of somebody in particular.
_OWN_PREFIX = "own:"


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """The cache's settings for one model."""

    mode: CacheMode = "automatic"
    # Prefixes shorter than this are neither kept nor reused.
    min_tokens: int = MIN_TOKENS
    # Conversations pinned at a time in `incremental`.
    max_sessions: int = MAX_SESSIONS
    # Caps for saved states; 0 keeps none. On disk they survive the process.
    ram_bytes: int = 0
    disk_bytes: int = 0
    # Whose prefixes a prompt may start from: that it could tells how a prompt of somebody else's
    # begins.
    scope: CacheScope = "shared"

    @property
    def is_on(self) -> bool:
        """Whether anything is reused at all."""
        return self.mode != "off"

    def owner(self, subject: str) -> str:
        """Whose a prefix is that this subject's request computes; "" is everybody's."""
        return subject if self.scope == "subject" else ""

    @property
    def max_pins(self) -> int:
        """Entries of the store that are evicted last."""
        return {"system": 1, "incremental": self.max_sessions}.get(self.mode, 0)


@dataclass(frozen=True, slots=True)
class PromptMarks:
    """Where the parts of a rendered prompt end, in tokens; None for a part that is not there or
    whose end is no token boundary."""

    # The first message, when its role is system.
    system_end: int | None = None
    # Where the last message begins: all before it comes again next turn.
    last_message_start: int | None = None
    # All messages, before the generation prompt.
    messages_end: int | None = None


def wants_marks(policy: CachePolicy, rigid: bool) -> bool:
    """Whether it matters where the parts of a prompt end."""
    is_kept = policy.ram_bytes > 0 or policy.disk_bytes > 0
    return policy.is_on and is_kept and (rigid or policy.max_pins > 0)


def marks(policy: CachePolicy, rigid: bool, prompt: PromptMarks) -> tuple[int, ...]:
    """At which lengths of the prompt to save a snapshot: ascending, each at least `min_tokens`.

    Prefill is split there. Where any prefix can be cut out of a longer sequence, only what the mode
    promises to keep is saved on its own. Rigid memory needs a snapshot wherever prompts may part.
    """
    if not wants_marks(policy, rigid):
        return ()
    wanted: set[int | None] = set()
    if rigid:
        wanted = {prompt.system_end, prompt.last_message_start, prompt.messages_end}
    elif policy.mode == "system":
        wanted = {prompt.system_end}
    elif policy.mode == "incremental":
        wanted = {prompt.last_message_start}
    least = max(1, policy.min_tokens)
    return tuple(sorted(mark for mark in wanted if mark is not None and mark >= least))


def pin_at(
    policy: CachePolicy, prompt: PromptMarks, mark: int, session: str | None, subject: str = ""
) -> str | None:
    """The name under which the snapshot at `mark` is pinned; None for one like any other.

    `session` is the client's imc_id, which names a session of its subject's and of nobody else's.
    """
    if policy.mode == "system" and mark == prompt.system_end:
        owner = policy.owner(subject)
        return _own(owner, SYSTEM_PIN) if owner else SYSTEM_PIN
    if policy.mode == "incremental" and mark == prompt.last_message_start:
        name = session or ""
        return _own(subject, name) if subject else _SESSION_PREFIX + name
    return None


def _own(subject: str, name: str) -> str:
    # With its length, no subject and name run together to another's.
    return f"{_OWN_PREFIX}{len(subject)}:{subject}:{name}"
