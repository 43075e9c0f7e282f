"""Decoding: the right pixels, or the name of the file that has none."""

import gzip
import io

import numpy as np
import pytest
from PIL import Image

from labkd.decoding import decode, find_idx, read_idx

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)


def encoded(image, kind, **options):
    raw = io.BytesIO()
    image.save(raw, kind, **options)
    return raw.getvalue()


def test_colours_come_back_and_grey_becomes_three_channels():
    image = Image.fromarray(PIXELS)
    assert np.array_equal(decode(encoded(image, "png"), "a"), PIXELS)
    grey = decode(encoded(Image.fromarray(PIXELS[..., 0]), "png"), "a")
    assert np.array_equal(grey, PIXELS[..., :1].repeat(3, axis=2))
    # What is transparent loses it, and a palette its indices.
    clear = image.convert("RGBA")
    assert np.array_equal(decode(encoded(clear, "png"), "a"), PIXELS)
    palette = decode(encoded(image.quantize(256), "png"), "a")
    assert np.abs(np.asarray(palette, int) - PIXELS).max() < 32


def test_print_colours_are_those_on_the_screen():
    # Full ink is no light.
    inks = {(0, 0, 0, 0): 255, (255, 255, 255, 0): 0, (0, 0, 0, 255): 0}
    for ink, light in inks.items():
        raw = encoded(Image.new("CMYK", (8, 8), ink), "jpeg", quality=95)
        assert np.abs(np.asarray(decode(raw, "a"), int) - light).max() <= 3


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_a_byte_a_channel_is_refused(mode):
    raw = encoded(Image.new(mode, (4, 4)), "tiff")
    with pytest.raises(ValueError, match=f"b.tiff is no image: mode {mode}"):
        decode(raw, "b.tiff")


def test_a_file_is_named_wherever_it_ends():
    image = Image.fromarray(PIXELS.repeat(20, 0).repeat(20, 1))
    for kind in ("png", "jpeg", "gif", "bmp", "tiff", "webp"):
        raw = encoded(image, kind)
        for end in range(0, len(raw) // 2, len(raw) // 9):
            with pytest.raises(ValueError, match="^here is no image: ") as bad:
                decode(raw[:end], "here")
            assert "0x" not in str(bad.value)


def test_an_idx_file_is_read_packed_or_not(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    head = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4])
    assert find_idx(tmp_path, "a") is None
    with pytest.raises(FileNotFoundError, match="no a-ubyte"):
        read_idx(tmp_path, "a")
    (tmp_path / "a-ubyte").write_bytes(head + values.tobytes())
    packed = gzip.compress(head + values.tobytes())
    (tmp_path / "b-ubyte.gz").write_bytes(packed)
    for stem in "ab":
        assert np.array_equal(read_idx(tmp_path, stem), values)
