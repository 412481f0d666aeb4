"""The security settings in force, as `kronk security sec` shows them."""

from __future__ import annotations

from typing import Any

from kronk.shared.settings import Settings

from .administration import Administration


def overview(settings: Settings, administration: Administration, now: float) -> dict[str, Any]:
    """Nothing in it is secret. Waits for the disk."""
    return {
        "object": "kronk.security",
        "mode": settings.mode,
        "auth_host": settings.auth_host,
        "policy": _policy(settings),
        # Of newer ones than those in force; what runs knows.
        "policy_problem": None,
        "tls": settings.tls_cert is not None,
        "tls_cert": None if settings.tls_cert is None else str(settings.tls_cert),
        **administration.figures(now),
    }


def _policy(settings: Settings) -> str:
    if settings.policy_url is not None:
        return settings.policy_url
    return "shipped" if settings.policy_dir is None else str(settings.policy_dir)
