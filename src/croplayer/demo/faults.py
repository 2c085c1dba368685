"""Faults that a tile server can be told to make, so that a client can be tested against them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

from PIL import Image, ImageDraw


@dataclass(frozen=True)
class Faults:
    """Shares (0-1) of answers that go wrong, drawn from `seed`, the path and the attempt.

    Whether an attempt fails does not depend on the order in which clients ask. A tile fails at
    most `most_failures` times, then it is served; only placeholders stay, as they do in life.

    server_error : 500.
    too_many : 429 with Retry-After of `retry_after_seconds`.
    reset : the connection is reset in the middle of the answer.
    stall : nothing comes for `stall_seconds`, then the connection ends.
    html : an HTML page with status 200.
    truncated : an image cut off in the middle, with a matching Content-Length.
    wrong_size : a whole image of half the size.
    placeholder : always the same image (`placeholder_image`) instead of the tile.
    latency_seconds : wait before every answer.
    """

    seed: int = 0
    server_error: float = 0.0
    too_many: float = 0.0
    reset: float = 0.0
    stall: float = 0.0
    html: float = 0.0
    truncated: float = 0.0
    wrong_size: float = 0.0
    placeholder: float = 0.0
    retry_after_seconds: float = 1.0
    stall_seconds: float = 30.0
    latency_seconds: float = 0.0
    most_failures: int = 2

    def __post_init__(self) -> None:
        if not 0 <= sum(share for _, share in self._passing()) + self.placeholder <= 1:
            raise ValueError("the shares of faults must add up to 0-1")

    def draw(self, path: str, attempt: int) -> str | None:
        """Name of the fault of the `attempt`-th request (0, 1, ...) for `path`, or None."""
        if self._unit(path, -1) < self.placeholder:
            return "placeholder"
        if attempt >= self.most_failures:
            return None
        number = self._unit(path, attempt)
        for name, share in self._passing():
            if number < share:
                return name
            number -= share
        return None

    def _passing(self) -> Iterator[tuple[str, float]]:
        """The faults that another attempt may mend, and their shares."""
        names = ("server_error", "too_many", "reset", "stall", "html", "truncated", "wrong_size")
        for field in fields(self):
            if field.name in names:
                yield field.name, getattr(self, field.name)

    def _unit(self, path: str, attempt: int) -> float:
        digest = hashlib.sha256(f"{self.seed} {attempt} {path}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


HTML_PAGE = b"<!doctype html><html><body><h1>Please log in</h1></body></html>"


@lru_cache
def placeholder_image() -> bytes:
    """The PNG that stands for a provider's "no imagery here" tile."""
    image = Image.new("RGB", (256, 256), (221, 221, 221))
    pen = ImageDraw.Draw(image)
    pen.line([(0, 0), (255, 255)], fill=(190, 190, 190), width=3)
    pen.line([(0, 255), (255, 0)], fill=(190, 190, 190), width=3)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def half_size(data: bytes) -> bytes:
    """The image `data` shrunk to half its width and height, as PNG."""
    image = Image.open(io.BytesIO(data))
    small = image.resize((image.width // 2, image.height // 2))
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return buffer.getvalue()
