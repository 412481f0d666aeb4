"""What can be checked of the container's files without a container engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kronk.shared.settings import resolve
from kronk.shared.settings_table import SETTINGS
from kronk.shared.units import parse_duration

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "Containerfile"
KNOWN = {
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "STOPSIGNAL",
    "USER", "VOLUME", "WORKDIR",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, lines joined as the builders do."""
    lines = [line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", "", "\n".join(lines))
    found = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in found]


def all_of(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def test_every_instruction_is_one() -> None:
    assert {name for name, _ in instructions()} <= KNOWN
    assert next(iter(instructions()))[0] == "ARG"


@pytest.mark.parametrize("command", all_of("RUN"))
def test_every_step_is_a_shell_command(command: str) -> None:
    done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_engine_is_the_one_that_is_pinned() -> None:
    (code,) = re.findall(r"-c '(import tomllib.*?)'\)", "\n".join(all_of("RUN")))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"llama-cpp-python==[\d.]+\n", done.stdout)


def test_the_compilers_flags_come_from_the_same_place_as_elsewhere() -> None:
    done = subprocess.run(
        [sys.executable, "deploy/llama_flags.py"], cwd=ROOT, capture_output=True, check=True
    )
    subprocess.run(["sh", "-c", 'eval "$1"', "sh", done.stdout], check=True)


@pytest.mark.parametrize("copied", all_of("COPY"))
def test_what_is_copied_is_there(copied: str) -> None:
    *sources, _ = [word for word in copied.split() if not word.startswith("--")]
    if "--from=" not in copied:
        assert all((ROOT / source).exists() for source in sources)


def test_what_an_installation_needs_is_not_left_out_of_the_image() -> None:
    left_out = (ROOT / ".dockerignore").read_text().split()
    packages = {"cli", "deploy", "gateway", "sdk", "shared", "supervisor", "web", "worker"}
    assert not packages & set(left_out)
    assert not {"README.md", "pyproject.toml"} & set(left_out)


def test_the_server_is_run_by_nobody_special_and_asked_to_stop_as_it_understands() -> None:
    (user,), (stop,) = all_of("USER"), all_of("STOPSIGNAL")
    assert (user, stop) == ("kronk", "SIGTERM")
    entry = json.loads(all_of("ENTRYPOINT")[0]) + json.loads(all_of("CMD")[0])
    assert entry == ["kronk", "server", "start"]
    words = " ".join(all_of("ENV")).split()
    given = dict(word.split("=", 1) for word in words if word.startswith("KRONK_"))
    assert set(given) <= {setting.env for setting in SETTINGS}
    settings = resolve({}, given)
    assert str(settings.api_host) == f"0.0.0.0:{all_of('EXPOSE')[0]}"
    assert str(settings.base_path) == all_of("VOLUME")[0]


def test_the_health_check_asks_for_readiness() -> None:
    (check,) = all_of("HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    assert command[:2] == ["python3", "-P"]
    compile(command[-1], "check", "exec")
    assert "/v1/readiness" in command[-1]


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    return document


def test_compose_gives_a_stop_the_time_that_running_answers_have() -> None:
    service = compose()["services"]["kronk"]
    grace = parse_duration(service["stop_grace_period"])
    assert grace >= resolve({}, {}).shutdown_timeout + 15
    assert set(service["environment"]) <= {setting.env for setting in SETTINGS}


def test_compose_builds_this_tree_and_mounts_what_the_image_has() -> None:
    document = compose()
    service = document["services"]["kronk"]
    folder = ROOT / "deploy"
    assert (folder / service["build"]["context"]).resolve() == ROOT
    assert ROOT / service["build"]["dockerfile"] == FILE
    volume, config = service["volumes"]
    assert volume.split(":")[0] in document["volumes"]
    assert volume.split(":")[1] == all_of("VOLUME")[0]
    flag = service["command"][-1]
    inside = flag.removeprefix("--model-config-file=")
    assert Path(inside).parent == Path(config.split(":")[1])
    models = folder / config.split(":")[0] / Path(inside).name
    assert yaml.safe_load(models.read_text()) == {"models": {}}
