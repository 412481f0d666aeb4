"""The server's settings as one table: adding a row, and its field of `Settings`, adds a setting.

Flags, environment variables, defaults, validation and help texts are all derived from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import setting_values as read
from .units import parse_address, parse_budget, parse_duration


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
    # What is written for no value at all.
    nothing: str = ""

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Written without a value on the command line."""
        return self.parse is read.switch


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
        read.path,
        "Folder for models, logs and everything else Kronk keeps.",
        "path",
    ),
    Setting(
        "models_path",
        "KRONK_MODELS_PATH",
        "",
        read.optional_path,
        "Folder of the models, where that is not `models` below the base path.",
        "path",
    ),
    Setting(
        "hf_token",
        "KRONK_HF_TOKEN",
        "",
        read.token,
        "Token for gated and private repositories of the Hugging Face hub.",
        "token",
        also=("HF_TOKEN",),
        secret=True,
    ),
    Setting(
        "ignore_integrity_check",
        "KRONK_IGNORE_INTEGRITY_CHECK",
        "true",
        read.switch,
        "Load models without verifying their files first; `false`: a file whose digest is not "
        "known to be right is read whole before its load.",
        "true|false",
    ),
    Setting(
        "models_in_cache",
        "KRONK_MODELS_IN_CACHE",
        "3",
        read.count(1, 256),
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
        read.switch,
        "When the process of a model dies, go on with its requests in the next one instead of "
        "failing them.",
        "true|false",
    ),
    Setting(
        "request_crashes",
        "KRONK_REQUEST_CRASHES",
        "3",
        read.count(1, 100),
        "Processes that may die while they work on one request; then it fails, and its prompt is "
        "refused for a while.",
        "count",
    ),
    Setting(
        "model_config_file",
        "KRONK_CATALOG_MODEL_CONFIG_FILE",
        "",
        read.optional_path,
        "YAML file with settings per model.",
        "path",
    ),
    Setting(
        "catalog_github_repo",
        "KRONK_CATALOG_GITHUB_REPO",
        "",
        read.optional_repository,
        "Git repository, archive or YAML file of catalogs for `kronk catalog update`.",
        "url",
    ),
    Setting(
        "templates_github_repo",
        "KRONK_TEMPLATES_GITHUB_REPO",
        "",
        read.optional_repository,
        "Git repository or archive of chat templates for `kronk catalog pull-templates`.",
        "url",
    ),
    Setting(
        "read_timeout",
        "KRONK_WEB_READ_TIMEOUT",
        "30s",
        parse_duration,
        "How long a client may take to send the head of a request, or be silent within its body; 0 "
        "is no limit.",
        "duration",
        also=("KRONK_READ_TIMEOUT",),
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
        read.origins,
        "Origins whose pages may call the API, separated by commas; * is any.",
        "origins",
        also=("KRONK_CORS_ALLOWED_ORIGINS",),
    ),
    Setting(
        "auth_enabled",
        "KRONK_AUTH_ENABLED",
        "false",
        read.switch,
        "Ask for a token with each request, and hold it to what the token grants: the mode "
        "`protected`.",
        "true|false",
    ),
    Setting(
        "auth_mode",
        "KRONK_AUTH_MODE",
        "",
        read.optional(read.one_of("open", "management", "authenticated", "protected")),
        "Who may do what: open is everybody everything; management: models are for everybody, "
        "changes for the admin; authenticated: any good token may use models; protected: what "
        "the token grants.",
        "mode",
    ),
    Setting(
        "auth_issuer",
        "KRONK_AUTH_ISSUER",
        "kronk",
        read.issuer,
        "Who tokens are issued by; others are not accepted.",
        "name",
    ),
    Setting(
        "auth_host",
        "KRONK_AUTH_HOST",
        "",
        read.optional(read.auth_host),
        "Another Kronk that knows the tokens and counts their limits.",
        "url",
    ),
    Setting(
        "auth_token",
        "KRONK_AUTH_TOKEN",
        "",
        read.token,
        "Token that the Kronk of --auth-host wants to see; it grants `delegation`.",
        "token",
        secret=True,
    ),
    Setting(
        "auth_ca",
        "KRONK_AUTH_CA",
        "",
        read.optional_path,
        "Certificates of authorities, in PEM form, that the certificate of --auth-host is checked "
        "by instead of the well-known ones.",
        "path",
    ),
    Setting(
        "auth_cache",
        "KRONK_AUTH_CACHE",
        "30s",
        parse_duration,
        "How long an answer of --auth-host about a token is used, which is how late its end is "
        "noticed; 0 asks each time.",
        "duration",
    ),
    Setting(
        "policy_dir",
        "KRONK_POLICY_DIR",
        "",
        read.optional_path,
        "Folder of Rego policies that decide instead of those that Kronk comes with.",
        "path",
    ),
    Setting(
        "policy_url",
        "KRONK_POLICY_URL",
        "",
        read.optional(read.url),
        "Decision of an Open Policy Agent that is asked instead: "
        "http://127.0.0.1:8181/v1/data/kronk/authorization.",
        "url",
    ),
    Setting(
        "tls_cert",
        "KRONK_TLS_CERT",
        "",
        read.optional_path,
        "Certificate, with those between it and its authority, for HTTPS; read again when it "
        "changes.",
        "path",
    ),
    Setting(
        "tls_key",
        "KRONK_TLS_KEY",
        "",
        read.optional_path,
        "Private key of the certificate.",
        "path",
    ),
    Setting(
        "allowed_hosts",
        "KRONK_WEB_ALLOWED_HOSTS",
        "",
        read.names,
        "Names that clients may know this server by, separated by commas; *.example.com is any "
        "below it. On this machine's own addresses, its own names are always allowed.",
        "hosts",
    ),
    Setting(
        "trusted_proxies",
        "KRONK_WEB_TRUSTED_PROXIES",
        "",
        read.networks,
        "Addresses of proxies whose X-Forwarded headers are believed, separated by commas.",
        "networks",
    ),
    Setting(
        "insecure_logging",
        "KRONK_INSECURE_LOGGING",
        "false",
        read.switch,
        "Write prompts and answers to the log. For looking into a fault, not for production.",
        "true|false",
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
        read.hosts,
        "Hosts from which http(s) URLs of images in requests are fetched, separated by commas; "
        "* is any public one, *.example.com any below it. None: such requests are refused.",
        "hosts",
    ),
    Setting(
        "processor",
        "KRONK_PROCESSOR",
        "auto",
        read.one_of("auto", "bundled", "cpu", "cuda", "metal", "vulkan", "rocm", "sycl"),
        "What models compute on, by builds of llama.cpp that `kronk libs` installs: auto is the "
        "best that is installed and works here, bundled the build that Kronk came with.",
        "processor",
    ),
    Setting(
        "arch",
        "KRONK_ARCH",
        "",
        read.optional(read.one_of("amd64", "arm64")),
        "Architecture of the builds, where that is not this machine's.",
        "amd64|arm64",
    ),
    Setting(
        "os",
        "KRONK_OS",
        "",
        read.optional(read.one_of("linux", "darwin", "windows")),
        "System of the builds, where that is not this machine's.",
        "linux|darwin|windows",
    ),
    Setting(
        "lib_path",
        "KRONK_LIB_PATH",
        "",
        read.optional_path,
        "Folder of the builds, where that is not `libraries` below the base path.",
        "path",
    ),
    Setting(
        "lib_version",
        "KRONK_LIB_VERSION",
        "",
        read.optional(read.version),
        "Release of llama.cpp that is installed and used, where that is not the one the binding "
        "was made for.",
        "bNNNN",
    ),
    Setting(
        "lib_releases",
        "KRONK_LIB_RELEASES",
        "https://api.github.com/repos/ggml-org/llama.cpp/releases",
        read.url,
        "Where releases of llama.cpp are looked up: GitHub's API, or what answers like it.",
        "url",
    ),
    Setting(
        "spare",
        "KRONK_SPARE",
        "true",
        read.switch,
        "Keep one started worker without a model, so that a load need not start Python first.",
        "true|false",
    ),
    Setting(
        "sandbox",
        "KRONK_SANDBOX",
        "true",
        read.switch,
        "Confine the processes that read models: no privileges, no network, no files but the "
        "model's own.",
        "true|false",
    ),
    Setting(
        "llama_log",
        "KRONK_LLAMA_LOG",
        "0",
        read.switch,
        "Write llama.cpp's own messages to the log.",
        "0|1",
    ),
    Setting(
        "debug_host",
        "KRONK_DEBUG_HOST",
        "localhost:8090",
        read.address_or_off,
        "Address of metrics, profiles and stacks; `off` for none.",
        "host:port|off",
        nothing="off",
        also=("KRONK_WEB_DEBUG_HOST",),
    ),
    Setting(
        "tempo_host",
        "KRONK_TEMPO_HOST",
        "localhost:4317",
        read.address_or_off,
        "Where traces are sent by OTLP over gRPC, once something listens there; `off` for never.",
        "host:port|off",
        nothing="off",
    ),
    Setting(
        "tempo_service_name",
        "KRONK_TEMPO_SERVICE_NAME",
        "kronk",
        read.service_name,
        "The service's name in traces.",
        "name",
    ),
    Setting(
        "tempo_probability",
        "KRONK_TEMPO_PROBABILITY",
        "0.25",
        read.probability,
        "The share of requests that are traced, where a request does not say itself.",
        "0..1",
    ),
    Setting(
        "log_level",
        "KRONK_LOG_LEVEL",
        "info",
        read.one_of("debug", "info", "warning", "error"),
        "Least severe level that is logged.",
        "level",
    ),
)
