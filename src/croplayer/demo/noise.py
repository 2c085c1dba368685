"""Seeded noise: fractal fields, cell patterns and hashes. No global state."""

from __future__ import annotations

import zlib

import numpy as np
from PIL import Image
from scipy import fft, ndimage


def stream(seed: int, name: str) -> np.random.Generator:
    """An independent random stream for one purpose: a new purpose leaves the others as they are."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def fractal(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    wavelength: float,
    exponent: float = 2.2,
    shortest: float = 2.0,
) -> np.ndarray:
    """Gaussian noise with a power-law spectrum, mean 0 and standard deviation 1, float32.

    Parameters
    ----------
    shape : (rows, columns).
    wavelength : longest wavelength, in cells; below it the power falls as f**-exponent.
    shortest : shortest wavelength kept, in cells.
    """
    rows, cols = (fft.next_fast_len(n + int(min(wavelength, n))) for n in shape)
    white = rng.standard_normal((rows, cols), dtype=np.float32)
    spectrum = fft.rfft2(white)
    fy = fft.fftfreq(rows)[:, None]
    fx = fft.rfftfreq(cols)[None, :]
    frequency = np.hypot(fx, fy)
    low = 1.0 / wavelength
    amplitude = np.maximum(frequency, low) ** (-exponent / 2)
    amplitude *= 1 / (1 + (low / np.maximum(frequency, 1e-9)) ** 6)
    amplitude[frequency > 1.0 / shortest] = 0
    field = fft.irfft2(spectrum * amplitude, s=(rows, cols))[: shape[0], : shape[1]]
    field -= field.mean()
    return (field / field.std()).astype(np.float32)


def enlarge(array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A coarse field (rows, columns) smoothly enlarged to `shape`, float32."""
    image = Image.fromarray(np.ascontiguousarray(array, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def broad(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    wavelength: float,
    exponent: float = 2.6,
    step: int = 8,
) -> np.ndarray:
    """`fractal` of long wavelength (cells of `shape`), made on a grid `step` times coarser."""
    coarse = (-(-shape[0] // step) + 1, -(-shape[1] // step) + 1)
    field = fractal(coarse, rng, wavelength=wavelength / step, exponent=exponent)
    return enlarge(field, (coarse[0] * step, coarse[1] * step))[: shape[0], : shape[1]]


def smooth_step(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between (high < low reverses)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def hash32(*keys: np.ndarray | int) -> np.ndarray:
    """A well-mixed uint32 of integer keys (broadcast), for per-parcel random choices."""
    mixed = np.uint32(0x9E3779B9)
    for key in keys:
        mixed = np.asarray(key).astype(np.uint32) ^ mixed
        # Finaliser with the constants of MurmurHash3 (public domain).
        mixed = mixed ^ (mixed >> np.uint32(16))
        mixed = mixed * np.uint32(0x85EBCA6B)
        mixed = mixed ^ (mixed >> np.uint32(13))
        mixed = mixed * np.uint32(0xC2B2AE35)
        mixed = mixed ^ (mixed >> np.uint32(16))
    return mixed


def unit(hashed: np.ndarray, salt: int) -> np.ndarray:
    """A number in [0, 1) drawn from a hash, another one for each salt, float32."""
    return (hash32(hashed, salt) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


def cells(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    size: int,
    jitter: float = 0.85,
    spread: float = 0.0,
    stretch: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A Voronoi pattern of jittered seeds (one a square of `size` cells).

    Parameters
    ----------
    jitter : how far a seed strays in its square, 0-1.
    spread : spread of the cells' sizes: standard deviation of the power-diagram weight in `size`.
    stretch : > 1 lengthens the cells from west to east.

    Returns
    -------
    index : (rows, columns) int32, number of the nearest seed.
    edge : (rows, columns) float32, about the distance to the nearest border, cells.
    seeds : (n, 2) float32, x and y of the seeds.
    """
    rows, cols = shape
    high, wide = -(-rows // size) + 2, -(-cols // size) + 2
    offset = (rng.random((2, high, wide), dtype=np.float32) - 0.5) * jitter + 0.5
    sx = (offset[0] + np.arange(wide, dtype=np.float32) - 1) * size
    sy = (offset[1] + np.arange(high, dtype=np.float32)[:, None] - 1) * size
    weight = (rng.standard_normal((high, wide), dtype=np.float32) * spread * size) * size
    index = np.empty(shape, np.int32)
    edge = np.empty(shape, np.float32)
    x = np.arange(cols, dtype=np.float32)[None, :] + 0.5
    for band in range(high - 2):
        top = band * size
        bottom = min(top + size, rows)
        y = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5
        first = np.full((bottom - top, cols), np.inf, np.float32)
        second = first.copy()
        found = np.zeros((bottom - top, cols), np.int32)
        for di in range(3):
            for dj in range(3):
                row = band + di
                take = slice(dj, dj + wide - 2)
                px = np.repeat(sx[row, take], size)[None, :cols]
                py = np.repeat(sy[row, take], size)[None, :cols]
                pw = np.repeat(weight[row, take], size)[None, :cols]
                number = np.repeat(row * wide + np.arange(take.start, take.stop), size)[:cols]
                distance = ((x - px) / stretch) ** 2 + (y - py) ** 2 - pw
                nearer = distance < first
                np.minimum(second, np.maximum(first, distance), out=second)
                np.minimum(first, distance, out=first)
                np.copyto(found, number[None, :].astype(np.int32), where=nearer)
        index[top:bottom] = found
        # Exact up to the distance between the two seeds, which is about `size`.
        edge[top:bottom] = (second - first) / (2 * size)
    return index, edge, np.column_stack([sx.ravel(), sy.ravel()])


def ragged(shape: tuple[int, int], rng: np.random.Generator, *, sigma: float) -> np.ndarray:
    """White noise smoothed by `sigma` cells, standard deviation 1, float32."""
    field = rng.standard_normal(shape, dtype=np.float32)
    if sigma > 0:
        field = ndimage.gaussian_filter(field, sigma, mode="wrap", truncate=3)
        field /= field.std()
    return field
