r"""
# Files of tensors

Weights, logits, tables and decoded images are safetensors files: names and
numbers, and no code. Each of ours holds a checksum, because a byte that a
disk got wrong makes a weight like any other, and a student would learn from
it without a word.
"""

import zlib
from pathlib import Path

import torch
from torch import Tensor

from labkd.extras import needs_extra
from labkd.files import atomic_write, reading

with needs_extra("course"):
    from safetensors import safe_open
    from safetensors.torch import save as to_bytes


def write(
    path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]
) -> None:
    r"""
    Write tensors as a safetensors file, whole or not at all.

    * `metadata`: what they are of; their checksum is added

    Raises `OSError` when it cannot be written; an old file stays then.
    """
    checked = metadata | {"crc32": _checksum(tensors)}
    raw = to_bytes(tensors, checked)
    with atomic_write(path) as part:
        part.write_bytes(raw)


def read(path: Path) -> dict[str, Tensor]:
    r"""
    The tensors of a safetensors file: weights, logits or images.

    Raises `ValueError` when the file is damaged, `OSError` when there is none.
    """
    return read_with_metadata(path)[0]


def metadata_of(path: Path) -> dict[str, str]:
    r"""What the tensors of a file are of: the tensors stay on the disk."""
    with (
        reading(path, "delete it to make it anew"),
        safe_open(path, "pt") as stored,
    ):
        return stored.metadata() or {}


def read_with_metadata(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    r"""The tensors of a safetensors file, and what they are of."""
    # The library's own errors leave out which file it was.
    with path.open("rb"):
        pass
    with reading(path, "delete it to make it anew"):
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata() or {}
            names = stored.keys()
            tensors = {name: stored.get_tensor(name) for name in names}
        # Files of others, and older ones of ours, have none.
        kept = metadata.get("crc32")
        if kept and kept != _checksum(tensors):
            raise ValueError("its checksum differs")
    return tensors, metadata


def _checksum(tensors: dict[str, Tensor]) -> str:
    total = 0
    for key in sorted(tensors):
        flat = tensors[key].detach().contiguous().flatten()
        total = zlib.crc32(flat.view(torch.uint8).numpy(), total)
    return f"{total:08x}"
