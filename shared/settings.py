"""The server's settings as one table.

CLI flags, environment variables, defaults, validation and help texts are all derived from
`SETTINGS`; adding a row is all it takes to add a setting. A value comes from the flag, else the
environment, else the default.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InvalidArgument
from .paths import BasePath
from .repositories import url as repository_url
from .repositories.url import RepositoryUrl
from .units import Address, Share, parse_address, parse_budget, parse_duration


@dataclass(frozen=True, slots=True)
class Setting:
    """One row. `name` is the field of `Settings`, and with hyphens the flag."""

    name: str
    env: str
    default: str
    parse: Callable[[str], Any]
    help: str
    # How the value is written in help texts: `host:port`, `duration`, ...
    metavar: str
    # Older or alternative environment names the manual also gives; `env` wins.
    also: tuple[str, ...] = ()
    # Only the processes that use it get it, and nothing shows it.
    secret: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Written without a value on the command line."""
        return self.parse is _switch


def _switch(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("expected true or false")


def _count(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return int(text)

    return parse


def _path(text: str) -> Path:
    if not text:
        raise ValueError("expected a path")
    return Path(text).expanduser().absolute()


def _optional_path(text: str) -> Path | None:
    return _path(text) if text else None


def _optional_repository(text: str) -> RepositoryUrl | None:
    return repository_url.parse(text) if text else None


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip() for part in text.split(",") if part.strip())
    for origin in origins:
        if origin != "*" and not origin.startswith(("http://", "https://")):
            raise ValueError(f"expected origins such as http://localhost:3000, got {origin!r}")
    return origins


def _token(text: str) -> str | None:
    if text and not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("expected a token without spaces")
    return text or None


def _optional(parse: Callable[[str], str]) -> Callable[[str], str | None]:
    return lambda text: parse(text) if text else None


def _version(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", text):
        raise ValueError("expected a version such as b11312")
    return text


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")) or not text.isprintable() or " " in text:
        raise ValueError("expected a URL")
    return text


_HOST = re.compile(
    r"\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?"
)


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for host in hosts:
        if not _HOST.fullmatch(host) or (host.startswith("*") and ":" in host):
            raise ValueError(
                "expected hosts such as example.com, example.com:8080, *.example.com or *, "
                f"got {host!r}"
            )
    return hosts


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return parse


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "api_host",
        "KRONK_WEB_API_HOST",
        "127.0.0.1:8080",
        parse_address,
        "Address the API listens on; 0.0.0.0:8080 for all interfaces.",
        "host:port",
    ),
    Setting(
        "base_path",
        "KRONK_BASE_PATH",
        "~/.kronk",
        _path,
        "Folder for models, logs and everything else Kronk keeps.",
        "path",
    ),
    Setting(
        "models_path",
        "KRONK_MODELS_PATH",
        "",
        _optional_path,
        "Folder of the models, where that is not `models` below the base path.",
        "path",
    ),
    Setting(
        "hf_token",
        "KRONK_HF_TOKEN",
        "",
        _token,
        "Token for gated and private repositories of the Hugging Face hub.",
        "token",
        also=("HF_TOKEN",),
        secret=True,
    ),
    Setting(
        "ignore_integrity_check",
        "KRONK_IGNORE_INTEGRITY_CHECK",
        "true",
        _switch,
        "Load models without verifying their files first; `false`: a file whose digest is not "
        "known to be right is read whole before its load.",
        "true|false",
    ),
    Setting(
        "models_in_cache",
        "KRONK_MODELS_IN_CACHE",
        "3",
        _count(1, 256),
        "Models kept loaded at most; the least recently used idle one makes room.",
        "count",
    ),
    Setting(
        "cache_ttl",
        "KRONK_CACHE_TTL",
        "5m",
        parse_duration,
        "How long an unused model stays loaded; 0 is for ever.",
        "duration",
    ),
    Setting(
        "memory_budget",
        "KRONK_MEMORY_BUDGET",
        "90%",
        parse_budget,
        "Memory that models may take: a share of the machine's, or of the limit of Kronk's cgroup, "
        "or a size such as 24GB.",
        "share|size",
    ),
    Setting(
        "stuck_after",
        "KRONK_STUCK_AFTER",
        "60s",
        parse_duration,
        "How long a model's process may be busy without any progress before it is ended; 0 is for "
        "ever.",
        "duration",
    ),
    Setting(
        "resume",
        "KRONK_RESUME",
        "true",
        _switch,
        "When the process of a model dies, go on with its requests in the next one instead of "
        "failing them.",
        "true|false",
    ),
    Setting(
        "request_crashes",
        "KRONK_REQUEST_CRASHES",
        "3",
        _count(1, 100),
        "Processes that may die while they work on one request; then it fails, and its prompt is "
        "refused for a while.",
        "count",
    ),
    Setting(
        "model_config_file",
        "KRONK_CATALOG_MODEL_CONFIG_FILE",
        "",
        _optional_path,
        "YAML file with settings per model.",
        "path",
    ),
    Setting(
        "catalog_github_repo",
        "KRONK_CATALOG_GITHUB_REPO",
        "",
        _optional_repository,
        "Git repository, archive or YAML file of catalogs for `kronk catalog update`.",
        "url",
    ),
    Setting(
        "templates_github_repo",
        "KRONK_TEMPLATES_GITHUB_REPO",
        "",
        _optional_repository,
        "Git repository or archive of chat templates for `kronk catalog pull-templates`.",
        "url",
    ),
    Setting(
        "write_timeout",
        "KRONK_WEB_WRITE_TIMEOUT",
        "15m",
        parse_duration,
        "Longest time one answer may take, waiting included; 0 is no limit.",
        "duration",
        also=("KRONK_WRITE_TIMEOUT",),
    ),
    Setting(
        "stream_keepalive",
        "KRONK_STREAM_KEEPALIVE",
        "10s",
        parse_duration,
        "How long a stream may be silent, while a model loads or a prompt is read, before it gets "
        "a comment that clients skip; 0 is for ever.",
        "duration",
    ),
    Setting(
        "idle_timeout",
        "KRONK_WEB_IDLE_TIMEOUT",
        "1m",
        parse_duration,
        "How long an unused keep-alive connection stays open.",
        "duration",
        also=("KRONK_IDLE_TIMEOUT",),
    ),
    Setting(
        "shutdown_timeout",
        "KRONK_WEB_SHUTDOWN_TIMEOUT",
        "1m",
        parse_duration,
        "How long running answers may go on after a stop is asked for.",
        "duration",
        also=("KRONK_SHUTDOWN_TIMEOUT",),
    ),
    Setting(
        "cors_allowed_origins",
        "KRONK_WEB_CORS_ALLOWED_ORIGINS",
        "",
        _origins,
        "Origins whose pages may call the API, separated by commas; * is any.",
        "origins",
        also=("KRONK_CORS_ALLOWED_ORIGINS",),
    ),
    Setting(
        "responses_ttl",
        "KRONK_RESPONSES_TTL",
        "720h",
        parse_duration,
        "How long stored responses (/v1/responses) are kept, OpenAI's 30 days unless set; 0 is for "
        "ever.",
        "duration",
    ),
    Setting(
        "media_urls",
        "KRONK_MEDIA_URLS",
        "",
        _hosts,
        "Hosts from which http(s) URLs of images in requests are fetched, separated by commas; "
        "* is any public one, *.example.com any below it. None: such requests are refused.",
        "hosts",
    ),
    Setting(
        "processor",
        "KRONK_PROCESSOR",
        "auto",
        _one_of("auto", "bundled", "cpu", "cuda", "metal", "vulkan", "rocm", "sycl"),
        "What models compute on, by builds of llama.cpp that `kronk libs` installs: auto is the "
        "best that is installed and works here, bundled the build that Kronk came with.",
        "processor",
    ),
    Setting(
        "arch",
        "KRONK_ARCH",
        "",
        _optional(_one_of("amd64", "arm64")),
        "Architecture of the builds, where that is not this machine's.",
        "amd64|arm64",
    ),
    Setting(
        "os",
        "KRONK_OS",
        "",
        _optional(_one_of("linux", "darwin", "windows")),
        "System of the builds, where that is not this machine's.",
        "linux|darwin|windows",
    ),
    Setting(
        "lib_path",
        "KRONK_LIB_PATH",
        "",
        _optional_path,
        "Folder of the builds, where that is not `libraries` below the base path.",
        "path",
    ),
    Setting(
        "lib_version",
        "KRONK_LIB_VERSION",
        "",
        _optional(_version),
        "Release of llama.cpp that is installed and used, where that is not the one the binding "
        "was made for.",
        "bNNNN",
    ),
    Setting(
        "lib_releases",
        "KRONK_LIB_RELEASES",
        "https://api.github.com/repos/ggml-org/llama.cpp/releases",
        _url,
        "Where releases of llama.cpp are looked up: GitHub's API, or what answers like it.",
        "url",
    ),
    Setting(
        "spare",
        "KRONK_SPARE",
        "true",
        _switch,
        "Keep one started worker without a model, so that a load need not start Python first.",
        "true|false",
    ),
    Setting(
        "sandbox",
        "KRONK_SANDBOX",
        "true",
        _switch,
        "Confine the processes that read models: no privileges, no network, no files but the "
        "model's own.",
        "true|false",
    ),
    Setting(
        "llama_log",
        "KRONK_LLAMA_LOG",
        "0",
        _switch,
        "Write llama.cpp's own messages to the log.",
        "0|1",
    ),
    Setting(
        "log_level",
        "KRONK_LOG_LEVEL",
        "info",
        _one_of("debug", "info", "warning", "error"),
        "Least severe level that is logged.",
        "level",
    ),
)

