"""Takes out of a report what is nobody's business: secrets, names of homes, addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SECRET = "(secret)"
ADDRESS = "(address)"

# Said at the top of a report.
POLICY = (
    "Tokens, keys, passwords and whatever looks like one are replaced by (secret), home folders by "
    "~, IP addresses other than loopback by (address). There is no text of prompts or answers, no "
    "stderr of models and no stack. Names of models, files and hosts are as they are: please look "
    "it over before you post it."
)

# Shorter ones are words that stand everywhere.
_SHORTEST_SECRET = 6
_SECRET_NAME = re.compile(
    r"token|secret|passw|credential|authorization|cookie|(?:^|_)key$|api_?key|private",
    re.IGNORECASE,
)
# Names whose value only says where a secret is, or how it is used.
_NOT_SECRET = re.compile(
    r"tokens$|_file$|_path$|^max_|^n_|tokens_per|special_tokens", re.IGNORECASE
)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # PEM blocks, also of a report cut short.
    (re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL), SECRET),
    # A JWT begins with the base64 of `{"`; its signature may have been cut off.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"), SECRET),
    # Hugging Face, OpenAI and those like it, GitHub, Slack, AWS, Google.
    (re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{8,}"), SECRET),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"), SECRET),
    (re.compile(r"\b(?:gh[pousr]|github_pat|glpat)[_-][A-Za-z0-9_-]{8,}"), SECRET),
    (re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{8,}"), SECRET),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), SECRET),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{30,}"), SECRET),
    # Hashes of passwords.
    (re.compile(r"\$(?:scrypt|argon2\w*|2[aby]|[156])\$[^\s\"']+"), SECRET),
    (re.compile(r"\bscrypt[:$][^\s\"']+"), SECRET),
    # In front of a host.
    (re.compile(r"(?<=://)[^\s/@]+(?=@)"), SECRET),
    (re.compile(r"(?i)\b(bearer|basic)\s+(?!\(secret\))[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {SECRET}"),
    # `--hf-token=...`, `password: ...`, `?api_key=...`, `"secret": "..."`.
    (
        re.compile(
            r"(?i)((?:[\w-]*(?:token|secret|passw(?:or)?d|api[_-]?key|credentials?))"
            r"[\"']?\s*[=:]\s*[\"']?)(?!\(secret\)|set\b|not set\b)[^\s\"'&,;]{4,}"
        ),
        rf"\1{SECRET}",
    ),
)
_HOMES = re.compile(
    r"(?<![\w.~-])/(?:home|Users)/[^/\s:\"',;)]+|(?<![\w.~/-])/root(?=[/\s:\"',;)]|$)"
)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?![\w:])")


class Redactor:
    """Knows secrets by their values, and others by their looks."""

    def __init__(self, secrets: Iterable[str] = (), homes: Iterable[Path] = ()) -> None:
        """`secrets` are replaced wherever they stand; `homes` are folders that are somebody's."""
        known = {each.strip() for each in secrets}
        # The longest first: another may be a part of it.
        self._secrets = sorted(
            (each for each in known if len(each) >= _SHORTEST_SECRET), key=len, reverse=True
        )
        folders = {str(home) for home in homes if len(home.parts) > 1}
        self._homes = [
            re.compile(rf"(?<![\w.~-]){re.escape(folder)}(?![\w.-])")
            for folder in sorted(folders, key=len, reverse=True)
        ]

    def text(self, text: str) -> str:
        """The text without any of it."""
        for secret in self._secrets:
            text = text.replace(secret, SECRET)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        for home in self._homes:
            text = home.sub("~", text)
        text = _HOMES.sub("~", text)
        return _IPV4.sub(_masked, _IPV6.sub(_masked, text))

    def value(self, value: Any, name: str = "") -> Any:
        """The same of JSON: all texts in it, keys included; a value whose name says that it is a
        secret goes whole."""
        match value:
            case str():
                return SECRET if value and is_secret_name(name) else self.text(value)
            case Mapping():
                return {
                    self.text(str(key)): self.value(below, str(key)) for key, below in value.items()
                }
            case list() | tuple():
                return [self.value(each, name) for each in value]
            case _:
                return value


def is_secret_name(name: str) -> bool:
    """Whether what has this name is a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.search(name)


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """Values of variables whose names say that they are secret."""
    return {value for name, value in environment.items() if is_secret_name(name) and value}


def _masked(found: re.Match[str]) -> str:
    text = found[0]
    # A sentence may end, or a port begin, with what is no part of it.
    bare = text.rstrip(".:") if not text.endswith("::") else text
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return text
    if address.is_loopback or address.is_unspecified:
        return text
    return ADDRESS + text[len(bare) :]
