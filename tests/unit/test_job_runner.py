"""Jobs in real processes: what they say is told, and their ends are what their records say."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kronk.gateway.jobs import decisions, process
from kronk.gateway.jobs.records import Event, Fault, Job, State, job_object
from kronk.gateway.jobs.runner import Runner
from kronk.gateway.jobs.secrets import JobSecrets
from kronk.gateway.jobs.store import Jobs
from kronk.shared import settings
from kronk.shared.database import Database
from kronk.shared.errors import Conflict, NotFound
from kronk.shared.jobs.kinds import KINDS, Kind, Param

PATIENCE = 20.0
TOKEN = "hf_not_for_others"
# What the processes run: each function is a job, told by files in the folder `at`.
SAMPLES = '''
import os, pathlib, signal, subprocess, sys, time
from kronk.shared.errors import NotFound, ServerError
from kronk.shared.jobs.kinds import Cancelled

class Unreachable(ServerError):
    code = "fetch_failed"

def run(settings, params, progress):
    at = pathlib.Path(params["at"])
    with (at / "lives").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    (at / "token").write_text(params.get("token", ""))
    return globals()[params["act"]](settings, at, progress)

def succeed(settings, at, progress):
    print("a library that prints")
    for done in range(0, 101, 10):
        progress("download", done, 100)
    return {"token": settings.hf_token is not None, "nice": os.nice(0), "answer": 42}

def hang(settings, at, progress):
    progress("download", 7, 100)
    try:
        time.sleep(60)
    except Cancelled:
        (at / "partial").write_text("kept")
        raise

def be_deaf(settings, at, progress):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (at / "grandchild").write_text(str(child.pid))
    progress("download", 7, 100)
    while True:
        try:
            time.sleep(60)
        except Cancelled:
            pass

def go_on(settings, at, progress):
    """As a download does: from what the last process left."""
    state = at / "done"
    done = int(state.read_text()) if state.exists() else 0
    for done in range(done, 5):
        progress("download", done, 5)
        state.write_text(str(done + 1))
        if done % 2:
            raise Unreachable(f"no line to https://host/x?sig=secret with {settings.hf_token}")
    return {"done": 5}

def refuse(settings, at, progress):
    raise NotFound("there is no such thing")

def die(settings, at, progress):
    os.kill(os.getpid(), signal.SIGKILL)

def be_wrong(settings, at, progress):
    raise ValueError(f"of {settings.hf_token}")

def answer_nonsense(settings, at, progress):
    return {"path": at}
'''
ACT = Kind("act", "job_samples:run", ("at", "act"), "{act}", needs_secrets=True)
OPEN = Kind(
    "open",
    "job_samples:run",
    ("at", "act"),
    "{act}",
    (
        Param("at", required=True),
        Param("act", required=True),
        Param("more", int),
        Param("token", secret=True),
    ),
)


class House:
    """A store and its runner, as in a gateway."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(folder / "base/db")
        self.keys = folder / "base/keys/jobs"
        self.jobs = Jobs(self.database.table("jobs"), JobSecrets(self.keys))
        self.settings = settings.resolve(
            {"base_path": str(folder / "base"), "hf_token": TOKEN, "log_level": "error"}, {}
        )

    async def begin(self, act: str, kind: Kind = ACT, at: str = "files") -> Job:
        folder = self.folder / at
        folder.mkdir(exist_ok=True)
        job, _ = await self.jobs.create(kind, {"at": str(folder), "act": act})
        return job

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(Runner(self.jobs, self.settings).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, job: Job, fits: Callable[[Job], bool]) -> Job:
        """The first word of it that does."""
        async with asyncio.timeout(PATIENCE):
            async for news in self.jobs.board.changes(await self.jobs.get(job.id), 1.0):
                if news is not None and fits(news.job):
                    return news.job
        raise AssertionError(f"it ended otherwise: {await self.jobs.get(job.id)}")

    async def end_of(self, job: Job) -> Job:
        return await self.until(job, lambda job: job.is_over)

    def lives(self, at: str = "files") -> list[int]:
        path = self.folder / at / "lives"
        return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    (tmp_path / "python").mkdir()
    (tmp_path / "python/job_samples.py").write_text(SAMPLES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "python"))
    for kind in (ACT, OPEN):
        monkeypatch.setitem(KINDS, kind.name, kind)
    monkeypatch.setattr(decisions, "_FIRST_WAIT", 0.01)
    return House(tmp_path)


