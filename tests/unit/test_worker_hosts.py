"""The file of worker hosts and their tokens: what is read back, and what a bad one is told."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from kronk.shared import worker_hosts
from kronk.shared.errors import InvalidArgument
from kronk.shared.paths import BasePath
from kronk.shared.wire import curve
from kronk.shared.worker_hosts import KnownHosts, WorkerHost, WorkerHosts

KEY = "k" * 40


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    return BasePath(tmp_path)


def test_what_is_saved_is_read_back(base: BasePath) -> None:
    hosts = WorkerHosts(lost_after=7.0, hosts={"gpu1": WorkerHost("gpu1", KEY, 3)})
    worker_hosts.save(base, hosts)
    assert worker_hosts.load(base) == hosts


def test_without_a_file_there_are_no_hosts(base: BasePath) -> None:
    assert worker_hosts.load(base).hosts == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "while parsing"),
        ("- a", "expected keys with values"),
        ("host: a", "unknown key host"),
        ("provisioner: ray", "expected static, got 'ray'"),
        ("control: localhost:1", "control: expected tcp://host:port, got 'localhost:1'"),
        ("data: tcp://a:70000", "data: expected tcp://host:port"),
        ("lost_after: 5", "lost_after: expected a duration"),
        ("lost_after: 5m", "lost_after: expected 1s to 60s"),
        ("workers: [a]", "workers: expected names"),
        ("workers: {local: {}}", "'local' is no name"),
        ("workers: {Big One: {}}", "'Big One' is no name"),
        ("workers: {a: {key: x}}", "workers.a.key: expected 40 characters"),
        (f"workers: {{a: {{key: {KEY}, models: 0}}}}", "workers.a.models: expected 1 to 256"),
        (f"workers: {{a: {{key: {KEY}, port: 1}}}}", "workers.a: expected `key` and `models`"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_fault(
    base: BasePath, text: str, complaint: str
) -> None:
    base.workers_file.write_text(text)
    with pytest.raises(InvalidArgument) as refused:
        worker_hosts.load(base)
    assert str(base.workers_file) in refused.value.message
    assert complaint in refused.value.message


def test_a_changed_file_is_read_again_and_a_spoilt_one_changes_nothing(base: BasePath) -> None:
    known = KnownHosts(base)
    assert known.now().name_of(KEY) is None
    one = WorkerHosts(hosts={"gpu1": WorkerHost("gpu1", KEY)})
    worker_hosts.save(base, one)
    assert known.now().name_of(KEY) == "gpu1"
    base.workers_file.write_text("workers: nonsense")
    assert known.now().name_of(KEY) == "gpu1"
    worker_hosts.save(base, replace(one, hosts={}))
    assert known.now().name_of(KEY) is None


def test_the_servers_secret_is_made_once_and_for_its_owner_only(base: BasePath) -> None:
    assert worker_hosts.server_secret(base) is None
    made = worker_hosts.server_secret(base, make=True)
    assert made is not None
    assert worker_hosts.server_secret(base, make=True) == made
    assert stat.S_IMODE((base.keys / "workers.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(base.keys.stat().st_mode) == 0o700


def test_a_token_is_read_back_and_has_no_secret_of_the_server() -> None:
    server = curve.new_secret()
    token = curve.new_token("gpu1", server)
    assert curve.parse_token(token.text()) == token
    assert token.server == curve.public_of(server)
    assert token.public == curve.public_of(token.secret)
    assert token.secret != server


@pytest.mark.parametrize("text", ["", "gpu1", "kronk-worker-1-", "kronk-worker-1-####", "a" * 120])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="--token: expected what `kronk worker add` printed"):
        curve.parse_token(text)
