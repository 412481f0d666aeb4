"""The settings table: where a value comes from and what is said about a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronk.shared.errors import InvalidArgument
from kronk.shared.repositories.url import RepositoryUrl
from kronk.shared.settings import resolve, to_environment, unknown_variables, without_secrets
from kronk.shared.settings_table import SETTINGS, Setting
from kronk.shared.units import Address

# Setting: a good text, what it becomes, a bad text, a word of the complaint.
CASES = {
    "api_host": ("0.0.0.0:9000", Address("0.0.0.0", 9000), "localhost", "host:port"),
    "base_path": ("/srv/kronk", Path("/srv/kronk"), "", "path"),
    "models_path": ("/data/models", Path("/data/models"), None, ""),
    "hf_token": ("hf_abc", "hf_abc", "hf abc", "without spaces"),
    "models_in_cache": ("7", 7, "0", "from 1 to 256"),
    "cache_ttl": ("0", 0.0, "5", "duration"),
    "memory_budget": ("24GiB", 24 * 1024**3, "0%", "a share such as 90%"),
    "stuck_after": ("2m", 120.0, "60", "duration"),
    "resume": ("off", False, "perhaps", "true or false"),
    "request_crashes": ("5", 5, "0", "from 1 to 100"),
    "model_config_file": ("/etc/kronk/models.yaml", Path("/etc/kronk/models.yaml"), None, ""),
    "catalog_github_repo": (
        "https://github.com/me/catalog#v2",
        RepositoryUrl("https://github.com/me/catalog", "git", "v2"),
        "--upload-pack=sh",
        "expected https://",
    ),
    "templates_github_repo": (
        "git@host:me/templates.git",
        RepositoryUrl("git@host:me/templates.git", "git"),
        "http://example.org/x",
        "use https",
    ),
    "write_timeout": ("90s", 90.0, "-1s", "duration"),
    "idle_timeout": ("1h30m", 5400.0, "soon", "duration"),
    "stream_keepalive": ("250ms", 0.25, "soon", "duration"),
    "shutdown_timeout": ("500ms", 0.5, "1 minute", "duration"),
    "cors_allowed_origins": (
        "http://a.example, https://b.example",
        ("http://a.example", "https://b.example"),
        "a.example",
        "origins",
    ),
    "media_urls": (
        "Example.com, *.example.org,10.0.0.1:9000,[::1]:80,*",
        ("example.com", "*.example.org", "10.0.0.1:9000", "[::1]:80", "*"),
        "https://example.com",
        "hosts such as",
    ),
    "read_timeout": ("5m", 300.0, "5", "duration"),
    "auth_enabled": ("yes", True, "perhaps", "true or false"),
    "auth_mode": ("management", "management", "closed", "open, management"),
    "auth_issuer": ("acme", "acme", " ", "expected a name"),
    "auth_host": (
        "auth.example.com:8080",
        "https://auth.example.com:8080",
        "http://auth.example.com",
        "expected https",
    ),
    "auth_token": ("eyJ.a.b", "eyJ.a.b", "eyJ a", "without spaces"),
    "auth_ca": ("/etc/kronk/ca.pem", Path("/etc/kronk/ca.pem"), None, ""),
    "auth_cache": ("5s", 5.0, "5", "duration"),
    "policy_dir": ("/etc/kronk/policies", Path("/etc/kronk/policies"), None, ""),
    "policy_url": (
        "http://127.0.0.1:8181/v1/data/x",
        "http://127.0.0.1:8181/v1/data/x",
        "x",
        "URL",
    ),
    "tls_cert": ("/etc/kronk/cert.pem", Path("/etc/kronk/cert.pem"), None, ""),
    "tls_key": ("/etc/kronk/key.pem", Path("/etc/kronk/key.pem"), None, ""),
    "allowed_hosts": (
        "Kronk.example.com, *.lan",
        ("kronk.example.com", "*.lan"),
        "kronk:8080",
        "without ports",
    ),
    "trusted_proxies": ("10.0.0.0/8,::1", ("10.0.0.0/8", "::1/128"), "proxy", "networks"),
    "insecure_logging": ("true", True, "2", "true or false"),
    "responses_ttl": ("48h", 172800.0, "30", "duration"),
    "processor": ("vulkan", "vulkan", "gpu", "auto, bundled, cpu"),
    "arch": ("arm64", "arm64", "x86", "amd64, arm64"),
    "os": ("darwin", "darwin", "beos", "linux, darwin"),
    "lib_path": ("/opt/builds", Path("/opt/builds"), None, ""),
    "lib_version": ("b11312", "b11312", "../up", "version such as b11312"),
    "lib_releases": ("https://mirror.example/r", "https://mirror.example/r", "ftp://x", "a URL"),
    "ignore_integrity_check": ("false", False, "maybe", "true or false"),
    "spare": ("off", False, "maybe", "true or false"),
    "sandbox": ("off", False, "strict", "true or false"),
    "llama_log": ("1", True, "2", "true or false"),
    "debug_host": ("0.0.0.0:9090", Address("0.0.0.0", 9090), "localhost", "host:port"),
    "tempo_host": ("tempo:4317", Address("tempo", 4317), "localhost", "host:port"),
    "tempo_service_name": ("kronk-1", "kronk-1", "\n", "a name"),
    "tempo_probability": ("0.05", 0.05, "2", "from 0 to 1"),
    "log_level": ("debug", "debug", "loud", "debug, info"),
}
by_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)


# What is of use only beside another.
COMPANIONS = {
    "tls_cert": {"tls_key": "/etc/kronk/key.pem"},
    "tls_key": {"tls_cert": "/etc/kronk/cert.pem"},
    "policy_dir": {"auth_enabled": "true"},
    "policy_url": {"auth_enabled": "true"},
}


def value(setting: Setting, flags: dict[str, str | None], env: dict[str, str]) -> object:
    companions = COMPANIONS.get(setting.name, {}) if flags or env else {}
    return getattr(resolve({**companions, **flags}, env), setting.name)


def test_every_setting_has_a_case() -> None:
    assert set(CASES) == {setting.name for setting in SETTINGS}


@by_setting
def test_the_default_is_a_good_value(setting: Setting) -> None:
    assert value(setting, {}, {}) == setting.parse(setting.default)


@by_setting
def test_the_flag_sets_the_value(setting: Setting) -> None:
    text, parsed, _, _ = CASES[setting.name]
    assert value(setting, {setting.name: text}, {}) == parsed


@by_setting
def test_each_of_its_variables_sets_the_value(setting: Setting) -> None:
    text, parsed, _, _ = CASES[setting.name]
    for name in (setting.env, *setting.also):
        assert value(setting, {}, {name: text}) == parsed


@by_setting
def test_the_flag_wins_over_the_variable(setting: Setting) -> None:
    text, parsed, _, _ = CASES[setting.name]
    assert value(setting, {setting.name: text}, {setting.env: setting.default}) == parsed


@by_setting
def test_a_flag_that_was_not_given_leaves_the_variable(setting: Setting) -> None:
    text, parsed, _, _ = CASES[setting.name]
    assert value(setting, {setting.name: None}, {setting.env: text}) == parsed


@by_setting
def test_a_bad_value_names_the_flag_or_the_variable_and_the_value(setting: Setting) -> None:
    _, _, bad, complaint = CASES[setting.name]
    if bad is None:
        return
    for flags, env, origin in (
        ({setting.name: bad}, {}, setting.flag),
        ({}, {setting.env: bad}, setting.env),
    ):
        with pytest.raises(InvalidArgument, match=complaint) as caught:
            resolve(flags, env)
        assert caught.value.message.startswith(f"{origin}: ")
        assert (repr(bad) in caught.value.message) is not setting.secret
        assert caught.value.param == setting.name


def test_the_newer_name_of_a_variable_wins_over_the_older() -> None:
    env = {"KRONK_WEB_WRITE_TIMEOUT": "1m", "KRONK_WRITE_TIMEOUT": "2m"}
    assert resolve({}, env).write_timeout == 60.0


def test_a_child_resolves_the_same_settings() -> None:
    for texts in (
        {},
        {name: good for name, (good, _, _, _) in CASES.items() if name != "policy_url"},
        {"api_host": "[::1]:8080", "cache_ttl": "1.5s"},
    ):
        settings = resolve(texts, {})
        assert resolve({}, to_environment(settings, secrets=True)) == settings


@pytest.mark.parametrize(
    ("flags", "param", "complaint"),
    [
        ({"auth_enabled": "true", "auth_mode": "open"}, "auth_mode", "contradict"),
        ({"auth_host": "a.example", "auth_mode": "open"}, "auth_host", "of no use"),
        ({"tls_cert": "/c.pem"}, "tls_key", "belong together"),
        ({"tls_key": "/k.pem"}, "tls_cert", "belong together"),
        ({"policy_dir": "/p"}, "policy_dir", "decides nothing"),
        ({"policy_url": "http://opa.example/"}, "policy_url", "decides nothing"),
        (
            {"auth_mode": "protected", "policy_dir": "/p", "policy_url": "http://opa.example/"},
            "policy_url",
            "only one",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    flags: dict[str, str | None], param: str, complaint: str
) -> None:
    with pytest.raises(InvalidArgument, match=complaint) as caught:
        resolve(flags, {})
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("flags", "mode"),
    [
        ({}, "open"),
        ({"auth_enabled": "true"}, "protected"),
        ({"auth_host": "auth.example.com"}, "protected"),
        ({"auth_mode": "management"}, "management"),
        ({"auth_enabled": "true", "auth_mode": "authenticated"}, "authenticated"),
    ],
)
def test_the_mode_follows_from_the_flags(flags: dict[str, str | None], mode: str) -> None:
    assert resolve(flags, {}).mode == mode


def test_secrets_go_only_where_they_are_asked_for() -> None:
    told = resolve({"hf_token": "hf_abc"}, {})
    assert "hf_abc" not in repr(told) + str(to_environment(told))
    inherited = {"KRONK_HF_TOKEN": "hf_abc", "HF_TOKEN": "hf_abc", "PATH": "/bin"}
    assert without_secrets(inherited) == {"PATH": "/bin"}


def test_a_path_is_absolute_wherever_the_command_was_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve({"base_path": "data"}, {}).base_path == tmp_path / "data"


@pytest.mark.parametrize("name", ["debug_host", "tempo_host"])
def test_what_can_be_switched_off_is_off(name: str) -> None:
    assert getattr(resolve({name: "off"}, {}), name) is None


@pytest.mark.parametrize("text", ["-0.1", "1.1", "nan", ""])
def test_a_share_is_between_nothing_and_all(text: str) -> None:
    with pytest.raises(InvalidArgument, match="a number from 0 to 1"):
        resolve({"tempo_probability": text}, {})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KRONK_WEB_APIHOST", "KRONK_WEB_API_HOST"),
        ("KRONK_MODELS_CACHE", "KRONK_MODELS_IN_CACHE"),
        ("KRONK_XYZZY_PLUGH_QUUX", None),
    ],
)
def test_an_unknown_variable_is_reported_with_what_it_may_mean(
    name: str, meant: str | None
) -> None:
    assert unknown_variables({name: "1"}) == [(name, meant)]


def test_known_variables_and_other_programs_are_not_reported() -> None:
    known = {name: "" for setting in SETTINGS for name in (setting.env, *setting.also)}
    assert unknown_variables({**known, "KRONK_TOKEN": "t", "PATH": "/bin", "KRONKER": ""}) == []
