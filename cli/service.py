"""`kronk server install-service`: which files it writes, and what it says about them."""

from __future__ import annotations

import os
import pwd
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import kronk
from kronk.shared import settings
from kronk.shared.errors import Conflict, InvalidArgument, ServerError
from kronk.shared.files import write_atomically
from kronk.shared.settings import Settings
from kronk.shared.settings_table import SETTINGS

from . import unit

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
SYSTEM_FOLDER = Path("/etc/systemd/system")
# Exists exactly where systemd is process 1.
_RUNNING = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    name: str
    # A unit of the user's own manager.
    is_users: bool
    with_socket: bool
    run_as: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write, what that is, and what is left for a person to do."""

    files: Mapping[Path, str]
    explained: tuple[str, ...]
    next: tuple[str, ...]


def plan(wish: Wish, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Plan:
    """The units for the settings that `kronk server start` would have here."""
    for flag, text in (("--name", wish.name), ("--run-as", wish.run_as)):
        if not _NAME.fullmatch(text):
            raise InvalidArgument(f"{flag}: expected letters, digits, - and _, got {text!r}")
    chosen = settings.resolve(_with_base(wish, flags, environment), environment)
    reads = [Path(kronk.__file__), Path(sys.base_prefix)]
    if chosen.model_config_file is not None:
        reads.append(chosen.model_config_file)
    installed = unit.Installation(
        command=_command(),
        base=chosen.base_path,
        flags=_flags(wish, chosen, flags, environment),
        models=chosen.models_path,
        secrets=_secrets(wish),
        reads=tuple(reads),
        shutdown_timeout=chosen.shutdown_timeout,
        run_as=None if wish.is_users else wish.run_as,
    )
    folder = _folder(wish, environment)
    files = {folder / f"{wish.name}.service": unit.signed(unit.service(installed))}
    if wish.with_socket:
        text = unit.signed(unit.socket(str(chosen.api_host)))
        files[folder / f"{wish.name}.socket"] = text
    return Plan(files, _explained(wish, installed, chosen), _next(wish, installed, chosen))


def install(files: Mapping[Path, str], *, force: bool) -> list[str]:
    """Write what is not there yet; returns what was done. `Conflict` where a person has changed a
    file, and then nothing was written."""
    old = {path: _read(path) for path in files}
    for path, text in old.items():
        if not force and text is not None and text != files[path] and not unit.is_ours(text):
            raise Conflict(
                f"{path} was changed by somebody, or written by something else; --force replaces"
                " it. What you want to be different belongs into a drop-in: systemctl edit"
            )
    done = []
    for path, text in files.items():
        if old[path] == text:
            done.append(f"{path} is as it should be already")
            continue
        _write(path, text)
        done.append(f"wrote {path}")
    return done


def check_rights(wish: Wish) -> None:
    """A unit of the system is root's to install."""
    if not wish.is_users and os.geteuid() != 0:
        raise InvalidArgument(
            "a service of the system is installed by root: put sudo before this command, or let"
            " --user install one of your own; --dry-run shows both"
        )


def is_running() -> bool:
    """Whether this machine has systemd for its process 1."""
    return _RUNNING.exists()


def _with_base(
    wish: Wish, flags: Mapping[str, str | None], environment: Mapping[str, str]
) -> dict[str, str | None]:
    is_said = flags.get("base_path") is not None or "KRONK_BASE_PATH" in environment
    # The default is below the home of whoever calls, and for the system's service that is root.
    own = {} if is_said or wish.is_users else {"base_path": str(unit.STATE / wish.name)}
    return {**flags, **own}


def _command() -> Path:
    found = Path(sysconfig.get_path("scripts")) / "kronk"
    return found if found.exists() else Path(sys.argv[0]).absolute()


def _flags(
    wish: Wish,
    chosen: Settings,
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
) -> tuple[str, ...]:
    """Those that were given, as flags or in the environment, which a service does not share."""
    given = []
    for setting in SETTINGS:
        names = (setting.env, *setting.also)
        texts = [flags.get(setting.name), *(environment.get(name) for name in names)]
        text = next((text for text in texts if text is not None), None)
        if text is None or setting.name == "base_path" or setting.secret:
            continue
        if wish.with_socket and setting.name == "api_host":
            continue
        value = getattr(chosen, setting.name)
        given.append(f"{setting.flag}={value if isinstance(value, Path) else text}")
    return tuple(given)


def _secrets(wish: Wish) -> str:
    # systemd's own words for the folders of a user.
    return f"%E/{wish.name}/environment" if wish.is_users else f"/etc/{wish.name}/environment"


def _folder(wish: Wish, environment: Mapping[str, str]) -> Path:
    if not wish.is_users:
        return SYSTEM_FOLDER
    home = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "systemd" / "user"


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise ServerError(f"cannot write {path}: {(error.strerror or '').lower()}") from error


def _explained(wish: Wish, of: unit.Installation, chosen: Settings) -> tuple[str, ...]:
    start = " ".join([str(of.command), "server start", f"--base-path={of.base}", *of.flags])
    whom = "you" if wish.is_users else f"the user {of.run_as}"
    lines = [
        f"{wish.name}.service runs `{start}` as {whom}.",
        "It counts as started once the API answers, and is started again when it fails, but not"
        " for bad settings.",
        "`reload` reads the model-config file again; a file that is wrong is refused. `stop` lets"
        " running answers end.",
        f"It can write to {of.base} only; to it the rest of the machine is read-only."
        if of.is_systems
        else f"It keeps its files in {of.base}.",
    ]
    if chosen.mode != "open" and chosen.auth_host is None:
        lines.append(f"Its first start makes the operator's token: {chosen.base.admin_token}.")
    if wish.with_socket:
        lines.append(
            f"{wish.name}.socket listens on {chosen.api_host} all the time: connections wait while"
            " the server is started again, and the first one starts it."
        )
    return tuple(lines)


def _next(wish: Wish, of: unit.Installation, chosen: Settings) -> tuple[str, ...]:
    user = " --user" if wish.is_users else ""
    units = f"{wish.name}.socket {wish.name}" if wish.with_socket else wish.name
    commands = [
        f"systemctl{user} daemon-reload",
        f"systemctl{user} enable --now {units}",
        f"systemctl{user} status {wish.name}",
        f"journalctl{user} -u {wish.name} -f",
    ]
    if of.run_as is not None and not _exists(of.run_as):
        commands.insert(
            0, f"useradd --system --home-dir {of.base} --shell /usr/sbin/nologin {of.run_as}"
        )
    if of.is_systems and of.base.parent != unit.STATE:
        commands.insert(1, f"install -d -o {of.run_as} -g {of.run_as} -m 750 {of.base}")
    for setting in SETTINGS:
        if setting.secret and getattr(chosen, setting.name) is not None:
            commands.insert(0, f"put {setting.env}=... into {of.secrets} (chmod 600)")
    if wish.is_users:
        commands.append("loginctl enable-linger    # so that it runs without you being logged in")
    return tuple(commands)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
