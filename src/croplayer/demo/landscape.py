"""Land cover of the generated province: what lies where, parcel by parcel and pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from rasterio.transform import Affine
from scipy import ndimage

from croplayer.demo.canvas import Canvas, degree_metres
from croplayer.demo.landcover import LandCover, is_cropland
from croplayer.demo.noise import broad, enlarge, fractal, ragged, stream, unit
from croplayer.demo.parcels import FieldRegions, Parcels, Plots, terraces
from croplayer.demo.settlement import Settlement, draw_roads, draw_villages, found_villages
from croplayer.demo.terrain import Relief

STEP = 8
"""Pixels between the nodes of the fields that decide what a parcel is used for."""
BAND = 240
"""Rows handled at a time: the working arrays then fit the processor's cache and little memory."""
TRACK_HALF_WIDTH = 1.3


@dataclass(frozen=True)
class Landscape:
    """The generated truth; all arrays (rows, columns) over the canvas.

    landcover : uint8, `LandCover` codes.
    key : uint32, hash of the parcel; 0 outside parcels.
    margin : uint8, how much of a pixel a thin field margin or riser fills, 0-255.
    direction : uint8, direction of rows, `code / 256` of half a turn.
    detail : uint8, roofs and yards of villages (`settlement.draw_villages`).
    height : float32, metres.
    settlement : where the villages are.
    """

    landcover: np.ndarray
    key: np.ndarray
    margin: np.ndarray
    direction: np.ndarray
    detail: np.ndarray
    height: np.ndarray
    settlement: Settlement

    @property
    def cropland(self) -> np.ndarray:
        """(rows, columns) bool, the true cropland."""
        return is_cropland(self.landcover)


@dataclass(frozen=True)
class _Fields:
    """Coarse fields, one value for each STEP x STEP pixels."""

    slope: np.ndarray
    above: np.ndarray
    height: np.ndarray
    wet: np.ndarray
    farmed: np.ndarray
    orchard: np.ndarray
    special: np.ndarray
    terraced: np.ndarray
    steady: np.ndarray
    room: np.ndarray
    """Above 0 where the plain is farmed in regular fields."""

    def at(self, name: str, parcels: Parcels) -> np.ndarray:
        """The field `name` at the centres of parcels."""
        field = getattr(self, name)
        rows = np.clip(parcels.y * (1 / STEP), 0, field.shape[0] - 1).astype(np.int32)
        cols = np.clip(parcels.x * (1 / STEP), 0, field.shape[1] - 1).astype(np.int32)
        return field[rows, cols]


