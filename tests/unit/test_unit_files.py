"""The systemd units: what is in them, what systemd says of them, and how they are installed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from kronk.cli import service, unit
from kronk.cli.service import Wish
from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.settings import resolve

DEPLOY = Path(__file__).parents[2] / "deploy"
REFERENCE = unit.Installation(Path("/opt/kronk/.venv/bin/kronk"), Path("/var/lib/kronk"))
# What `systemd-analyze security` may find at most, of 10. What is left open is on purpose: the
# network, GPUs, and a cgroup of its own.
MOST_EXPOSED = 2.5

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze"
)


def values(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def without_head(text: str) -> str:
    return text[text.index("[Unit]") :]


def test_the_files_in_deploy_are_what_is_installed_elsewhere() -> None:
    assert without_head((DEPLOY / "kronk.service").read_text()) == unit.service(REFERENCE)
    assert (DEPLOY / "kronk.socket").read_text() == unit.socket("127.0.0.1:8080")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def placed(folder: Path, of: unit.Installation) -> list[str]:
    """Both units, for commands that are there: systemd looks for them."""
    # Not ours, but there.
    text = unit.service(of).replace(str(of.command), "/bin/true")
    (folder / "kronk.service").write_text(text)
    (folder / "kronk.socket").write_text(unit.socket("127.0.0.1:8080"))
    return [str(folder / "kronk.service"), str(folder / "kronk.socket")]


@needs_systemd
@pytest.mark.parametrize(
    "of",
    [
        REFERENCE,
        unit.Installation(Path("/home/me/kronk/.venv/bin/kronk"), Path("/srv/big disk/100%")),
        unit.Installation(REFERENCE.command, REFERENCE.base, ('--cors-allowed-origins=a $b "c',)),
        unit.Installation(REFERENCE.command, REFERENCE.base, shutdown_timeout=0.0),
    ],
)
def test_systemd_has_nothing_to_say_against_the_systems_units(
    of: unit.Installation, tmp_path: Path
) -> None:
    done = analyze("verify", *placed(tmp_path, of))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_systemd_has_nothing_to_say_against_a_users_units(tmp_path: Path) -> None:
    of = unit.Installation(REFERENCE.command, Path("/home/me/.kronk"), run_as=None)
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "--user", "verify", *placed(tmp_path, of)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_the_service_exposes_little(tmp_path: Path) -> None:
    path, _ = placed(tmp_path, REFERENCE)
    limit = f"--threshold={round(MOST_EXPOSED * 10)}"
    done = analyze("security", "--offline=true", "--no-pager", limit, path)
    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.parametrize(
    "call", ["seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"]
)
def test_workers_may_confine_themselves(call: str) -> None:
    allowed = " ".join(values(unit.service(REFERENCE), "SystemCallFilter")).split()
    assert call in allowed


def test_bad_settings_and_a_second_server_are_not_tried_again() -> None:
    text = unit.service(REFERENCE)
    assert values(text, "RestartPreventExitStatus") == ["2 8"]
    assert values(text, "Restart") == ["on-failure"]


@pytest.mark.parametrize(("timeout", "stop"), [(60.0, "90s"), (600.0, "630s"), (0.0, "infinity")])
def test_systemd_waits_longer_for_a_stop_than_running_answers_may_take(
    timeout: float, stop: str
) -> None:
    of = unit.Installation(REFERENCE.command, REFERENCE.base, shutdown_timeout=timeout)
    assert values(unit.service(of), "TimeoutStopSec") == [stop]


@pytest.mark.parametrize(
    ("command", "base", "home", "writes"),
    [
        ("/opt/kronk/bin/kronk", "/var/lib/kronk", "yes", []),
        ("/opt/kronk/bin/kronk", "/srv/kronk", "yes", ["/srv/kronk"]),
        ("/home/me/kronk/bin/kronk", "/var/lib/kronk", "read-only", []),
        ("/opt/kronk/bin/kronk", "/root/.kronk", "read-only", ["/root/.kronk"]),
    ],
)
def test_the_service_sees_of_homes_what_it_needs(
    command: str, base: str, home: str, writes: list[str]
) -> None:
    text = unit.service(unit.Installation(Path(command), Path(base)))
    assert values(text, "ProtectHome") == [home]
    assert values(text, "ReadWritePaths") == writes
    assert bool(values(text, "StateDirectory")) is not bool(writes)


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("--cache-ttl=5m", "--cache-ttl=5m"),
        ("--base-path=/a b", '"--base-path=/a b"'),
        ("100%", "100%%"),
        ("$HOME", "$$HOME"),
        ('say "x"', '"say \\"x\\""'),
        ("a\\b", '"a\\\\b"'),
        ("a;b", '"a;b"'),
        ("", '""'),
    ],
)
def test_arguments_are_quoted_as_systemd_reads_them(argument: str, text: str) -> None:
    assert unit.quoted(argument) == text


# Installing.

OWN = Wish("kronk", is_users=True, with_socket=False, run_as="kronk")
SYSTEMS = Wish("kronk", is_users=False, with_socket=False, run_as="kronk")
FLAGS: dict[str, str | None] = {}


def test_the_flags_given_and_the_variables_set_become_the_services() -> None:
    flags: dict[str, str | None] = {"cache_ttl": "7m", "model_config_file": "m.yaml"}
    plan = service.plan(SYSTEMS, flags, {"KRONK_MODELS_IN_CACHE": "5", "KRONK_CACHE_TTL": "1m"})
    (path, text), *_ = plan.files.items()
    assert path == Path("/etc/systemd/system/kronk.service")
    (start,) = values(text, "ExecStart")
    given = start.partition(" server start ")[2].split()
    assert given == [
        "--base-path=/var/lib/kronk",
        "--models-in-cache=5",
        "--cache-ttl=7m",
        f"--model-config-file={Path('m.yaml').absolute()}",
    ]
    # They are what `kronk server start` would make of them.
    resolve(
        {flag[2:].partition("=")[0].replace("-", "_"): flag.partition("=")[2] for flag in given}, {}
    )


def test_a_secret_is_not_in_a_file_that_everybody_may_read() -> None:
    plan = service.plan(SYSTEMS, {"hf_token": "hf_abc"}, {})
    (text,) = plan.files.values()
    assert values(text, "EnvironmentFile") == ["-/etc/kronk/environment"]
    assert "hf_abc" not in text + " ".join((*plan.explained, *plan.next))
    assert any("KRONK_HF_TOKEN" in step for step in plan.next)


@pytest.mark.parametrize(("mode", "is_said"), [("open", False), ("protected", True)])
def test_whoever_installs_is_told_where_the_operators_token_will_be(
    mode: str, is_said: bool
) -> None:
    plan = service.plan(SYSTEMS, {"auth_mode": mode}, {})
    assert ("/var/lib/kronk/keys/master.jwt" in " ".join(plan.explained)) == is_said


def test_a_models_folder_elsewhere_can_be_written() -> None:
    plan = service.plan(SYSTEMS, {"models_path": "/data/models"}, {})
    (text,) = plan.files.values()
    assert values(text, "ReadWritePaths") == ["/data/models"]


def test_a_users_service_has_the_users_base_path_and_folder(tmp_path: Path) -> None:
    plan = service.plan(OWN, {"base_path": str(tmp_path)}, {"XDG_CONFIG_HOME": str(tmp_path)})
    (path, text), *_ = plan.files.items()
    assert path == tmp_path / "systemd" / "user" / "kronk.service"
    assert values(text, "User") == values(text, "ProtectSystem") == []
    assert values(text, "WantedBy") == ["default.target"]
    assert any("--user enable --now kronk" in command for command in plan.next)


def test_with_a_socket_systemd_listens_and_the_server_does_not() -> None:
    wish = Wish("kronk", is_users=False, with_socket=True, run_as="kronk")
    plan = service.plan(wish, {"api_host": "0.0.0.0:9000"}, {})
    service_text, socket_text = plan.files.values()
    assert values(socket_text, "ListenStream") == ["0.0.0.0:9000"]
    assert "--api-host" not in service_text
    assert any("kronk.socket kronk" in command for command in plan.next)


@pytest.mark.parametrize(
    ("wish", "flags", "words"),
    [
        (Wish("../x", True, False, "kronk"), {}, "--name"),
        (Wish("kronk", False, False, "a b"), {}, "--run-as"),
        (OWN, {"cache_ttl": "soon"}, "--cache-ttl"),
    ],
)
def test_what_cannot_be_a_service_is_refused(
    wish: Wish, flags: dict[str, str | None], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        service.plan(wish, flags, {})


def test_a_service_of_the_system_is_roots_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    service.check_rights(OWN)
    with pytest.raises(InvalidArgument, match="sudo"):
        service.check_rights(SYSTEMS)


def test_a_unit_is_written_once_and_again_when_it_is_still_ours(tmp_path: Path) -> None:
    path = tmp_path / "systemd" / "kronk.service"
    first, second = (unit.signed(f"[Unit]\nDescription={n}\n") for n in (1, 2))
    assert service.install({path: first}, force=False) == [f"wrote {path}"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert service.install({path: first}, force=False) == [f"{path} is as it should be already"]
    service.install({path: second}, force=False)
    assert path.read_text() == second


@pytest.mark.parametrize("text", ["[Unit]\nmine\n", unit.signed("[Unit]\n") + "# mine\n", ""])
def test_a_unit_that_somebody_has_changed_is_not_replaced_unless_forced(
    text: str, tmp_path: Path
) -> None:
    changed, other = tmp_path / "kronk.socket", tmp_path / "kronk.service"
    changed.write_text(text)
    files = {other: unit.signed("a\n"), changed: unit.signed("b\n")}
    with pytest.raises(Conflict, match=r"kronk\.socket was changed by somebody"):
        service.install(files, force=False)
    assert changed.read_text() == text
    assert not other.exists()
    service.install(files, force=True)
    assert changed.read_text() == files[changed]