def live(scene: Callable[[House], Awaitable[None]], house: House) -> None:
    """Play it on a loop, as tests here do without a plugin."""

    async def played() -> None:
        try:
            await scene(house)
        finally:
            house.database.close()

    asyncio.run(played())


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while is_alive(pid):  # noqa: ASYNC110 (another process sets no event)
            await asyncio.sleep(0.01)


def is_written(path: Path) -> bool:
    return path.exists() and bool(path.read_text())


async def until_there(path: Path) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_written(path):  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.01)


def test_a_job_is_done_in_a_process_of_its_own_and_says_how_far_it_is(house: House) -> None:
    async def scene(house: House) -> None:
        async with house.running():
            job = await house.end_of(await house.begin("succeed"))
        assert job.state is State.DONE
        assert job.result is not None
        assert job.result["answer"] == 42
        assert job.result["nice"] >= 10
        assert (job.phase, job.done_bytes, job.total_bytes) == ("download", 100, 100)
        assert (job.attempts, job.error, job.eta, job.rate) == (1, None, None, None)
        assert house.lives()[0] != os.getpid()

    live(scene, house)


@pytest.mark.parametrize(("kind", "expected"), [(ACT, True), (OPEN, False)])
def test_only_kinds_that_need_secrets_get_them(house: House, kind: Kind, expected: bool) -> None:
    async def scene(house: House) -> None:
        async with house.running():
            job = await house.end_of(await house.begin("succeed", kind))
        assert job.result is not None
        assert job.result["token"] is expected
        assert TOKEN not in json.dumps(dict(house.database.table("jobs").items()))

    live(scene, house)


def test_a_job_is_taken_up_where_the_last_process_left_it(house: House) -> None:
    async def scene(house: House) -> None:
        async with house.running():
            job = await house.end_of(await house.begin("go_on"))
        assert job.state is State.DONE
        assert job.attempts == len(house.lives()) == 3

    live(scene, house)


@pytest.mark.parametrize(
    ("act", "code", "words", "attempts"),
    [
        ("refuse", "not_found", "there is no such thing", 1),
        ("be_wrong", "internal", "ValueError: of ***", 1),
        ("answer_nonsense", "internal", "TypeError", 1),
        ("die", "job_died", "was ended by SIGKILL", 4),
    ],
)
def test_a_failure_says_why_and_what_cannot_pass_is_tried_once(
    house: House, act: str, code: str, words: str, attempts: int
) -> None:
    async def scene(house: House) -> None:
        async with house.running():
            job = await house.end_of(await house.begin(act))
        assert job.state is State.FAILED
        assert job.error is not None
        assert job.error.code == code
        assert words in job.error.message
        assert TOKEN not in job.error.message
        assert job.attempts == attempts

    live(scene, house)


def test_a_job_that_rests_says_why_and_no_secret_is_in_it(
    house: House, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(decisions, "_FIRST_WAIT", 60.0)

    async def scene(house: House) -> None:
        async with house.running():
            job = await house.begin("go_on")
            resting = await house.until(job, lambda job: job.error is not None)
        assert resting.error is not None
        assert resting.error.message == "no line to https://host/x with ***"
        assert (resting.state, resting.done_bytes) == (State.QUEUED, 1)
        assert TOKEN not in "".join(capfd.readouterr())

    live(scene, house)


def test_cancel_ends_the_process_which_keeps_what_it_has(house: House) -> None:
    async def scene(house: House) -> None:
        async with house.running():
            job = await house.begin("hang")
            await house.until(job, lambda job: job.done_bytes == 7)
            cancelled = await house.jobs.cancel(job.id)
            assert cancelled.state is State.CANCELLED
            (pid,) = house.lives()
            await gone(pid)
            assert (house.folder / "files/partial").read_text() == "kept"
            # Twice is no error, and one that is over may be forgotten.
            assert (await house.jobs.cancel(job.id)).state is State.CANCELLED
            assert (await house.jobs.get(job.id)).done_bytes == 7
            await house.jobs.delete(job.id)
            with pytest.raises(NotFound):
                await house.jobs.get(job.id)

    live(scene, house)


def test_the_next_job_about_the_same_waits_for_the_end_of_a_cancelled_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)

    async def scene(house: House) -> None:
        async with house.running():
            first = await house.begin("be_deaf")
            await house.until(first, lambda job: job.done_bytes == 7)
            await house.jobs.cancel(first.id)
            second = await house.begin("be_deaf")
            assert second.id != first.id
            await house.until(second, lambda job: job.done_bytes == 7)
            # Killed, and what it had started too.
            deaf, _ = house.lives()
            assert not is_alive(deaf)
        for pid in house.lives():
            assert not is_alive(pid)
        await gone(int((house.folder / "files/grandchild").read_text()))

    live(scene, house)


