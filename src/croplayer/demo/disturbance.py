"""Clouds, snow and missing imagery of the generated sources, a few blocks each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from croplayer.demo.canvas import Canvas
from croplayer.demo.landcover import LandCover
from croplayer.demo.landscape import Landscape
from croplayer.demo.noise import fractal, smooth_step, stream
from croplayer.grid import Block
from croplayer.settings.demo import DemoSettings

REACH = 150
"""Pixels beyond its block that a cloud, its shadow or snow may reach."""


@dataclass(frozen=True)
class Disturbed:
    """coverage : coverage type of each block; one mapping a source (planting season, winter)."""

    coverage: tuple[dict[Block, str], dict[Block, str]]

    def blocks(self, source: int, kind: str) -> list[Block]:
        """The blocks of a coverage type in a source, sorted."""
        return sorted(b for b, found in self.coverage[source].items() if found == kind)

    def usable(self, block: Block, source: int) -> bool:
        """False where the source is cloudy, snowy or without data in the block."""
        return self.coverage[source][block] in ("planting", "non_planting")


def choose_blocks(
    canvas: Canvas,
    landscape: Landscape,
    blocks: Sequence[Block],
    inside_share: dict[Block, float],
    settings: DemoSettings,
) -> Disturbed:
    """Decide the coverage type of every block and source; no block is disturbed in both sources.

    `inside_share` is the share of each block that lies in the province.
    """
    rng = stream(settings.seed, "disturbance")
    free = [b for b in blocks if inside_share[b] > 0.5] or list(blocks)
    rank = {b: float(np.median(landscape.height[canvas.block_slices(b)])) for b in free}
    coverage = ({b: "planting" for b in blocks}, {b: "non_planting" for b in blocks})
    # Snow lies high, but the highest blocks are not all under it.
    high = sorted(free, key=lambda b: -rank[b])[: settings.snow_blocks * 4]
    picks = rng.permutation(len(high))[: settings.snow_blocks]
    for number in sorted(picks.tolist()):
        coverage[1][high[number]] = "snow_ice"
        free.remove(high[number])
    order = [free[i] for i in rng.permutation(len(free)).tolist()]
    for source in (0, 1):
        for kind, count in (
            ("cloudy", settings.cloudy_blocks[source]),
            ("nodata", settings.nodata_blocks[source]),
        ):
            for block in order[:count]:
                coverage[source][block] = kind
            del order[:count]
    return Disturbed(coverage)


def disturb(
    canvas: Canvas,
    landscape: Landscape,
    image: np.ndarray,
    disturbed: Disturbed,
    *,
    source: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Lay snow and clouds over `image` (rows, columns, 3) uint8, in place; mask missing parts.

    Returns
    -------
    valid : (rows, columns) bool, False without data.
    veiled : (rows, columns) uint8, how much cloud, shadow or snow hides the ground, 0-255.
    """
    valid = np.ones(canvas.shape, bool)
    veiled = np.zeros(canvas.shape, np.uint8)
    for block in disturbed.blocks(source, "snow_ice"):
        _snow(canvas, landscape, image, veiled, block, stream(seed, f"snow {block}"))
    for block in disturbed.blocks(source, "cloudy"):
        _cloud(canvas, image, veiled, block, stream(seed, f"cloud {source} {block}"))
    for block in disturbed.blocks(source, "nodata"):
        _gap(canvas, valid, block, stream(seed, f"nodata {source} {block}"))
    return valid, veiled


