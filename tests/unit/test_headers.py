"""Headers are read by a confined process, once for each state of a file; whatever a file does to
that process, only that file is broken."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import proc
from harness.gguf_bytes import STRING, string
from kronk.shared import gguf
from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import Counted, Header, Tensor
from kronk.shared.models import header_reader
from kronk.shared.models.headers import Headers
from kronk.shared.models.index import ModelEntry
from kronk.worker import gguf_file

MODELS = Path(__file__).resolve().parents[1] / "models"
REAL = MODELS / "tiny-chat-q8_0.gguf"
OTHER = MODELS / "tiny-mmproj-f16.gguf"

# A reader that behaves until a file of this name comes, and then does this.
SCRIPTED = """
import json, os, signal, socket, sys, time
asked = socket.socket(fileno=0)
while True:
    line, files, _, _ = socket.recv_fds(asked, 65536, 1)
    if not line:
        break
    name = json.loads(line)["name"]
    if name == "bad.gguf":
        {act}
    asked.sendall(json.dumps({{"fault": name + ": as scripted"}}).encode() + b"\\n")
"""
DEATHS = {
    "killed": ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
    "gone": ("os._exit(3)", "ended with exit code 3"),
    "deaf": ("time.sleep(3600)", "did not answer within"),
    "no JSON": ("asked.sendall(b'}{\\n')", "makes no sense"),
    "nested": ("asked.sendall(b'[' * 100_000 + b'\\n')", "makes no sense"),
    "no header": ('asked.sendall(b\'{"header": {"version": 3}}\\n\')', "makes no sense"),
    "no text": ("asked.sendall(b'\\xff\\xfe\\n')", "makes no sense"),
    "endless": ("exec('while True: asked.sendall(bytes(2**20))')", "makes no sense"),
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were started."""
    pids: list[int] = []

    class Counting(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            pids.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Counting)
    return pids


def script(monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    command = (sys.executable, "-c", SCRIPTED.format(act=act))
    monkeypatch.setattr(header_reader, "COMMAND", command)


def copies(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}.gguf" for number in range(count)]
    for path in paths:
        path.symlink_to(REAL)
    return paths


def test_what_comes_back_is_what_was_read(tmp_path: Path) -> None:
    files = sorted(MODELS.glob("*.gguf"))
    found = dict(Headers(tmp_path / "headers").read_all(files))
    assert found == {path: gguf_file.read(path) for path in files}


def test_a_file_is_read_once_in_each_of_its_states(
    tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(REAL.read_bytes())
    first = Headers(tmp_path / "headers")
    header = first.read(path)
    assert first.read(path) is header
    # After a restart.
    assert Headers(tmp_path / "headers").read(path) == header
    assert len(started) == 1
    os.utime(path, ns=(1, 1))
    assert first.read(path) == header
    assert len(started) == 2


def test_a_hundred_models_take_few_processes(tmp_path: Path, started: list[int]) -> None:
    answers = list(Headers(tmp_path / "headers").read_all(copies(tmp_path, 100)))
    assert len(started) == 2
    assert all(isinstance(answer, Header) for _, answer in answers)
    assert list(Headers(tmp_path / "headers").read_all(path for path, _ in answers)) == answers
    assert len(started) == 2


def test_what_is_wrong_with_a_file_is_said_and_remembered(
    tmp_path: Path, started: list[int]
) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes(REAL.read_bytes()[:5000])
    with pytest.raises(InvalidArgument) as expected:
        gguf_file.read(path)
    for _ in range(2):
        with pytest.raises(InvalidArgument) as caught:
            Headers(tmp_path / "headers").read(path)
        assert caught.value.message == expected.value.message
    assert len(started) == 1


@pytest.mark.parametrize("name", ["gone.gguf", "folder.gguf", "pipe.gguf"])
def test_what_is_no_file_starts_nothing(tmp_path: Path, started: list[int], name: str) -> None:
    (tmp_path / "folder.gguf").mkdir()
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(InvalidArgument, match=name):
        Headers(None).read(tmp_path / name)
    assert started == []


@pytest.mark.parametrize("damage", [b"", b"{", b"[1, 2]\n{}", b"\xff\xfe", b"[]\n" + b"[" * 99_999])
def test_a_damaged_entry_of_the_cache_is_read_again(tmp_path: Path, damage: bytes) -> None:
    folder = tmp_path / "headers"
    header = Headers(folder).read(REAL)
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage)
    assert Headers(folder).fault(REAL) is None
    assert Headers(folder).read(REAL) == header
    assert entry.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Headers(tmp_path / "file" / "headers").read(REAL) == gguf_file.read(REAL)


@pytest.mark.parametrize("death", DEATHS)
def test_a_file_that_ends_its_reader_is_broken_and_no_other(
    tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch, death: str
) -> None:
    act, words = DEATHS[death]
    script(monkeypatch, act)
    monkeypatch.setattr(header_reader, "ANSWER_WITHIN", 2.0)
    paths = [tmp_path / name for name in ("a.gguf", "bad.gguf", "z.gguf")]
    for path in paths:
        path.write_bytes(b"GGUF")
    headers = Headers(tmp_path / "headers")
    answers = [answer for _, answer in headers.read_all(paths)]
    assert all(isinstance(answer, InvalidArgument) for answer in answers)
    before, died, after = (str(answer) for answer in answers)
    assert (before, after) == ("a.gguf: as scripted", "z.gguf: as scripted")
    assert died.startswith("bad.gguf: its header cannot be read")
    assert words in died
    assert headers.fault(paths[1]) == died
    assert len(started) == 2
    # Not tried again, and nothing is left of it.
    list(headers.read_all(paths))
    assert len(started) == 2
    assert not [pid for pid in started if proc.find(pid)]


def test_a_reader_that_cannot_be_started_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_reader, "COMMAND", (str(tmp_path / "nothing"),))
    with pytest.raises(InvalidArgument, match="cannot be started"):
        Headers(None).read(REAL)


