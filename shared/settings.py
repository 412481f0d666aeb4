"""The settings in force: a value comes from the flag, else the environment, else the default.

Which there are stands in `settings_table`.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from .errors import InvalidArgument
from .paths import BasePath
from .repositories.url import RepositoryUrl
from .settings_table import SETTINGS, Setting
from .units import Address, Probability, Share

Mode = Literal["open", "management", "authenticated", "protected"]


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
    read_timeout: float
    write_timeout: float
    stream_keepalive: float
    idle_timeout: float
    shutdown_timeout: float
    cors_allowed_origins: tuple[str, ...]
    auth_enabled: bool
    auth_mode: str | None
    auth_issuer: str
    auth_host: str | None
    auth_token: str | None = dataclasses.field(repr=False)
    auth_ca: Path | None
    auth_cache: float
    policy_dir: Path | None
    policy_url: str | None
    tls_cert: Path | None
    tls_key: Path | None
    allowed_hosts: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    insecure_logging: bool
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
    debug_host: Address | None
    tempo_host: Address | None
    tempo_service_name: str
    tempo_probability: Probability
    log_level: str

    @property
    def base(self) -> BasePath:
        """Where everything is kept."""
        return BasePath(self.base_path, self.models_path)

    @property
    def config_file(self) -> Path | None:
        """The file with settings per model: the named one, else the one in the base path, where
        there is one now."""
        if self.model_config_file is not None:
            return self.model_config_file
        own = self.base.model_config
        return own if own.is_file() else None

    @property
    def mode(self) -> Mode:
        """Who may do what, by the rules of `kronk.gateway.access`."""
        if self.auth_mode is not None:
            return cast(Mode, self.auth_mode)
        return "protected" if self.auth_enabled or self.auth_host else "open"

    @property
    def libraries(self) -> Path:
        """Where builds of llama.cpp are installed."""
        return self.lib_path if self.lib_path is not None else self.base.libraries


def resolve(flags: Mapping[str, str | None], env: Mapping[str, str]) -> Settings:
    """The settings in force; `InvalidArgument` names the flag or variable with a bad value."""
    values = {}
    for setting in SETTINGS:
        origin, text = _lookup(setting, flags, env)
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            got = "" if setting.secret else f", got {text!r}"
            raise InvalidArgument(f"{origin}: {error}{got}", param=setting.name) from error
    settings = Settings(**values)
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    """What no value shows by itself."""
    if settings.auth_enabled and settings.auth_mode == "open":
        raise InvalidArgument(
            "--auth-enabled and --auth-mode=open contradict each other", param="auth_mode"
        )
    if settings.auth_host and settings.mode == "open":
        raise InvalidArgument(
            "--auth-host is of no use with --auth-mode=open: nobody is asked for a token",
            param="auth_host",
        )
    if (settings.tls_cert is None) != (settings.tls_key is None):
        missing = "tls_key" if settings.tls_key is None else "tls_cert"
        raise InvalidArgument(
            "--tls-cert and --tls-key belong together, and one is not set", param=missing
        )
    for name in ("policy_dir", "policy_url"):
        if getattr(settings, name) and settings.mode == "open":
            flag = "--" + name.replace("_", "-")
            raise InvalidArgument(
                f"{flag} decides nothing as long as nobody is asked for a token; it belongs to "
                "--auth-enabled or another --auth-mode",
                param=name,
            )
    if settings.policy_dir and settings.policy_url:
        raise InvalidArgument(
            "--policy-dir and --policy-url: only one can decide", param="policy_url"
        )


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


# Read by other commands than `server start`, and by the installation.
CLIENT_VARIABLES = frozenset(
    {
        "KRONK_BENCH_API_KEY",
        "KRONK_CA_FILE",
        "KRONK_PEER_TOKEN",
        "KRONK_SKIP_UI",
        "KRONK_TOKEN",
        "KRONK_WORKER_CONNECT",
        "KRONK_WORKER_TOKEN",
    }
)


def to_environment(settings: Settings, *, secrets: bool = False) -> dict[str, str]:
    """What makes a child process `resolve` the same settings; of secrets only by request."""
    return {
        setting.env: _text(getattr(settings, setting.name), setting.nothing)
        for setting in SETTINGS
        if secrets or not setting.secret
    }


def without_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """What a process may inherit that must not know any of them."""
    secret = {
        name for setting in SETTINGS if setting.secret for name in (setting.env, *setting.also)
    }
    return {name: value for name, value in env.items() if name not in secret}


def _text(value: object, nothing: str) -> str:
    match value:
        case None:
            return nothing
        case bool():
            return "true" if value else "false"
        case Share() | Probability():
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
