"""Settings, and where each is from: of this shell, or of a running server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.settings import Settings, resolve, unknown_variables
from kronk.shared.settings_table import SETTINGS, Setting

_DEFAULT = "default"
_NOT_SET = "not set"
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def settings_rows(flags: Mapping[str, str | None], env: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row per setting; those that somebody set come first. Of secrets, only whether they are."""
    rows = []
    for setting in SETTINGS:
        origin, text = _DEFAULT, setting.default
        name = next((name for name in (setting.env, *setting.also) if name in env), None)
        if flags.get(setting.name) is not None:
            origin, text = setting.flag, str(flags[setting.name])
        elif name is not None:
            origin, text = name, env[name]
        wrong = _wrong(setting.parse, text)
        if setting.secret:
            text = "set" if text else _NOT_SET
        row = {"setting": setting.name, "value": text, "from": origin}
        rows.append(row | ({"wrong": wrong} if wrong else {}))
    return sorted(rows, key=lambda row: row["from"] == _DEFAULT)


def mistyped(env: Mapping[str, str]) -> list[str]:
    """Variables of the name of a setting that is none; never their values."""
    return [
        name + (f" (did you mean {meant}?)" if meant else "")
        for name, meant in unknown_variables(env)
    ]


def settings_or_nearest(
    flags: Mapping[str, str | None], env: Mapping[str, str]
) -> tuple[Settings, list[str]]:
    """The settings in force, and what is wrong with those that cannot be: for them, the default."""
    flags, env, wrong = dict(flags), dict(env), list[str]()
    # Each of them may be wrong by itself.
    for _ in range(len(SETTINGS)):
        try:
            return resolve(flags, env), wrong
        except InvalidArgument as error:
            wrong.append(error.message)
            named = [setting for setting in SETTINGS if setting.name == error.param]
            if not named:
                break
            flags.pop(named[0].name, None)
            for name in (named[0].env, *named[0].also):
                env.pop(name, None)
    kept = {name: flags.get(name) for name in ("base_path", "api_host")}
    return resolve(kept, {}), wrong


def flags_of(command: Sequence[str]) -> dict[str, str | None]:
    """The settings on a server's command line."""
    by_flag = {setting.flag: setting for setting in SETTINGS}
    found: dict[str, str | None] = {}
    for word, following in zip(command, [*command[1:], ""], strict=True):
        flag, separator, value = word.partition("=")
        setting = by_flag.get(flag)
        if setting is None:
            continue
        if separator:
            found[setting.name] = value
        elif setting.is_switch and (not following or following.startswith("-")):
            found[setting.name] = "true"
        else:
            found[setting.name] = following
    return found


def process_settings(pid: int, proc: Path = Path("/proc")) -> list[dict[str, Any]]:
    """Those of a running server, by its command line and environment. `OSError` where this user may
    not look."""
    folder = proc / str(pid)
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    lines = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
    env = dict(line.partition("=")[::2] for line in lines if "=" in line)
    rows = settings_rows(flags_of([word for word in words if word]), env)
    # A server gives its processes all settings in their environment, however it got them.
    return sorted((_given(row) for row in rows), key=lambda row: row["from"] == _DEFAULT)


def _given(row: dict[str, Any]) -> dict[str, Any]:
    setting = _BY_NAME[row["setting"]]
    if row["from"] not in (setting.env, *setting.also):
        return row
    is_default = not setting.secret and _parsed(setting, row["value"]) == _parsed(
        setting, setting.default
    )
    is_unset = setting.secret and row["value"] == _NOT_SET
    return row | {
        "from": _DEFAULT if is_default or is_unset else f"{setting.flag} or {row['from']}"
    }


def _parsed(setting: Setting, text: str) -> Any:
    try:
        return setting.parse(text)
    except (ValueError, InvalidArgument):
        return text


def _wrong(parse: Any, text: str) -> str | None:
    try:
        parse(text)
    except (ValueError, InvalidArgument) as error:
        return str(error)
    return None
