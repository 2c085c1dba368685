"""Tile images: is it a whole image of the right size, and what are its pixels?"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from croplayer.tiles.errors import RejectedImageError

_OPAQUE = 128
"""Least alpha at which a pixel counts as imagery."""


def inspect_image(data: bytes, *, tile_pixels: int, formats: tuple[str, ...]) -> str:
    """Decode an image completely and name its format (jpeg, png, webp).

    Raises
    ------
    RejectedImageError : empty, a web page or other text, another format, another size, truncated or
        damaged; the message says which.
    """
    if not data:
        raise RejectedImageError("empty answer")
    head = data[:512].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise RejectedImageError("an HTML page instead of an image")
    if head.startswith((b"<", b"{", b"[")):
        raise RejectedImageError("text (XML or JSON) instead of an image")
    image = _open(data, formats)
    _check_size(image, tile_pixels)
    kind = str(image.format).lower()
    _check_end(data, kind)
    # Of a JPEG an eighth of the size: all its bytes are decoded, its pixels are not computed.
    image.draft("L", (image.width // 8, image.height // 8))
    _load(image)
    return kind


def decode_tile(data: bytes, *, tile_pixels: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The pixels of a tile.

    Returns
    -------
    (rgb, valid) : uint8 (rows, columns, 3), and bool (rows, columns) or None if all are valid
        (an image without transparency).

    Raises
    ------
    RejectedImageError : as `inspect_image`.
    """
    image = _open(data, ("jpeg", "png", "webp"))
    _check_size(image, tile_pixels)
    _load(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        pixels = np.asarray(image.convert("RGBA"))
        valid = pixels[..., 3] >= _OPAQUE
        return np.ascontiguousarray(pixels[..., :3]), None if valid.all() else valid
    return np.asarray(image.convert("RGB")), None


def _open(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    # Whatever a decoder raises on bytes from outside means one thing: this is not our image.
    try:
        return Image.open(io.BytesIO(data), formats=[name.upper() for name in formats])
    except Exception as error:
        raise RejectedImageError(
            f"not an image of the formats {', '.join(formats)} ({type(error).__name__})"
        ) from None


def _check_size(image: Image.Image, tile_pixels: int) -> None:
    width, height = image.size
    if (width, height) != (tile_pixels, tile_pixels):
        raise RejectedImageError(
            f"{width} x {height} pixels instead of {tile_pixels} x {tile_pixels}"
        )


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except Exception as error:
        raise RejectedImageError(f"truncated or damaged image ({type(error).__name__})") from None


def _check_end(data: bytes, kind: str) -> None:
    """Decoders forgive a missing end; a cut exactly there is a truncation all the same."""
    tail = data[-1024:]
    whole = {
        "jpeg": b"\xff\xd9" in tail,
        "png": b"IEND\xaeB`\x82" in tail,
        "webp": len(data) >= 8 + int.from_bytes(data[4:8], "little"),
    }
    if not whole.get(kind, True):
        raise RejectedImageError("truncated image (its end is missing)")
