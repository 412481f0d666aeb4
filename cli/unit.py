"""The text of Kronk's systemd units: what is in them and why, decided from what is installed where.

`deploy/kronk.service` and `deploy/kronk.socket` are these texts for an installation in /opt/kronk.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kronk.shared import exits

# Where systemd keeps a service's data: there it makes the folder itself.
STATE = Path("/var/lib")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
# Added to what running answers are given: the end of processes with tens of gigabytes.
_STOP_GRACE = 30
# Of no use to try again: somebody has to change something first.
_NO_RESTART = (exits.USAGE, exits.ALREADY_RUNNING)
_MARK = "# Written by `kronk server install-service`; sha256 of the rest: "


@dataclass(frozen=True, slots=True)
class Installation:
    """What the unit is for."""

    # The `kronk` command.
    command: Path
    base: Path
    # Of `kronk server start`, without `--base-path`.
    flags: tuple[str, ...] = ()
    # The folder of the models, where that is not below the base path.
    models: Path | None = None
    # A file of `KRONK_...=...` lines that is nobody else's to read; it need not be there.
    secrets: str = "/etc/kronk/environment"
    # What it has to be able to read beside that: Python, the files that flags name.
    reads: tuple[Path, ...] = ()
    # Seconds that running answers may go on after a stop; 0 is for ever.
    shutdown_timeout: float = 60.0
    # None: a unit of the user who installs it.
    run_as: str | None = "kronk"

    @property
    def is_systems(self) -> bool:
        """Whether it is a unit of the system and not of a user."""
        return self.run_as is not None


def service(of: Installation) -> str:
    """The text of `kronk.service`."""
    parts = [_unit(), _running(of), _ending(of), _limits(of)]
    if of.is_systems:
        parts += [_account(of), _confinement(of)]
    parts += [_RESTRICTIONS, _install("multi-user.target" if of.is_systems else "default.target")]
    return "\n".join(parts)


def socket(address: str) -> str:
    """The text of `kronk.socket` for an address such as `127.0.0.1:8080`, or the path of a file."""
    return "\n".join(
        [
            "# Bound by systemd and passed to the service: connections that come while the server",
            "# is started again wait here, and are not refused. --api-host is not used then.",
            "[Unit]",
            "Description=Kronk's API",
            "",
            "[Socket]",
            f"ListenStream={address}",
            "",
            _install("sockets.target"),
        ]
    )


def signed(text: str) -> str:
    """The text with a first line by which `is_ours` knows that nobody has changed it."""
    return f"{_MARK}{_digest(text)}\n{text}"


def is_ours(text: str) -> bool:
    """Whether the file is as `signed` made it, and may be written anew."""
    first, _, rest = text.partition("\n")
    return first == f"{_MARK}{_digest(rest)}"


def quoted(argument: str) -> str:
    """An argument of `ExecStart=` that systemd reads back as it was."""
    plain = argument.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    if not plain or any(character in plain for character in " \t\"'\\;"):
        return '"' + plain.replace('"', '\\"') + '"'
    return plain


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _unit() -> str:
    return """\
[Unit]
Description=Kronk model server
After=network.target
# A server that cannot come up is given up on after so many attempts.
StartLimitIntervalSec=5min
StartLimitBurst=5
"""


def _running(of: Installation) -> str:
    command, base = quoted(str(of.command)), quoted(f"--base-path={of.base}")
    flags = "".join(f" {quoted(flag)}" for flag in of.flags)
    return f"""\
[Service]
# Started once the API answers. The status line is Kronk's own.
Type=notify
# For KRONK_HF_TOKEN and the like: this unit is everybody's to read, that file need not be.
EnvironmentFile=-{of.secrets}
ExecStart={command} server start {base}{flags}
# Says what is wrong with a configuration, and fails: the old one stays in force then.
ExecReload={command} server reload {base}
Restart=on-failure
RestartSec=2
# {"; ".join(f"{code}: {exits.MEANING[code]}" for code in _NO_RESTART)}.
RestartPreventExitStatus={" ".join(map(str, _NO_RESTART))}
TimeoutStartSec=2min
# Fed as long as the gateway answers the supervisor, and the supervisor hears it.
WatchdogSec=2min
"""


def _ending(of: Installation) -> str:
    timeout = of.shutdown_timeout
    limit = f"{round(timeout) + _STOP_GRACE}s" if timeout else "infinity"
    return f"""\
# Only the supervisor is asked to stop: it lets running answers end, for as long as
# --shutdown-timeout says, and ends the other processes. What is left is killed.
KillMode=mixed
TimeoutStopSec={limit}
# When memory runs out the kernel ends one worker. Its model is loaded again; the others go on.
OOMPolicy=continue
Delegate=yes
"""


def _limits(of: Installation) -> str:
    lines = [
        "# A connection is a descriptor, and a model with many parts is several.",
        "LimitNOFILE=65536",
        "# A core of a worker is as large as its model.",
        "LimitCORE=0",
    ]
    if of.is_systems:
        lines += ["# For models with `use_mlock`.", "LimitMEMLOCK=infinity"]
    return "\n".join([*lines, ""])


def _account(of: Installation) -> str:
    # A fixed user: models are put there by people, and may be a terabyte to change the owner of.
    lines = [f"User={of.run_as}", f"Group={of.run_as}", "UMask=0027"]
    if of.base.parent == STATE:
        lines += [f"StateDirectory={of.base.name}", "StateDirectoryMode=0750"]
    else:
        lines.append(f"ReadWritePaths={quoted(str(of.base))}")
    if of.models is not None:
        lines.append(f"ReadWritePaths={quoted(str(of.models))}")
    return "\n".join([*lines, ""])


def _paths(of: Installation) -> tuple[Path, ...]:
    models = () if of.models is None else (of.models,)
    return (of.command, of.base, *models, *of.reads)


def _confinement(of: Installation) -> str:
    needs_home = any(path.is_relative_to(home) for path in _paths(of) for home in _HOMES)
    home = "read-only" if needs_home else "yes"
    return f"""\
# All is read-only but its own folder.
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=yes
# No devices but those of GPUs. Where they belong to a group, a drop-in has to name it:
# SupplementaryGroups=render video
DevicePolicy=closed
DeviceAllow=char-nvidia* rw
DeviceAllow=char-drm rw
DeviceAllow=char-kfd rw
CapabilityBoundingSet=
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
KeyringMode=private
"""


# Those that a user's own manager can enforce too.
_RESTRICTIONS = """\
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
# The latter are what workers confine themselves with, more than a unit can.
SystemCallFilter=@system-service
SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp
SystemCallErrorNumber=EPERM
"""


def _install(target: str) -> str:
    return f"[Install]\nWantedBy={target}\n"
