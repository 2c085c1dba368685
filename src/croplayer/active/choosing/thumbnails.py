"""A small picture of each chosen block: imagery and probability of every source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyogrio
from matplotlib import colormaps
from PIL import Image, ImageDraw

from cropbase.atomic import atomic_path
from cropbase.jobs import progress
from croplayer.report.shards import read_codes, read_imagery
from croplayer.segmentation.inference import NODATA, SCALE

EDGE, STRIP, GAP = 256, 16, 4
"""Pixels of a panel, of the text above it, and between panels."""
_GROUND, _INK, _FRAME = (255, 255, 255), (30, 30, 30), (0, 255, 255)
_RAMP = (colormaps["viridis"](np.arange(SCALE + 1) / SCALE)[:, :3] * 255).astype(np.uint8)


def draw_thumbnails(
    *,
    chosen: Path,
    suggested: Path,
    mosaics: Mapping[str, Sequence[Path]],
    probability: Mapping[str, Sequence[Path]],
    folder: Path,
) -> None:
    """Write `<block_id>.png` for each chosen block into `folder`, which is made if need be.

    A column a source: its imagery above, its probability of cropland below (violet 0 to yellow 1,
    white without imagery); the suggested extents are framed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blocks = pyogrio.read_dataframe(chosen, columns=["block_id"])
    frames = pyogrio.read_dataframe(suggested, columns=["block_id"])
    frames = {name: part.bounds.to_numpy() for name, part in frames.groupby("block_id")}
    extents = zip(blocks["block_id"], blocks.bounds.to_numpy(), strict=True)
    for block_id, extent in progress(list(extents), what="thumbnails", unit="blocks"):
        picture = Image.new(
            "RGB", (len(mosaics) * (EDGE + GAP) - GAP, 2 * (EDGE + STRIP) + GAP), _GROUND
        )
        for k, source in enumerate(mosaics):
            codes = read_codes(list(probability[source]), tuple(extent), EDGE)
            shade = np.where(
                (codes == NODATA)[..., None], np.uint8(255), _RAMP[np.minimum(codes, SCALE)]
            )
            image = read_imagery(list(mosaics[source]), tuple(extent), EDGE)[..., :3]
            left = k * (EDGE + GAP)
            for top, array, text in (
                (0, image, f"{block_id} {source}"),
                (EDGE + STRIP + GAP, shade, "probability of cropland"),
            ):
                _panel(picture, (left, top), array, text, extent, frames.get(block_id, ()))
        with atomic_path(folder / f"{block_id}.png") as path:
            picture.save(path)


def _panel(
    picture: Image.Image,
    corner: tuple[int, int],
    array: np.ndarray,
    text: str,
    extent: np.ndarray,
    frames: Iterable[np.ndarray],
) -> None:
    """Paste an array (rows, columns, 3) below its text, with frames of the suggested extents."""
    left, top = corner
    draw = ImageDraw.Draw(picture)
    draw.text((left + 2, top + 2), text, fill=_INK)
    picture.paste(Image.fromarray(np.ascontiguousarray(array)), (left, top + STRIP))
    west, south, east, north = extent
    for frame in frames:
        x = [left + (lon - west) / (east - west) * (EDGE - 1) for lon in (frame[0], frame[2])]
        y = [
            top + STRIP + (north - lat) / (north - south) * (EDGE - 1)
            for lat in (frame[3], frame[1])
        ]
        draw.rectangle((x[0], y[0], x[1], y[1]), outline=_FRAME, width=1)
