"""Files of tensors: read back whole, or refused by name."""

import re

import pytest
import torch
from safetensors.torch import save_file

from labkd import tensors

KEPT = {
    "weight": torch.randn(30),
    "half": torch.randn(4, 5).half(),
    "count": torch.tensor(7),
    "none": torch.zeros(0, 3),
}


def test_what_is_written_is_read_with_what_it_is_of(tmp_path):
    path = tmp_path / "there" / "w"
    tensors.write(path, KEPT, {"teacher": "mine"})
    found, metadata = tensors.read_with_metadata(path)
    assert metadata["teacher"] == "mine"
    assert found.keys() == KEPT.keys()
    assert all(torch.equal(found[key], KEPT[key]) for key in KEPT)
    assert [file.name for file in path.parent.iterdir()] == ["w"]


def test_the_same_tensors_are_the_same_bytes(tmp_path):
    for name in "ab":
        tensors.write(tmp_path / name, KEPT, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_damaged_weights_are_named_at_whatever_byte_they_end(tmp_path):
    path, kept = tmp_path / "w", {"weight": torch.randn(30)}
    # Files of others have no checksum.
    save_file(kept, path)
    torch.testing.assert_close(tensors.read(path), kept)
    whole = path.read_bytes()
    for end in range(0, len(whole), len(whole) // 7):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="w is damaged.*delete it"):
            tensors.read(path)
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path))):
        tensors.read(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))):
        tensors.read(tmp_path)


def test_a_single_bit_is_noticed(tmp_path):
    path = tmp_path / "w"
    tensors.write(path, KEPT, {})
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="w is damaged .its checksum differ"):
        tensors.read(path)