def _around(canvas: Canvas, block: Block) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Slices of the block and its surroundings, and x and y there: -1 to 1 over the block."""
    rows, cols = canvas.block_slices(block)
    height, width = canvas.shape
    around = (
        slice(max(rows.start - REACH, 0), min(rows.stop + REACH, height)),
        slice(max(cols.start - REACH, 0), min(cols.stop + REACH, width)),
    )
    half = canvas.grid.pixels_per_block / 2
    y = (np.arange(around[0].start, around[0].stop)[:, None] + 0.5 - rows.start) / half - 1
    x = (np.arange(around[1].start, around[1].stop)[None, :] + 0.5 - cols.start) / half - 1
    return around, x.astype(np.float32), y.astype(np.float32)


def _body(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, wavelength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Thickness (0 at the ragged rim, rising inwards) and the noise in it."""
    shape = (y.shape[0], x.shape[1])
    noise = fractal(shape, rng, wavelength=wavelength, exponent=2.7)
    # Leaning and round-cornered: no cloud knows of blocks.
    lean = rng.uniform(-0.12, 0.12)
    radius = (np.abs(x + lean * y) ** 3.4 + np.abs(y - lean * x) ** 3.4) ** (1 / 3.4)
    return (1.08 - radius) * 6.5 + 0.85 * noise, noise


def _blend(target: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> None:
    mixed = target.astype(np.float32)
    mixed += (colour - mixed) * alpha[..., None]
    target[...] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def _cloud(
    canvas: Canvas, image: np.ndarray, veiled: np.ndarray, block: Block, rng: np.random.Generator
) -> None:
    around, x, y = _around(canvas, block)
    thickness, noise = _body(x, y, rng, canvas.grid.pixels_per_block / 2.5)
    alpha = smooth_step(-0.3, 1.5, thickness) * 0.985
    shade = np.zeros_like(alpha)
    dy, dx = 24, -34
    shade[dy:, :dx] = alpha[:-dy, -dx:]
    part, hidden = image[around], veiled[around]
    _blend(part, np.array([18, 24, 34], np.float32), 0.50 * shade * (1 - alpha))
    # Towers lit from the side: the slope of a smoother noise.
    bulge = ndimage.gaussian_filter(noise, 2.5)
    gy, gx = np.gradient(bulge)
    lit = gx - gy
    white = 224 + 7 * np.clip(noise, -2, 2) + 11 * np.clip(-lit / lit.std(), -2, 2)
    tint = np.array([0.992, 1.0, 1.012], np.float32)
    _blend(part, white[..., None] * tint, alpha)
    np.maximum(hidden, (np.maximum(alpha, 0.5 * shade) * 255).astype(np.uint8), out=hidden)


def _snow(
    canvas: Canvas,
    landscape: Landscape,
    image: np.ndarray,
    veiled: np.ndarray,
    block: Block,
    rng: np.random.Generator,
) -> None:
    around, x, y = _around(canvas, block)
    thickness, noise = _body(x, y, rng, canvas.grid.pixels_per_block / 5)
    part, hidden = image[around], veiled[around]
    code = landscape.landcover[around]
    # Under trees and on roads and water less of it is seen.
    hold = np.full(code.shape, 0.95, np.float32)
    hold[code == LandCover.WOODLAND] = 0.80
    hold[(code == LandCover.WATER) | (code == LandCover.ROAD)] = 0.72
    alpha = smooth_step(-0.3, 0.9, thickness) * hold
    dy, dx = canvas.pixel_metres[::-1]
    gy, gx = np.gradient(landscape.height[around], dy, dx)
    lit = np.clip(1 + 1.1 * (gy * -0.9 - gx * 0.42), 0.45, 1.12)
    white = (222 + 5 * noise)[..., None] * lit[..., None] * np.array([0.985, 1.0, 1.02])
    _blend(part, white.astype(np.float32), alpha)
    np.maximum(hidden, (alpha * 255).astype(np.uint8), out=hidden)


def _gap(canvas: Canvas, valid: np.ndarray, block: Block, rng: np.random.Generator) -> None:
    """The straight, slightly turned edges of a missing image strip."""
    around, x, y = _around(canvas, block)
    turn = rng.uniform(0.05, 0.14) * (1 if rng.random() < 0.5 else -1)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    step = np.where(u > rng.uniform(-0.4, 0.4), 0.97, 1.06)
    valid[around] &= ~((np.abs(u) < 1.02) & (np.abs(v) < step))
