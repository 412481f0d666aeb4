"""What a worker gives up: which files are granted, which system calls are refused, and both tried
in a process that did."""

from __future__ import annotations

import errno
import json
import resource
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronk.shared.confinement import (
    MEASURES,
    NEEDED,
    NO_CAPABILITIES,
    NO_CORES,
    NO_NETWORK,
    NO_PROGRAMS,
    OWN_FILES,
)
from kronk.shared.wire.loading import (
    AdapterSpec,
    CacheSpec,
    LoadSpec,
    SpeculationSpec,
    TemplateSpec,
)
from kronk.worker.sandbox import confine, kernel, policy
from kronk.worker.sandbox.confine import Sandbox
from kronk.worker.sandbox.filter import LOCAL, MACHINES, REMOTE, Machine, program
from kronk.worker.sandbox.landlock import DEVICE, KEEP, READ, Grant, Right, handled, usable

ALLOW = "allow"
X86 = MACHINES["x86_64"]
both = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


def verdict(steps: bytes, number: int, argument: int = 0, audit: int = X86.audit) -> str | int:
    """Run a filter as the kernel does: `ALLOW`, or the number of the error."""
    data = struct.pack("<IIQ6Q", number, audit, 0, argument, 0, 0, 0, 0, 0)
    at, word = 0, 0
    while True:
        code, yes, no, value = struct.unpack_from("=HBBI", steps, 8 * at)
        at += 1
        match code:
            case 0x20:
                (word,) = struct.unpack_from("<I", data, value)
            case 0x05:
                at += value
            case 0x15:
                at += yes if word == value else no
            case 0x35:
                at += yes if word >= value else no
            case 0x45:
                at += yes if word & value else no
            case 0x06:
                return ALLOW if value == 0x7FFF0000 else value & 0xFFFF
            case _:
                raise AssertionError(f"step {at - 1} has code {code:#x}")


# x86-64's numbers: read, mmap, futex, connect, clock_nanosleep, openat, prctl, exit_group.
@pytest.mark.parametrize("number", [0, 9, 202, 42, 230, 257, 157, 231])
def test_what_a_worker_does_all_day_is_allowed(number: int) -> None:
    assert verdict(program(X86, LOCAL), number) == ALLOW


@both
def test_every_call_of_the_list_is_refused(machine: Machine) -> None:
    steps = program(machine, LOCAL)
    for number in machine.refused:
        assert verdict(steps, number, audit=machine.audit) == errno.EPERM


@both
@pytest.mark.parametrize(
    ("families", "family", "expected"),
    [
        (LOCAL, socket.AF_UNIX, ALLOW),
        (LOCAL, socket.AF_INET, errno.EACCES),
        (LOCAL, socket.AF_INET6, errno.EACCES),
        (LOCAL, socket.AF_NETLINK, errno.EACCES),
        (LOCAL, socket.AF_PACKET, errno.EACCES),
        (REMOTE, socket.AF_INET, ALLOW),
        (REMOTE, socket.AF_INET6, ALLOW),
        (REMOTE, socket.AF_PACKET, errno.EACCES),
        (REMOTE, socket.AF_VSOCK, errno.EACCES),
    ],
)
def test_only_sockets_of_its_own_kind_can_be_made(
    machine: Machine, families: tuple[int, ...], family: int, expected: str | int
) -> None:
    steps = program(machine, families)
    assert verdict(steps, machine.socket, int(family), machine.audit) == expected


@both
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        # As pthread_create calls it, as fork does, and for a namespace of its own.
        (0x003D0F00, ALLOW),
        (0x01200011, errno.EPERM),
        (0x10000000, errno.EPERM),
    ],
)
def test_threads_may_be_started_and_processes_not(
    machine: Machine, flags: int, expected: str | int
) -> None:
    steps = program(machine, LOCAL)
    assert verdict(steps, machine.clone, flags, machine.audit) == expected
    # With this answer the C library falls back on `clone`, whose flags can be looked at.
    assert verdict(steps, 435, 0, machine.audit) == errno.ENOSYS


def test_calls_by_the_numbers_of_another_interface_are_refused() -> None:
    steps = program(X86, LOCAL)
    assert verdict(steps, 11, audit=0x40000003) == errno.ENOSYS
    assert verdict(steps, 0x40000000 | 59) == errno.ENOSYS


@pytest.mark.parametrize(
    ("abi", "without"),
    [
        (1, Right.REFER | Right.TRUNCATE | Right.IOCTL_DEV),
        (2, Right.TRUNCATE | Right.IOCTL_DEV),
        (4, Right.IOCTL_DEV),
        (7, Right(0)),
    ],
)
def test_an_older_kernel_is_asked_for_what_it_knows(abi: int, without: Right) -> None:
    assert handled(abi) & without == Right(0)
    assert handled(abi) | without == handled(7)
    for rights in (READ, KEEP, DEVICE):
        assert usable(Grant(Path("/x"), rights), abi, is_folder=True) & ~handled(abi) == Right(0)


def test_a_grant_over_a_file_says_nothing_of_folders() -> None:
    grant = Grant(Path("/x"), KEEP | DEVICE)
    file = Right.READ_FILE | Right.WRITE_FILE | Right.TRUNCATE | Right.IOCTL_DEV
    assert usable(grant, 7, is_folder=False) == file


def test_nothing_may_be_executed() -> None:
    spec = LoadSpec("m", "/models/m.gguf")
    layers = (policy.from_start(Path("/cache")), policy.of_messages(), policy.of_load(spec))
    assert not any(grant.rights & Right.EXECUTE for layer in layers for grant in layer)


