"""What is taken out of an archive, and which archives are refused."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from kronk.shared.libraries import unpack
from kronk.shared.models.fetching import WrongContent

Entry = tuple[str, bytes | str | tarfile.TarInfo]


def quiet(phase: str, done: int, total: int | None) -> None:
    """Nobody watches."""


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def tar(path: Path, entries: list[Entry]) -> Path:
    """Bytes are a file, a text is what a symbolic link leads to."""
    with tarfile.open(path, "w:gz") as archive:
        for name, what in entries:
            if isinstance(what, tarfile.TarInfo):
                archive.addfile(what)
            elif isinstance(what, str):
                archive.addfile(special(name, tarfile.SYMTYPE, what))
            else:
                info = tarfile.TarInfo(name)
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
    return path


GOOD: list[Entry] = [
    ("llama-b1/libllama.so.0.5.0", b"llama"),
    ("llama-b1/libllama.so.0", "libllama.so.0.5.0"),
    ("llama-b1/libllama.so", "libllama.so.0"),
    ("llama-b1/libggml-cpu-haswell.so", b"cpu"),
    ("llama-b1/LICENSE", b"MIT"),
    ("llama-b1/llama-server", b"a program"),
    ("llama-b1/sub/libother.so", b"elsewhere"),
]


def test_of_a_release_the_libraries_and_the_licence_are_taken(tmp_path: Path) -> None:
    archive, into = tar(tmp_path / "a.tar.gz", GOOD), tmp_path / "into"
    into.mkdir()
    names = unpack.unpack(archive, into, quiet)
    assert names == ["libggml-cpu-haswell.so", "libllama.so", "libllama.so.0", "libllama.so.0.5.0"]
    assert sorted(os.listdir(into)) == ["LICENSE", *names]
    assert (into / "libllama.so").read_bytes() == b"llama"
    assert os.readlink(into / "libllama.so") == "libllama.so.0"
    assert stat.S_IMODE((into / "libllama.so.0.5.0").stat().st_mode) == 0o644


def test_a_folder_is_read_as_an_archive_is(tmp_path: Path) -> None:
    lib, into = tmp_path / "own/build/bin", tmp_path / "into"
    lib.mkdir(parents=True)
    into.mkdir()
    (lib / "libllama.so.0").write_bytes(b"llama")
    (lib / "libllama.so").symlink_to("libllama.so.0")
    (lib / "test-it").write_bytes(b"a program")
    assert unpack.gather(tmp_path / "own", into, quiet) == ["libllama.so", "libllama.so.0"]
    with pytest.raises(WrongContent, match="no libllama"):
        unpack.gather(tmp_path, into, quiet)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("../libevil.so", b"x"), "leads out of the archive"),
        (("llama-b1/../../libevil.so", b"x"), "leads out of the archive"),
        (("/etc/libevil.so", b"x"), "leads out of the archive"),
        (("llama-b1/C:\\libevil.so", b"x"), "leads out of the archive"),
        (("llama-b1/libevil.so", "/etc/passwd"), "no file beside it"),
        (("llama-b1/libevil.so", "../libevil.so"), "no file beside it"),
        (("llama-b1/libevil.so", "libevil.so"), "no file beside it"),
        (("llama-b1/libevil.so", "llama-server"), "no file beside it"),
        (("", special("llama-b1/libevil.so", tarfile.LNKTYPE, "llama-b1/LICENSE")), "neither"),
        (("", special("llama-b1/libevil.so", tarfile.FIFOTYPE)), "neither"),
        (("", special("llama-b1/libevil.so", tarfile.CHRTYPE)), "neither"),
        (("llama-b1/LICENSE", b"another"), "twice"),
        (("other/libllama.so", b"x"), "has 2 libllama"),
    ],
)
def test_an_archive_that_is_not_what_it_should_be_is_refused(
    tmp_path: Path, more: Entry, words: str
) -> None:
    into = tmp_path / "deep/into"
    into.mkdir(parents=True)
    archive = tar(tmp_path / "a.tar.gz", [*GOOD, more])
    with pytest.raises(WrongContent, match=words):
        unpack.unpack(archive, into, quiet)
    assert not list(tmp_path.rglob("*evil*"))


def test_an_archive_without_llama_cpp_is_refused(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar.gz", [("a/libggml.so", b"x")])
    with pytest.raises(WrongContent, match="has no libllama"):
        unpack.unpack(archive, tmp_path, quiet)


def test_one_that_grows_beyond_what_a_build_can_be_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MOST_BYTES", 1000)
    archive = tar(tmp_path / "a.tar.gz", [("a/libllama.so", bytes(100_000))])
    assert archive.stat().st_size < 1000
    with pytest.raises(WrongContent, match="larger than 1000 bytes"):
        unpack.unpack(archive, tmp_path, quiet)


def test_one_with_too_many_entries_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MOST_ENTRIES", len(GOOD) - 1)
    with pytest.raises(WrongContent, match="more than 6 entries"):
        unpack.unpack(tar(tmp_path / "a.tar.gz", GOOD), tmp_path, quiet)


@pytest.mark.parametrize("damage", ["cut", "flipped", "page"])
def test_a_damaged_archive_is_said_to_be_one(tmp_path: Path, damage: str) -> None:
    archive, into = tmp_path / "a.tar.gz", tmp_path / "into"
    into.mkdir()
    good = tar(archive, [("a/libllama.so", os.urandom(50_000))]).read_bytes()
    archive.write_bytes(
        {
            "cut": good[:30_000],
            "flipped": good[:30_000] + bytes(1000) + good[31_000:],
            "page": b"<html>please log in</html>",
        }[damage]
    )
    with pytest.raises(WrongContent, match=r"damaged|neither a tar archive"):
        unpack.unpack(archive, into, quiet)


def zipped(path: Path, entries: dict[str, bytes], link: tuple[str, str] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        if link is not None:
            info = zipfile.ZipInfo(link[0])
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, link[1])
    return path


def test_a_zip_is_read_too(tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    archive = zipped(
        tmp_path / "a.zip", {"llama.dll": b"x", "llama-server.exe": b"y"}, ("ggml.dll", "llama.dll")
    )
    assert unpack.unpack(archive, into, quiet) == ["ggml.dll", "llama.dll"]


@pytest.mark.parametrize(
    ("entries", "link", "words"),
    [
        ({"llama.dll": b"x", "../evil.dll": b"y"}, None, "leads out"),
        ({"llama.dll": b"x"}, ("evil.dll", "/etc/passwd"), "no file beside it"),
        ({"llama.dll": b"x"}, ("evil.dll", "a" * 300), "too long a name"),
    ],
)
def test_a_zip_leads_nowhere_either(
    tmp_path: Path, entries: dict[str, bytes], link: tuple[str, str] | None, words: str
) -> None:
    with pytest.raises(WrongContent, match=words):
        unpack.unpack(zipped(tmp_path / "a.zip", entries, link), tmp_path, quiet)


def test_the_libraries_of_cuda_need_no_llama_cpp(tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    archive = tar(
        tmp_path / "a.tar.gz", [("libcudart.so.12", b"cudart"), ("x/libcublas.so.12", b"c")]
    )
    names = unpack.unpack(archive, into, quiet, needs_main=False)
    assert names == ["libcublas.so.12", "libcudart.so.12"]