def test_what_is_done_already_is_joined(house: House) -> None:
    async def scene(house: House) -> None:
        params = {"at": str(house.folder), "act": "hang"}
        both = await asyncio.gather(
            *(house.jobs.create(OPEN, params | {"more": n}) for n in (1, 2))
        )
        assert both[0][0].id == both[1][0].id
        assert sorted(joined for _, joined in both) == [False, True]
        with pytest.raises(Conflict, match="cancel it first"):
            await house.jobs.delete(both[0][0].id)
        await house.jobs.cancel(both[0][0].id)
        again, joined = await house.jobs.create(OPEN, params)
        assert (again.id != both[0][0].id, joined) == (True, False)

    live(scene, house)


def test_a_secret_parameter_reaches_the_job_and_is_nowhere_else(house: House) -> None:
    async def scene(house: House) -> None:
        token = house.folder / "token"
        params = {"at": str(house.folder), "act": "hang", "token": "s3cret"}
        job, _ = await house.jobs.create(OPEN, params)
        (file,) = house.keys.iterdir()
        assert (house.keys.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
        (house.keys / "job-of-nobody.json").write_text("{}")
        # A later gateway has it too.
        for attempts in (1, 2):
            async with house.running():
                await until_there(token)
                assert "s3cret" not in str(job_object(await house.jobs.get(job.id)))
            assert token.read_text() == "s3cret"
            token.unlink()
            stored = dict(house.database.table("jobs").items())
            assert stored[job.id]["attempts"] == attempts
            assert "s3cret" not in json.dumps(stored)
        assert list(house.keys.iterdir()) == [file]
        await house.jobs.cancel(job.id)
        assert list(house.keys.iterdir()) == []

    live(scene, house)


def test_a_runner_that_ends_leaves_its_jobs_to_the_next(house: House) -> None:
    async def scene(house: House) -> None:
        job = await house.begin("hang")
        async with house.running():
            await house.until(job, lambda job: job.done_bytes == 7)
        left = await house.jobs.get(job.id)
        assert (left.state, left.failures) == (State.QUEUED, 0)
        assert not is_alive(house.lives()[0])
        async with house.running():
            await house.until(job, lambda job: job.attempts == 2 and job.done_bytes == 7)
            await house.jobs.cancel(job.id)

    live(scene, house)


def test_a_job_that_ran_when_the_server_died_is_begun_again(house: House) -> None:
    async def scene(house: House) -> None:
        job = await house.begin("succeed")
        await house.jobs.advance(job.id, Event.START)
        async with house.running():
            done = await house.end_of(job)
        assert (done.state, done.attempts) == (State.DONE, 2)

    live(scene, house)


def test_a_kind_of_another_version_fails_by_name(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(house: House) -> None:
        job = await house.begin("succeed")
        monkeypatch.delitem(KINDS, ACT.name)
        async with house.running():
            failed = await house.end_of(job)
        assert failed.error is not None
        assert (failed.error.code, "act" in failed.error.message) == ("not_found", True)

    live(scene, house)


def test_a_process_whose_parent_is_gone_ends_with_all_that_it_started(house: House) -> None:
    async def scene(house: House) -> None:
        folder = house.folder / "files"
        folder.mkdir()
        params = {"at": str(folder), "act": "be_deaf"}
        started = await process.JobProcess.start(ACT, params, {}, house.settings)
        async for moved in started.progress(1.0):
            if moved is not None:
                break
        assert started._process.stdin is not None
        started._process.stdin.close()
        await gone(house.lives()[0])
        await gone(int((folder / "grandchild").read_text()))
        assert await started.ended() == process.Failed(
            Fault(decisions.DIED, f"its process was ended by {signal.SIGKILL.name}")
        )

    live(scene, house)


def test_many_watch_one_job_and_leave_as_they_like(house: House) -> None:
    async def scene(house: House) -> None:
        async with house.running():
            job = await house.begin("hang")
            ends = [asyncio.create_task(house.end_of(job)) for _ in range(20)]
            await house.until(job, lambda job: job.done_bytes == 7)
            for task in ends[:10]:
                task.cancel()
            assert (await house.jobs.get(job.id)).state is State.RUNNING
            await house.jobs.cancel(job.id)
            assert {end.state for end in await asyncio.gather(*ends[10:])} == {State.CANCELLED}

    live(scene, house)