def make_landscape(canvas: Canvas, relief: Relief, seed: int) -> Landscape:
    """Lay fields, woods, waters, villages and roads over the relief."""
    shape = canvas.shape
    height = canvas.resample(relief.height, relief.transform)
    smooth = ndimage.gaussian_filter(relief.height, 1.6)
    terrace_height = canvas.resample(smooth, relief.transform)
    _, south, _, north = canvas.bounds
    metres = degree_metres((south + north) / 2, relief.transform.a)
    gy, gx = np.gradient(smooth, metres[1], metres[0])
    steepness = np.hypot(gx, gy)
    slope = canvas.resample(
        np.degrees(np.arctan(steepness)), relief.transform, Image.Resampling.BILINEAR
    )
    fields = _coarse_fields(canvas, relief, steepness, seed)
    water, bank = _draw_water(canvas, relief, seed)

    coarse_water = water[: shape[0] // STEP * STEP, : shape[1] // STEP * STEP]
    coarse_water = coarse_water.reshape(shape[0] // STEP, STEP, -1, STEP).any(axis=(1, 3))
    dry_slope = fields.slope[: coarse_water.shape[0], : coarse_water.shape[1]]
    settlement = found_villages(dry_slope, coarse_water, STEP, stream(seed, "villages"))
    detail = draw_villages(shape, settlement, stream(seed, "buildings"))
    roads = draw_roads(shape, settlement, dry_slope, coarse_water, STEP, stream(seed, "roads"))

    regions = FieldRegions.make(shape, stream(seed, "regions"))
    plots = Plots.make(shape, stream(seed, "plots"))
    wood = broad(shape, stream(seed, "woods"), wavelength=260, exponent=2.0, step=4)
    fringe = np.tile(
        ragged((512, 512), stream(seed, "fringe"), sigma=2.8),
        (-(-shape[0] // 512), -(-shape[1] // 512)),
    )[: shape[0], : shape[1]]
    bare = broad(shape, stream(seed, "bare"), wavelength=300, exponent=2.4, step=4)
    warp = 7.0 * broad(shape, stream(seed, "warp"), wavelength=700, exponent=5.0)

    landcover = np.zeros(shape, np.uint8)
    key = np.zeros(shape, np.uint32)
    margin = np.zeros(shape, np.uint8)
    direction = np.zeros(shape, np.uint8)
    fall = np.tan(np.radians(slope)) * np.float32(np.mean(canvas.pixel_metres))
    for top in range(0, shape[0], BAND):
        rows = slice(top, min(top + BAND, shape[0]))
        out = _Band(landcover[rows], key[rows], margin[rows], direction[rows])
        out.nature(slope[rows], height[rows], wood[rows], fringe[rows], bare[rows])
        out.plots(plots, rows, fields)
        out.fields(regions, rows, warp[rows], fields)
        out.terraces(
            terrace_height[rows], fall[rows], slope[rows], fringe[rows], fields, plots, rows
        )
    river_bank = bank & (landcover != LandCover.BUILT_UP)
    landcover[river_bank] = np.where(
        bare[river_bank] > 0.2, LandCover.BARE_LAND, LandCover.GRASSLAND
    )
    landcover[detail > 0] = LandCover.BUILT_UP
    landcover[water] = LandCover.WATER
    landcover[roads] = LandCover.ROAD
    # What is laid over the parcels is no part of them.
    key[water | roads | river_bank | (detail > 0)] = 0
    detail[landcover != LandCover.BUILT_UP] = 0
    plain = ~is_cropland(landcover) & (landcover != LandCover.ORCHARD)
    margin[plain] = 0
    return Landscape(landcover, key, margin, direction, detail, height, settlement)


def _coarse_fields(canvas: Canvas, relief: Relief, steepness: np.ndarray, seed: int) -> _Fields:
    rows, cols = (-(-n // STEP) + 1 for n in canvas.shape)

    def shrink(array: np.ndarray) -> np.ndarray:
        west, _, _, north = canvas.bounds
        t: Affine = relief.transform
        pixel = canvas.grid.pixel_degrees * STEP
        box = (
            (west - t.c) / t.a,
            (north - t.f) / t.e,
            (west + cols * pixel - t.c) / t.a,
            (north - rows * pixel - t.f) / t.e,
        )
        image = Image.fromarray(np.ascontiguousarray(array, dtype=np.float32))
        return np.asarray(image.resize((cols, rows), Image.Resampling.BILINEAR, box=box))

    smooth_slope = np.degrees(np.arctan(ndimage.gaussian_filter(steepness, 2.5)))
    small = relief.height[::4, ::4]
    floor = ndimage.gaussian_filter(ndimage.minimum_filter(small, 11), 4)
    above = relief.height - enlarge(floor, relief.height.shape)

    def noise(name: str, wavelength: float, exponent: float = 2.4) -> np.ndarray:
        return fractal(
            (rows, cols), stream(seed, name), wavelength=wavelength / STEP, exponent=exponent
        )

    slope, low, metres = shrink(smooth_slope), shrink(above), shrink(relief.height)
    farmed = noise("farmed", 420)
    room = 1.9 + 0.5 * farmed - low / 40 - np.maximum(metres - 130, 0) / 70 - slope
    return _Fields(
        slope=slope,
        above=low,
        height=metres,
        wet=noise("wet", 700),
        farmed=farmed,
        orchard=noise("orchard", 380),
        special=noise("special", 260, 2.0),
        terraced=noise("terraced", 520, 2.8),
        steady=shrink(ndimage.gaussian_filter(steepness, 22)),
        room=np.where(farmed > -1.3, room, -1.0),
    )


def _draw_water(canvas: Canvas, relief: Relief, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(water, river bank), both (rows, columns) bool."""
    rows, cols = canvas.shape
    rng = stream(seed, "water")
    lake = canvas.resample(relief.lake, relief.transform, Image.Resampling.BILINEAR) > 0.5
    image = Image.new("L", (cols, rows))
    pen = ImageDraw.Draw(image)
    for line, area in relief.streams:
        xy = canvas.to_pixels(line)
        wobble = ndimage.gaussian_filter1d(rng.standard_normal((len(xy), 2)), 2, axis=0) * 7
        xy[1:-1] += wobble[1:-1]
        for start, end, drained in zip(xy[:-1], xy[1:], area[1:], strict=True):
            if drained > 5:
                width = 2 if drained < 25 else 3 if drained < 80 else 4
                pen.line([tuple(start), tuple(end)], fill=255, width=width)
    river = canvas.to_pixels(relief.river)
    swing = ndimage.gaussian_filter1d(rng.standard_normal(len(river)), 40)
    swing /= swing.std()
    shore = Image.new("L", (cols, rows))
    shore_pen = ImageDraw.Draw(shore)
    offset = ndimage.gaussian_filter1d(rng.standard_normal((len(river), 2)), 15, axis=0) * 10
    for number, (x, y) in enumerate(river):
        radius = 6.0 * (1 + 0.18 * swing[number])
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        wide = radius + 2.5
        bx, by = x + offset[number, 0], y + offset[number, 1]
        shore_pen.ellipse((bx - wide, by - wide, bx + wide, by + wide), fill=255)
    water = (np.asarray(image) > 0) | lake
    return water, (np.asarray(shore) > 0) & ~water


@dataclass(frozen=True)
class _Band:
    """Some rows of the landscape while they are being filled (views, written in place)."""

    landcover: np.ndarray
    key: np.ndarray
    margin: np.ndarray
    direction: np.ndarray

    def _put(self, index: np.ndarray, use: np.ndarray, parcels: Parcels, half_width: float) -> None:
        """Write parcels to the pixels with flat numbers `index`; `half_width` of their margins."""
        self.landcover.ravel()[index] = use
        self.key.ravel()[index] = parcels.key
        self.direction.ravel()[index] = parcels.direction
        self.margin.ravel()[index] = np.clip((half_width + 0.5 - parcels.edge) * 255, 0, 255)

    def nature(
        self,
        slope: np.ndarray,
        height: np.ndarray,
        wood: np.ndarray,
        fringe: np.ndarray,
        bare: np.ndarray,
    ) -> None:
        """Woods on the steep, grass on the gentle, bare land in patches and on ridges."""
        trees = slope / 7.5 + 0.45 * wood + 0.16 * fringe - np.maximum(height - 620, 0) / 420
        self.landcover[:] = np.where(trees > 0.62, LandCover.WOODLAND, LandCover.GRASSLAND)
        stony = bare + 0.22 * fringe + np.maximum(height - 640, 0) / 600 + slope / 40
        self.landcover[stony > 1.95] = LandCover.BARE_LAND

    def plots(self, plots: Plots, rows: slice, fields: _Fields) -> None:
        """Small irregular plots on gentle slopes and valley floors."""
        parcels = plots.parcels(plots.index[rows], plots.edge[rows])
        slope = fields.at("slope", parcels)
        above = fields.at("above", parcels)
        height = np.maximum(fields.at("height", parcels) - 120, 0)
        farmed = fields.at("farmed", parcels)
        orchard = fields.at("orchard", parcels)
        chance = unit(parcels.key, 41)
        # Grown by hash: the border of the farmed land follows the plots, not a smooth line.
        reach = (
            farmed
            + 1.0
            - slope / 5.5
            - above / 60
            - height / 500
            + (unit(parcels.key, 42) - 0.5) * 0.5
        )
        worked = (reach > 0) & (height < 150)
        grove = (
            (orchard + (unit(parcels.key, 43) - 0.5) * 0.35 > 0.85) & (slope < 9) & (slope > 0.8)
        )
        use = np.select(
            [chance < 0.07, chance < 0.10, chance < 0.13, chance < 0.24, chance < 0.50],
            [
                LandCover.FALLOW,
                LandCover.GRASSLAND,
                LandCover.WOODLAND,
                LandCover.CROPLAND_WITH_TREES,
                LandCover.PADDY,
            ],
            LandCover.DRY_CROPLAND,
        )
        use = np.where(grove, LandCover.ORCHARD, use)
        where = worked | (grove & (reach > -0.6) & (height < 260))
        self._put(np.flatnonzero(where), use[where], parcels.chosen(where), 0.35)

    def fields(self, regions: FieldRegions, rows: slice, warp: np.ndarray, fields: _Fields) -> None:
        """Large regular fields of the plain, with tracks, ponds and greenhouses."""
        # Only where a parcel of the plain can reach: its centre decides, and parcels are long.
        near = ndimage.maximum_filter(fields.room, 13)[rows.start // STEP : -(-rows.stop // STEP)]
        reach = np.repeat(np.repeat(near > 0, STEP, axis=0), STEP, axis=1)
        reach = reach[rows.start % STEP :][: rows.stop - rows.start, : self.landcover.shape[1]]
        index = np.flatnonzero(reach)
        y, x = np.divmod(index, np.int64(self.landcover.shape[1]))
        region = regions.index[rows].ravel()[index]
        parcels = regions.parcels(
            x.astype(np.float32) + np.float32(0.5),
            y.astype(np.float32) + np.float32(rows.start + 0.5),
            region,
            warp.ravel()[index],
        )
        where = fields.at("room", parcels) > 0
        index, parcels = index[where], parcels.chosen(where)
        use = _plain_use(parcels, fields)
        outer = regions.edge[rows].ravel()[index] < TRACK_HALF_WIDTH + 0.4
        use[(use == LandCover.WATER) & (parcels.edge < 1.2)] = LandCover.GRASSLAND
        use[(parcels.track < TRACK_HALF_WIDTH) | outer] = LandCover.ROAD
        self._put(index, use, parcels, 0.30)

    def terraces(
        self,
        height: np.ndarray,
        fall: np.ndarray,
        slope: np.ndarray,
        fringe: np.ndarray,
        fields: _Fields,
        plots: Plots,
        rows: slice,
    ) -> None:
        """Strips along the contours of favoured hillsides."""
        shape = self.landcover.shape

        def spread(field: np.ndarray) -> np.ndarray:
            first, last = rows.start // STEP, -(-rows.stop // STEP) + 1
            part = field[first : last + 1]
            whole = enlarge(part, (part.shape[0] * STEP, part.shape[1] * STEP))
            return whole[rows.start - first * STEP :][: shape[0], : shape[1]]

        favoured = spread(fields.terraced) + 0.05 * fringe
        fit = np.minimum((slope - 3.2) / 2.0, (15.5 - slope) / 4.0)
        zone = (favoured - np.maximum(height - 200, 0) / 110 > 0.58) & (fit > 0)
        if not zone.any():
            return
        steady = spread(fields.steady)[zone]
        # The rise between contours is one of a few: within a hillside it does not change.
        rise = 2.0 ** (np.round(np.log2(np.maximum(steady, 0.04) * 58) * 2) / 2)
        # Long fields: coarse squares of the plots' seeds cut the strips.
        cut = plots.index[rows][zone]
        seed_x, seed_y = plots.seeds[cut, 0], plots.seeds[cut, 1]
        parcels = terraces(
            height[zone],
            rise.astype(np.float32),
            fall[zone],
            (np.floor(seed_x / 64) * 4096 + np.floor(seed_y / 64)).astype(np.int32),
        )
        chance = unit(parcels.key, 61)
        use = np.full(chance.shape, LandCover.TERRACE, np.uint8)
        use[chance < 0.06] = LandCover.FALLOW
        use[chance > 0.965] = LandCover.GRASSLAND
        self._put(np.flatnonzero(zone), use, parcels, 0.6)


def _plain_use(parcels: Parcels, fields: _Fields) -> np.ndarray:
    """What the parcels of the plain are used for: `LandCover` codes, uint8."""
    wet, special = fields.at("wet", parcels), fields.at("special", parcels)
    orchard = fields.at("orchard", parcels)
    chance = unit(parcels.key, 51)
    rice = wet + (unit(parcels.key, 52) - 0.5) * 1.4 > 0.1
    use = np.where(rice, LandCover.PADDY, LandCover.DRY_CROPLAND).astype(np.uint8)
    use[chance < 0.07] = LandCover.FALLOW
    use[(chance >= 0.07) & (chance < 0.10)] = LandCover.CROPLAND_WITH_TREES
    use[(chance >= 0.10) & (chance < 0.135)] = LandCover.GRASSLAND
    use[(chance >= 0.135) & (chance < 0.155)] = LandCover.WOODLAND
    use[(special > 1.45) & (chance > 0.35)] = LandCover.GREENHOUSE
    use[(special < -1.35) & (chance > 0.25)] = LandCover.WATER
    use[(orchard > 1.0) & (chance > 0.25)] = LandCover.ORCHARD
    return use
