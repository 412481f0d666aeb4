"""Where a model is to be moved to: another Kronk, or a repository of the hub."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from kronk.shared.errors import InvalidArgument
from kronk.shared.models.sources import is_repo, is_safe_path

FORMS = "hf:owner/repo or hf:owner/repo/folder, https://host or http://host:port of another Kronk"
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class HubTarget:
    """A repository of the hub."""

    owner: str
    repo: str
    # Below which the files go; empty: at the top.
    folder: str

    @property
    def name(self) -> str:
        return f"{self.owner}/{self.repo}"

    def __str__(self) -> str:
        return f"hf:{self.name}" + (f"/{self.folder}" if self.folder else "")


@dataclass(frozen=True, slots=True)
class HostTarget:
    """Another Kronk."""

    # Scheme, host and port, without a slash at the end.
    url: str

    def __str__(self) -> str:
        return self.url


Target = HubTarget | HostTarget


def parse(text: str) -> Target:
    """The target of that spelling; `InvalidArgument` says what is wrong with it."""
    if text.lower().startswith("hf:"):
        return _hub(text)
    return parse_host(text, "target", FORMS)


def parse_host(
    text: str, param: str, forms: str = "https://host or http://host:port"
) -> HostTarget:
    """The address of another Kronk."""
    wrong = InvalidArgument(f"{param}: expected {forms}, got {_shown(text)}", param=param)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme.lower() not in ("http", "https") or not host or not text.isprintable():
        raise wrong
    if parts.path not in ("", "/") or parts.query or parts.fragment or " " in text:
        raise wrong
    if parts.username is not None or parts.password is not None:
        raise InvalidArgument(
            f"{param}: a user name or password would be kept in logs; use --token", param=param
        )
    return HostTarget(f"{parts.scheme.lower()}://{parts.netloc.lower()}")


def _hub(text: str) -> HubTarget:
    owner, _, rest = text[3:].partition("/")
    repo, slash, folder = rest.partition("/")
    if not is_repo(owner, repo, None) or (slash and not is_safe_path(folder.rstrip("/"))):
        raise InvalidArgument(
            f"target: expected hf:owner/repo or hf:owner/repo/folder, got {_shown(text)}",
            param="target",
        )
    return HubTarget(owner, repo, folder.rstrip("/"))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "...")
