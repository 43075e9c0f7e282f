r"""
# From files to pixels

An image, or a file of many, becomes an array of bytes here, and every file
that cannot is named: among fifty thousand it would not be found otherwise.
"""

import gzip
import io
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from labkd.files import one_line, reading

# More than a byte a channel: what is brighter than white would be cut off.
DEEP = ("I", "F")


def decode(raw: bytes, name: str) -> Image.Image:
    r"""
    One image, in colour.

    * `raw`: of a file in any format that Pillow reads
    * `name`: of the file, for the message

    Returns an image whose mode is RGB, grey and CMYK converted to it. Raises
    `ValueError` when it is damaged, has more than a byte a channel, or claims
    to be so large that it is meant to fill the memory.
    """
    with _named(name), Image.open(io.BytesIO(raw)) as image:
        if image.mode.startswith(DEEP):
            raise ValueError(f"mode {image.mode}, not 8 bits")
        return image.convert("RGB")


def size_of(path: Path) -> tuple[int, int]:
    r"""Width and height by an image's header; raises what `decode` does."""
    with _named(str(path)), Image.open(path) as image:
        return image.size


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except MemoryError:
        raise
    # The readers of many formats raise what they like, and Pillow's name no
    # file, or one in memory.
    except Exception as error:
        reason = re.sub(r" <_io\.\w+ object at \w+>", "", one_line(error))
        raise ValueError(f"{name} is no image: {reason}") from error


def find_idx(folder: Path, stem: str) -> Path | None:
    r"""An IDX file of a folder, packed or not, if it is there."""
    files = (folder / f"{stem}-ubyte", folder / f"{stem}-ubyte.gz")
    return next((file for file in files if file.is_file()), None)


def read_idx(folder: Path, stem: str) -> np.ndarray:
    r"""
    The values of an IDX file, as MNIST and its kin have them.

    * `stem`: its name without `-ubyte`, or `-ubyte.gz`

    Returns uint8, as many axes as the file says. Raises `FileNotFoundError`
    when it is not there, `ValueError` when it is damaged.
    """
    file = find_idx(folder, stem)
    if file is None:
        raise FileNotFoundError(f"{folder} holds no {stem}-ubyte or .gz")
    raw = file.read_bytes()
    try:
        raw = gzip.decompress(raw) if file.suffix == ".gz" else raw
    # gzip's own is an OSError, as if it were the disk's.
    except Exception as error:
        raise ValueError(
            f"{file} is damaged ({one_line(error)}); fetch it again"
        ) from error
    # IDX: two zero bytes, 8 for unsigned bytes, the number of axes, then
    # each axis as a big-endian 32-bit integer, then the values.
    with reading(file, "fetch it again"):
        axes = raw[3]
        shape = np.frombuffer(raw, ">u4", count=axes, offset=4).tolist()
        if raw[:3] != b"\0\0\x08" or len(raw) != 4 + 4 * axes + math.prod(
            shape
        ):
            raise ValueError("it is not a whole IDX file of bytes")
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)
