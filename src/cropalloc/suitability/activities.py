"""The rasters of activities: which file, and what its values mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cropalloc.settings.suitability import SuitabilitySettings
from cropalloc.statistics.crops import Concordance
from cropalloc.suitability.rasters import CellSampler
from cropbase.errors import InputError

Activity = tuple[str, str]
"""Crop id and system."""


def name_of(activity: Activity) -> str:
    """The column of an activity: `<crop>_<system>`."""
    return f"{activity[0]}_{activity[1]}"


def parse(text: str) -> Activity:
    """The activity of a column name."""
    crop, _, system = text.rpartition("_")
    return crop, system


def raster_path(
    activity: Activity, settings: SuitabilitySettings, concordance: Concordance, year: int
) -> Path | None:
    """The raster of an activity: potential yield for I and H, suitability index for L.

    None where the settings have no pattern. Raises InputError if the crop has no name in the
    vocabulary that the pattern asks for.
    """
    crop, system = activity
    pattern = settings.suitability_index if system == "L" else settings.potential_yield
    if pattern is None:
        return None
    places = {
        "crop": lambda: crop,
        "system": lambda: settings.system_codes[system],
        "year": lambda: str(year),
        "spam": lambda: concordance.name(crop, "spam"),
        "gaez": lambda: _gaez(crop, settings, concordance),
    }
    for place, value in places.items():
        if f"{{{place}}}" in pattern:
            text = value()
            if text is None:
                raise InputError(
                    f"crop {crop} has no {place} name, which {pattern} asks for",
                    remedy=f"add names.{place} to the crop in {concordance.path}"
                    + (", or set suitability.gaez_names" if place == "gaez" else ""),
                )
            pattern = pattern.replace(f"{{{place}}}", text)
    return Path(pattern)


def _gaez(crop: str, settings: SuitabilitySettings, concordance: Concordance) -> str | None:
    if crop in settings.gaez_names:
        return settings.gaez_names[crop]
    own = concordance.name(crop, "gaez")
    proxy = concordance.crops[crop].proxy
    return own if own is not None or proxy is None else _gaez(proxy, settings, concordance)


def read_activity(
    activity: Activity,
    path: Path,
    settings: SuitabilitySettings,
    concordance: Concordance,
    sampler: CellSampler,
) -> np.ndarray:
    """Fresh potential yield (t/ha; I and H) or suitability index (0-100; L) of the cells, float32.

    NaN = never. Raises InputError for values that cannot be what the settings say they are.
    """
    crop, system = activity
    what = name_of(activity)
    values = sampler.values(path, what)
    if system == "L":
        values = values * (100.0 / settings.suitability_index_max)
        top, tolerance, key = 100.5, 1.0, "suitability_index_max"
    else:
        values = values / (1000.0 if settings.potential_yield_unit == "kg_per_ha" else 1.0)
        top, tolerance, key = 500.0, 0.05, "potential_yield_unit"
    low, high = _range(values)
    # A little below 0 comes from interpolation in the making of such files.
    if low < -tolerance or high > top:
        raise InputError(
            f"{what}: raster {path} has impossible values",
            given=f"{low:g} to {high:g} " + ("of 100" if system == "L" else "t/ha"),
            allowed="0 to 100" if system == "L" else f"0 to {top:g} t/ha",
            remedy=f"set suitability.{key}, and see that the file declares its nodata value",
        )
    values = np.maximum(values, 0.0)
    if system != "L" and settings.potential_yield_is_dry:
        values = values / concordance.crops[crop].dry_matter_share
    return values.astype(np.float32)


def _range(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