def test_a_load_is_granted_every_file_it_names_and_its_own_cache() -> None:
    spec = LoadSpec(
        "m",
        "/models/m.gguf",
        projector="/p/mmproj.gguf",
        cache=CacheSpec(directory="/base/cache/m"),
        speculation=SpeculationSpec(mode="draft", draft_path="/d/draft.gguf"),
        template=TemplateSpec(path="/t/mine.jinja"),
        adapters=(AdapterSpec("/a/one.gguf"), AdapterSpec("/a/two.gguf", 0.5)),
    )
    layer = policy.of_load(spec)
    named = {
        *("/models/m.gguf", "/p/mmproj.gguf", "/d/draft.gguf", "/t/mine.jinja"),
        *("/a/one.gguf", "/a/two.gguf"),
    }
    assert named <= {str(grant.path) for grant in layer if grant.rights == READ}
    written = {str(grant.path) for grant in layer if Right.MAKE_REG in grant.rights}
    assert written == {"/base/cache/m"}


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("/m/Big.gguf", ["/m/Big.gguf"]),
        (
            "/m/Big-00001-of-00003.gguf",
            [f"/m/Big-0000{number}-of-00003.gguf" for number in (1, 2, 3)],
        ),
        ("/m/Big-00002-of-00003.gguf", ["/m/Big-00002-of-00003.gguf"]),
    ],
)
def test_a_split_model_is_all_of_its_files(first: str, expected: list[str]) -> None:
    assert [str(path) for path in policy.shards(Path(first))] == expected


def test_a_name_that_claims_a_hundred_thousand_files_is_granted_a_thousand() -> None:
    assert len(policy.shards(Path("/m/Big-00001-of-99999.gguf"))) == 1000


def test_no_layer_but_the_first_grants_the_root_or_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, "/", "", "relative", "/home", str(Path.home())])
    granted = {str(grant.path) for grant in policy.of_messages()}
    assert not granted & {"/", "/home", "/root", "/etc", "/dev", "/tmp", ".", "relative"}


@pytest.fixture
def old_kernel(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A kernel of which nothing is asked in earnest; the names of what it lacks are to be set."""
    lacks: list[str] = []

    def called(name: str) -> Callable[..., int]:
        def call(*_: Any, **__: Any) -> int:
            if name in lacks:
                raise OSError(errno.ENOSYS, "Function not implemented")
            return 0

        return call

    for name in ("no_new_privileges", "drop_capabilities", "filter_calls", "restrict"):
        monkeypatch.setattr(kernel, name, called(name))
    monkeypatch.setattr(confine, "_limit", called("limits"))
    monkeypatch.setattr(resource, "setrlimit", called("never lacking"))
    return lacks


@pytest.mark.parametrize(
    ("lacks", "missing"),
    [
        ([], set()),
        (["restrict"], {OWN_FILES}),
        (["filter_calls"], {NO_PROGRAMS, NO_NETWORK}),
        (["drop_capabilities", "limits"], {NO_CAPABILITIES, NO_CORES}),
        # Neither of the others may be had without it.
        (
            ["no_new_privileges", "filter_calls", "restrict"],
            set(MEASURES) - {NO_CAPABILITIES, NO_CORES},
        ),
    ],
)
def test_what_a_kernel_lacks_is_told_and_the_rest_holds(
    old_kernel: list[str], lacks: list[str], missing: set[str], tmp_path: Path
) -> None:
    old_kernel += lacks
    sandbox = Sandbox()
    sandbox.enter(policy.from_start(tmp_path))
    assert OWN_FILES not in sandbox.measures
    assert sandbox.apart(lambda: "made") == "made"
    sandbox.narrow(LoadSpec("m", "/models/m.gguf", cache=CacheSpec(directory=str(tmp_path / "c"))))
    assert set(sandbox.measures) == set(MEASURES) - missing
    assert set(sandbox.missing) == missing - {NO_NETWORK}


@pytest.mark.parametrize("limit", ["-c 0", "-n 256", "-l 64"])
def test_limits_that_are_low_already_stay_so(limit: str) -> None:
    probe = f"ulimit {limit} && exec {sys.executable} -P -m kronk.worker.sandbox.probe"
    done = subprocess.run(
        ["sh", "-c", probe], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert NO_CORES in json.loads(done.stdout)["measures"]


def test_a_worker_of_another_host_keeps_what_it_dials_in_by(
    old_kernel: list[str], tmp_path: Path
) -> None:
    sandbox = Sandbox()
    sandbox.enter(policy.from_start(tmp_path), is_remote=True)
    sandbox.narrow(LoadSpec("m", "/models/m.gguf"))
    assert set(sandbox.measures) == set(MEASURES) - {NO_NETWORK}


@pytest.fixture(scope="module")
def probed() -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "kronk.worker.sandbox.probe"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_confined_process_has_lost_its_privileges(probed: dict[str, Any]) -> None:
    status = probed["status"]
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_a_confined_process_can_do_what_it_needs_and_nothing_else(probed: dict[str, Any]) -> None:
    if probed["landlock"] < 1:
        pytest.skip("this kernel has no Landlock")
    assert (tuple(probed["measures"]), probed["missing"]) == (MEASURES, {})
    done = {what for what, outcome in probed["tried"].items() if outcome == "done"}
    assert done == set(NEEDED)