def test_no_damage_to_a_file_ends_the_reader(tmp_path: Path) -> None:
    dice, whole = random.Random(5), REAL.read_bytes()[: gguf_file.read(REAL).data_offset]
    paths = [tmp_path / f"{number}.gguf" for number in range(60)]
    for path in paths:
        data = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            at = dice.randrange(len(data))
            data[at : at + 8] = dice.choice((b"\xff" * 8, bytes(8), dice.randbytes(8), b""))
        path.write_bytes(data[: dice.choice((len(data), dice.randrange(len(data))))])
    for path, answer in Headers(None).read_all(paths):
        try:
            expected: Header | str = gguf_file.read(path)
        except InvalidArgument as error:
            expected = error.message
        assert (answer.message if isinstance(answer, InvalidArgument) else answer) == expected


def test_a_header_of_many_long_texts_is_refused_and_one_long_text_is_counted(
    tmp_path: Path,
) -> None:
    def entry(name: str, size: int) -> bytes:
        return string(name) + struct.pack("<IQ", STRING, size) + b"x" * size

    def write(name: str, *entries: bytes) -> Path:
        head = struct.pack("<4sIQQ", b"GGUF", 3, 0, len(entries))
        (tmp_path / name).write_bytes(head + b"".join(entries))
        return tmp_path / name

    one = write("one.gguf", entry("a", 2**21), entry("b", 10))
    assert Headers(None).read(one).metadata == {"a": Counted("character", 2**21), "b": "x" * 10}
    many = write("many.gguf", *(entry(f"k{number}", 2**20) for number in range(17)))
    with pytest.raises(InvalidArgument, match="too long to be told"):
        Headers(None).read(many)


def test_a_list_says_what_is_known_of_its_files(tmp_path: Path) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes(REAL.read_bytes()[:5000])
    headers = Headers(tmp_path / "headers")
    entries = [ModelEntry(p.stem, p, 1, 1, True, None) for p in (path, REAL)]
    assert headers.judged(entries) == entries
    list(headers.read_all(entry.path for entry in entries))
    for known in (headers, Headers(tmp_path / "headers")):
        broken, good = known.judged(entries)
        assert (broken.validated, good) == (False, entries[1])
        assert "the file ends at byte 5000" in str(broken.reason)


def test_the_reader_is_confined(tmp_path: Path) -> None:
    with header_reader.HeaderReader() as reader:
        reader.read(REAL)
        assert reader._process is not None
        lines = Path(f"/proc/{reader._process.pid}/status").read_text().splitlines()
    status = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(status["CapEff"], 16) == 0


texts = st.text(max_size=20)
counts = st.integers(0, 2**64 - 1)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.booleans()
values = (
    texts | numbers | st.lists(numbers, max_size=5).map(tuple) | st.builds(Counted, texts, counts)
)
tensors = st.builds(
    Tensor, texts, st.lists(counts, max_size=4).map(tuple), texts, offset=counts, size_bytes=counts
)
headers = st.builds(
    Header,
    st.sampled_from((2, 3)),
    st.dictionaries(texts, values, max_size=5),
    st.lists(tensors, max_size=5).map(tuple),
    counts,
    counts,
)
anything = st.recursive(
    st.none() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)


@given(headers)
def test_a_header_survives_the_way_between_processes(header: Header) -> None:
    assert gguf.from_json(json.loads(json.dumps(gguf.to_json(header)))) == header


@given(anything, st.sampled_from(("version", "metadata", "tensors", "data_offset", "file_size")))
def test_no_answer_but_a_header_is_taken_for_one(other: Any, field: str) -> None:
    whole = gguf.to_json(Header(3, {"a": 1}, (Tensor("t", (8,), "f32", 0, 32),), 64, 96))
    for answer in (other, whole | {field: other}):
        try:
            found = gguf.from_json(answer)
        except ValueError:
            continue
        assert isinstance(found, Header)
