"""Files: the old one or the new one, on a full disk and after a kill."""

import errno
import os
import subprocess

import pytest
import torch
from worlds import contents, files_of_at_most

from labkd import tensors
from labkd.files import (
    atomic_write,
    one_line,
    read_json,
    read_made,
    reading,
    remove,
)
from labkd.lab import checkpoints, store

LARGE = torch.zeros(50_000)


WRITERS = {
    "checkpoint": lambda path: checkpoints.save(path, {"a": LARGE}),
    "tensors": lambda path: tensors.write(path, {"a": LARGE}, {}),
    "json": lambda path: store.write_whole({"a": "x" * 50_000}, path),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_file_that_does_not_fit_leaves_all_as_it_was(writer, tmp_path):
    path = tmp_path / "file"
    for old in (path, checkpoints.previous(path)):
        old.write_bytes(b"old")
    before = contents(tmp_path)
    with (
        files_of_at_most(20_000),
        pytest.raises(OSError, match="file cannot be written: File too large"),
    ):
        writer(path)
    assert contents(tmp_path) == before
    writer(path)
    assert path.stat().st_size > 20_000


@pytest.fixture
def full_disk(tmp_path):
    r"""A file system of its own, of 64 kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", place]
    try:
        done = subprocess.run(mount, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_leaves_all_as_it_was(writer, full_disk):
    path = full_disk / "file"
    path.write_bytes(b"old")
    (full_disk / "filling").write_bytes(bytes(40_000))
    before = contents(full_disk)
    with pytest.raises(OSError, match="No space left on device; make room"):
        writer(path)
    assert contents(full_disk) == before
    # With room, the same call does it.
    (full_disk / "filling").unlink()
    (full_disk / "filling").write_bytes(b"")
    store.write_whole({}, path)
    assert read_json(path) == {}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_folder_that_is_a_file_is_named(writer, tmp_path):
    (tmp_path / "folder").write_bytes(b"old")
    with pytest.raises(OSError, match="folder/file cannot be written"):
        writer(tmp_path / "folder" / "file")
    assert contents(tmp_path) == {"folder": b"old"}


def test_a_folder_for_runs_that_cannot_be_is_told_with_a_way_out(full_disk):
    (full_disk / "file").write_bytes(b"old")
    with pytest.raises(OSError, match="file/runs .Not a dir.*--results name"):
        checkpoints.check_folder(full_disk / "file" / "runs")
    subprocess.run(["mount", "-o", "remount,ro", full_disk], check=True)
    with (
        pytest.raises(OSError, match="into .*Read-only file.*; --folder and"),
        checkpoints.claimed(full_disk / "runs" / "lock"),
    ):
        pass
    with pytest.raises(PermissionError, match="disk .not permitted.; --fold"):
        checkpoints.check_folder(full_disk)


def test_a_folder_that_is_read_only_is_named(full_disk):
    path = full_disk / "file"
    path.write_bytes(b"old")
    before = contents(full_disk)
    remount = ["mount", "-o", "remount,ro", full_disk]
    subprocess.run(remount, check=True)
    for writer in WRITERS.values():
        with pytest.raises(OSError, match="file cannot be written: Read-only"):
            writer(path)
    assert contents(full_disk) == before
    remove(full_disk / "not there")


def test_what_a_killed_process_left_goes_with_the_next(tmp_path):
    path = tmp_path / "a [1].json"
    (tmp_path / f"{path.name}.1234abcd.part").write_bytes(b"half")
    (tmp_path / "b.1234abcd.part").write_bytes(b"another's")
    store.write_whole({}, path)
    assert {file.name for file in tmp_path.iterdir()} == {
        path.name,
        "b.1234abcd.part",
    }


def test_a_file_is_readable_for_whom_the_others_are(tmp_path):
    (tmp_path / "another").write_bytes(b"")
    path = store.write_whole({}, tmp_path / "a")
    assert path.stat().st_mode == (tmp_path / "another").stat().st_mode


def test_all_is_on_the_disk_before_the_file_has_its_place(
    tmp_path, monkeypatch
):
    path, seen = tmp_path / "file", []

    def note(opened):
        seen.append((os.readlink(f"/proc/self/fd/{opened}"), path.exists()))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("only Linux says which file an open one is")
    monkeypatch.setattr(os, "fsync", note)
    with atomic_write(path) as part:
        part.write_bytes(b"new")
    assert seen == [(str(part), False), (str(tmp_path), True)]


def test_a_file_is_open_for_writing_when_it_goes_to_the_disk(
    tmp_path, monkeypatch
):
    r"""As on Windows, where a descriptor for reading is refused."""
    fcntl = pytest.importorskip("fcntl")

    def refuse(opened):
        if fcntl.fcntl(opened, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(os, "fsync", refuse)
    path = tmp_path / "file"
    with atomic_write(path) as part:
        part.write_bytes(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b'{"a": 1', "delimiter"),
        (b"\xff", "utf-8"),
        (b"[1]", "it holds a list"),
        (b"[" * 10_000, "recursion"),
    ],
)
def test_json_that_holds_no_dictionary_is_named(content, message, tmp_path):
    path = tmp_path / "one.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"one.json is damaged.*{message}"):
        read_json(path)


def test_a_file_is_not_blamed_for_memory_or_for_the_disk(tmp_path):
    for error in (
        MemoryError(),
        RuntimeError("can't allocate memory: you tried"),
        torch.OutOfMemoryError("CUDA out of memory"),
        FileNotFoundError("gone"),
    ):
        with pytest.raises(type(error)), reading(tmp_path / "a", "delete it"):
            raise error
    with (
        pytest.raises(ValueError, match="a is damaged .'key'.; delete it"),
        reading(tmp_path / "a", "delete it"),
    ):
        raise KeyError("key")


def test_one_line_is_one_and_not_long():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(KeyError()) == "KeyError"
    assert len(one_line(ValueError("ab " * 500))) == 300


def test_a_record_that_is_missing_is_told_with_what_makes_it(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(FileNotFoundError, match=r"a\.json; make it makes it"):
        read_made(path, "make it")
    path.write_text('{"b": 1}')
    assert read_made(path, "make it") == {"b": 1}
    path.write_text("[1")
    with pytest.raises(ValueError, match=r"a\.json"):
        read_made(path, "make it")
