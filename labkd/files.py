r"""
# Files that are whole

A process can be killed between any two bytes, and a disk can be full at any
of them. What is worth keeping is therefore written beside its place, sent to
the disk, and renamed: whoever looks finds the old file or the new one, and
never half of either.
"""

import errno
import glob
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path: Path, previous: Path | None = None) -> Iterator[Path]:
    r"""
    Gives the path of a new file, which takes its place when it is whole.

    * `path`: its place, in a folder that need not exist yet
    * `previous`: where the file that has the place now goes; else it goes

    Raises `OSError`, naming the file, when it cannot be written: the old one
    is there still, and nothing beside it.
    """
    # Another name each time: two processes never write into one file.
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_parts(path)
        yield part
        _to_disk(part)
        if previous and path.is_file():
            path.replace(previous)
        part.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        # On a disk that cannot be written there is none.
        with suppress(OSError):
            part.unlink(missing_ok=True)
    # The names too: a folder is a file, if not on every file system.
    with suppress(OSError):
        _to_disk(path.parent)


def unwritable(path: Path, error: Exception) -> OSError:
    r"""
    One line about a file that could not be written, from whatever said so.

    * `error`: of the system, or a library's own
    """
    # Our own lines about a file inside this one are not repeated.
    if isinstance(error.__cause__, OSError):
        error = error.__cause__
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    reason = getattr(error, "strerror", None) or one_line(error)
    advice = "; make room and give the same command again" if full else ""
    return OSError(f"{path} cannot be written: {reason}{advice}")


def remove(path: Path) -> None:
    r"""Removes a file, if it is there, and what was to become it."""
    # Where nothing can be written, nothing can be removed that is not there.
    if path.exists():
        path.unlink(missing_ok=True)
    remove_parts(path)


def remove_parts(path: Path) -> None:
    r"""Removes what processes that were killed left of a file."""
    for part in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        part.unlink(missing_ok=True)


@contextmanager
def reading(path: Path, advice: str) -> Iterator[None]:
    r"""
    Names a file that holds something else than it should.

    * `advice`: what to do about it

    Raises `ValueError` for whatever is raised inside, except `OSError` and
    what says that the memory is full: then the file may be right.
    """
    try:
        yield
    except OSError:
        raise
    # Readers and what is read raise what they like: of a damaged file every
    # byte is possible.
    except Exception as error:
        if out_of_memory(error):
            raise
        reason = one_line(error)
        raise ValueError(f"{path} is damaged ({reason}); {advice}") from error


def out_of_memory(error: Exception) -> bool:
    r"""Whether an error is about memory: torch has none of its own for it."""
    said = str(error)
    told = "allocate memory" in said or "out of memory" in said
    return isinstance(error, MemoryError) or told


def read_made(path: Path, command: str) -> dict:
    r"""
    A record that one command makes.

    Raises `FileNotFoundError` with the command when it is not there.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no record {path}; {command} makes it")
    return read_json(path)


def read_json(path: Path) -> dict:
    r"""
    A dictionary from a JSON file.

    Raises `ValueError`, naming the file, when it holds none.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    # Brackets can be nested deeper than Python calls itself.
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({one_line(error)})") from None
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} is damaged: it holds a {type(content).__name__}, and no "
            "dictionary"
        )
    return content


def one_line(error: Exception) -> str:
    r"""What an error says, in one line of at most 300 characters."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 300 else words[:297] + "..."


def _to_disk(path: Path) -> None:
    # Windows sends only what is open for writing; a folder never is.
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
