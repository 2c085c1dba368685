"""What surrounds a cell: travel time, people, towns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cropalloc.settings.suitability import MaskSettings, SuitabilitySettings
from cropalloc.suitability.rasters import CellSampler
from cropalloc.suitability.scaling import access_score
from cropbase.errors import InputError

SYSTEMS = ("I", "H", "L")


@dataclass
class Surroundings:
    """Access and masks of the cells.

    Attributes
    ----------
    access : (n,) float64 0-100, NaN = no I or H there.
    never : system -> (n,) bool, cells that a mask keeps free of crops.
    caps : system -> (n,) float32, highest score.
    report : rows of the report.
    """

    access: np.ndarray
    never: dict[str, np.ndarray]
    caps: dict[str, np.ndarray]
    report: list[dict[str, Any]] = field(default_factory=list)

    def masked(self, system: str, score: np.ndarray) -> np.ndarray:
        """Scores (n,) float32 with the masks of a system applied."""
        capped = np.fmin(score, self.caps[system], dtype=np.float32)
        capped[np.isnan(score) | self.never[system]] = np.nan
        return capped


def read_surroundings(
    settings: SuitabilitySettings, sampler: CellSampler, year: int
) -> Surroundings:
    """Read travel time, population and urban extent; raises InputError for a raster unfit."""
    n = len(sampler.row)
    around = Surroundings(
        access=np.full(n, 100.0),
        never={system: np.zeros(n, dtype=bool) for system in SYSTEMS},
        caps={system: np.full(n, 100.0, dtype=np.float32) for system in SYSTEMS},
    )
    travel = settings.travel_time
    if travel is None:
        around.report.append(
            {"item": "travel_time", "sentence": "not configured: access is the same everywhere"}
        )
    else:
        path = travel.path.replace("{year}", str(year))
        time = sampler.values(path, "travel time").astype(float)
        if np.any(time < 0):
            raise InputError(
                f"travel time: raster {path} has a negative value",
                given=f"{np.nanmin(time):g}",
                remedy="see that the file declares its nodata value",
            )
        around.access = access_score(
            time,
            log_scale=travel.scale == "log",
            missing_is_farthest=travel.missing_is == "farthest",
        )
        missing = int(np.isnan(time).sum())
        what = "count as the farthest" if travel.missing_is == "farthest" else "can hold no I or H"
        around.report.append(
            {
                "item": "travel_time",
                "cells": n,
                "sentence": f"{missing} cells without a travel time {what}",
            }
        )
    for name, mask in (("population", settings.population), ("urban", settings.urban)):
        if mask is not None:
            _apply(around, name, mask, sampler, year)
    return around


def _apply(
    around: Surroundings, name: str, mask: MaskSettings, sampler: CellSampler, year: int
) -> None:
    path = mask.path.replace("{year}", str(year))
    read = sampler.density_per_km2 if mask.values == "per_pixel" else sampler.values
    with np.errstate(invalid="ignore"):
        hit = read(path, name) > mask.above  # a cell without a value is not masked
    for system in mask.systems:
        if mask.action == "never":
            around.never[system] |= hit
        else:
            caps = around.caps[system]
            caps[hit] = np.minimum(caps[hit], np.float32(mask.cap_score))
    what = "hold no crop" if mask.action == "never" else f"score {mask.cap_score:g} at most"
    around.report.append(
        {
            "item": name,
            "cells": len(hit),
            "sentence": f"{int(hit.sum())} cells above {mask.above:g} {what} "
            f"({', '.join(mask.systems)})",
        }
    )