# Settings of the manual that this version does not have. Setting one must not look as if it
# worked: a server with KRONK_AUTH_ENABLED=true that authenticates nobody is worse than none.
NOT_IN_THIS_VERSION: tuple[str, ...] = (
    "KRONK_AUTH_ENABLED",
    "KRONK_AUTH_HOST",
    "KRONK_DEBUG_HOST",
    "KRONK_WEB_DEBUG_HOST",
    "KRONK_INSECURE_LOGGING",
    "KRONK_READ_TIMEOUT",
    "KRONK_WEB_READ_TIMEOUT",
    "KRONK_TEMPO_HOST",
    "KRONK_TEMPO_PROBABILITY",
    "KRONK_TEMPO_SERVICE_NAME",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The table's values, parsed. Durations are seconds; a zero TTL or timeout is "no limit"."""

    api_host: Address
    base_path: Path
    models_path: Path | None
    hf_token: str | None = dataclasses.field(repr=False)
    ignore_integrity_check: bool
    models_in_cache: int
    cache_ttl: float
    memory_budget: Share | int
    stuck_after: float
    resume: bool
    request_crashes: int
    model_config_file: Path | None
    catalog_github_repo: RepositoryUrl | None
    templates_github_repo: RepositoryUrl | None
    write_timeout: float
    stream_keepalive: float
    idle_timeout: float
    shutdown_timeout: float
    cors_allowed_origins: tuple[str, ...]
    responses_ttl: float
    media_urls: tuple[str, ...]
    processor: str
    arch: str | None
    os: str | None
    lib_path: Path | None
    lib_version: str | None
    lib_releases: str
    spare: bool
    sandbox: bool
    llama_log: bool
    log_level: str

    @property
    def base(self) -> BasePath:
        """Where everything is kept."""
        return BasePath(self.base_path, self.models_path)

    @property
    def libraries(self) -> Path:
        """Where builds of llama.cpp are installed."""
        return self.lib_path if self.lib_path is not None else self.base.libraries


def resolve(flags: Mapping[str, str | None], env: Mapping[str, str]) -> Settings:
    """The settings in force; `InvalidArgument` names the flag or variable with a bad value."""
    for name in NOT_IN_THIS_VERSION:
        if env.get(name):
            raise InvalidArgument(f"{name} is set, but this version of Kronk does not have it yet")
    values = {}
    for setting in SETTINGS:
        origin, text = _lookup(setting, flags, env)
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            got = "" if setting.secret else f", got {text!r}"
            raise InvalidArgument(f"{origin}: {error}{got}", param=setting.name) from error
    return Settings(**values)


def _lookup(
    setting: Setting, flags: Mapping[str, str | None], env: Mapping[str, str]
) -> tuple[str, str]:
    flag = flags.get(setting.name)
    if flag is not None:
        return setting.flag, flag
    for name in (setting.env, *setting.also):
        if name in env:
            return name, env[name]
    return f"default of {setting.flag}", setting.default


def unknown_variables(env: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """`KRONK_` variables that no setting reads, each with the name it may have meant."""
    known = {name for setting in SETTINGS for name in (setting.env, *setting.also)}
    known |= CLIENT_VARIABLES
    unknown = sorted(name for name in env if name.startswith("KRONK_") and name not in known)
    return [(name, next(iter(difflib.get_close_matches(name, known, 1)), None)) for name in unknown]


# Read by other commands than `server start`.
CLIENT_VARIABLES = frozenset({"KRONK_TOKEN", "KRONK_WORKER_CONNECT", "KRONK_WORKER_TOKEN"})


def to_environment(settings: Settings, *, secrets: bool = False) -> dict[str, str]:
    """What makes a child process `resolve` the same settings; of secrets only by request."""
    return {
        setting.env: _text(getattr(settings, setting.name))
        for setting in SETTINGS
        if secrets or not setting.secret
    }


def without_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """What a process may inherit that must not know any of them."""
    secret = {
        name for setting in SETTINGS if setting.secret for name in (setting.env, *setting.also)
    }
    return {name: value for name, value in env.items() if name not in secret}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Share():
            return str(value)
        case float():
            return f"{round(value * 1000)}ms"
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def from_environment() -> Settings:
    """For processes Kronk starts itself, which get all settings this way."""
    return resolve({}, os.environ)


assert tuple(setting.name for setting in SETTINGS) == tuple(
    field.name for field in dataclasses.fields(Settings)
), "SETTINGS and Settings must list the same names in the same order"
