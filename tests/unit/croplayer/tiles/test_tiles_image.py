"""Images: whole ones pass, everything else is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croplayer.tiles.errors import RejectedImageError
from croplayer.tiles.image import decode_tile, inspect_image

FORMATS = ("jpeg", "png", "webp")


@pytest.mark.parametrize("kind", FORMATS)
def test_whole_images_pass(imagery: Any, kind: str) -> None:
    data = imagery.encode(imagery.tile_pixels(5, 7), kind)
    assert inspect_image(data, tile_pixels=256, formats=FORMATS) == kind


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.97, -12, -2])
def test_truncated_images_are_refused(imagery: Any, kind: str, keep: float) -> None:
    data = imagery.encode(imagery.tile_pixels(5, 7), kind)
    cut = data[: int(len(data) * keep)] if keep > 0 else data[: int(keep)]
    with pytest.raises(RejectedImageError):
        inspect_image(cut, tile_pixels=256, formats=FORMATS)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE html><html>sorry</html>", "HTML"),
        (b"<?xml version='1.0'?><Error/>", "XML or JSON"),
        (b'{"message": "Not Authorized"}', "XML or JSON"),
        (b"GIF89a" + bytes(100), "not an image of the formats"),
    ],
)
def test_other_things_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(RejectedImageError, match=words):
        inspect_image(data, tile_pixels=256, formats=FORMATS)


def test_sizes_and_formats_are_checked(imagery: Any) -> None:
    small = imagery.encode(np.zeros((128, 256, 3), np.uint8))
    with pytest.raises(RejectedImageError, match="256 x 128 pixels instead of 256 x 256"):
        inspect_image(small, tile_pixels=256, formats=FORMATS)
    with pytest.raises(RejectedImageError, match="256 x 128"):
        decode_tile(small, tile_pixels=256)
    with pytest.raises(RejectedImageError, match="not an image of the formats jpeg"):
        inspect_image(imagery.encode(imagery.tile_pixels(5, 7)), tile_pixels=256, formats=("jpeg",))


def test_transparency_is_no_imagery(imagery: Any) -> None:
    pixels = np.dstack([imagery.tile_pixels(5, 7), np.full((256, 256), 255, np.uint8)])
    rgb, valid = decode_tile(imagery.encode(pixels), tile_pixels=256)
    assert valid is None
    assert np.array_equal(rgb, pixels[..., :3])
    pixels[:100, :, 3] = 0
    _, valid = decode_tile(imagery.encode(pixels), tile_pixels=256)
    assert valid is not None
    assert np.array_equal(valid, pixels[..., 3] > 0)


def test_grey_and_palette_images_become_rgb(imagery: Any) -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    rgb, valid = decode_tile(imagery.encode(grey), tile_pixels=256)
    assert valid is None
    assert np.array_equal(rgb, np.dstack([grey] * 3))


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x00\x00\x00\x00WEBP"]),
)
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes, head: bytes) -> None:
    with pytest.raises(RejectedImageError):
        inspect_image(head + data, tile_pixels=256, formats=FORMATS)
