"""Other gridded products (SPAM and kin): hectares of a crop, brought onto the cells of a case."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from rasterio.transform import Affine
from scipy.sparse import csr_array

from cropalloc.export.names import read_map
from cropalloc.export.places import Places
from cropalloc.settings.validation import ProductMap
from cropbase.areas import row_pixel_areas_ha
from cropbase.errors import InputError

_RASTERS = (".tif", ".tiff")


def read_product(product: ProductMap) -> tuple[np.ndarray, Affine]:
    """Hectares a pixel, (rows, columns) float64, NaN where unknown, and the transform (degrees).

    Raises InputError for a file or member that is not there or is no raster in EPSG:4326.
    """
    path = Path(product.path)
    if path.suffix.lower() == ".zip":
        values, transform = read_map(_in_zip(path, product.member))
    else:
        values, transform = read_map(path)
    if np.nanmin(values, initial=0.0) < 0:
        raise InputError(
            f"product {path} has negative areas",
            given=f"{np.nanmin(values):g}",
            remedy="declare its nodata value, e.g. `gdal_edit.py -a_nodata -1 FILE`",
        )
    return values * product.hectares_per_value, transform


def _in_zip(path: Path, member: str | None) -> str:
    """GDAL's name of the one GeoTIFF in a zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(_RASTERS)]
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"zip {path} cannot be read", given=error) from None
    if member is not None:
        names = [name for name in names if name == member or name.rsplit("/", 1)[-1] == member]
    if len(names) != 1:
        raise InputError(
            f"zip {path} must hold exactly one GeoTIFF" + (f" {member}" if member else ""),
            given=", ".join(names) or "none",
            remedy="name it with `member`",
        )
    return f"/vsizip/{path}/{names[0]}"


def onto_cells(
    values: np.ndarray, transform: Affine, places: Places
) -> tuple[np.ndarray, float, float]:
    """Hectares of a product, spread evenly over its pixels, summed in the cells of a case.

    Parameters
    ----------
    values : (rows, columns) float64, hectares a pixel, NaN where unknown (taken as none).
    transform : of the product, EPSG:4326, north-up, any resolution.

    Returns
    -------
    (n,) float64, hectares a cell; the hectares within the window of the case's grid that fall on
    no cell; and the hectares of the product outside the window. The three sum to the product.
    """
    values = np.nan_to_num(values)
    height, width = values.shape
    rows = _overlap(_parallels(transform, height), _parallels(places.transform, places.height))
    columns = _overlap(
        transform.c + transform.a * np.arange(width + 1),
        places.transform.c + places.transform.a * np.arange(places.width + 1),
    )
    window = rows @ (columns @ values.T).T
    cells = window[places.rows, places.columns]
    inside = float(window.sum())
    return cells, inside - float(cells.sum()), float(values.sum()) - inside


def _parallels(transform: Affine, height: int) -> np.ndarray:
    """Row edges in a measure that is proportional to area: ellipsoidal area from the north pole."""
    # The area north of the raster's own top is found by counting from the pole in one "row".
    cap = row_pixel_areas_ha(Affine(1.0, 0, 0, 0, -(90.0 - transform.f), 90.0), 1)[0]
    bands = row_pixel_areas_ha(Affine(1.0, 0, 0, 0, transform.e, transform.f), height)
    return cap + np.concatenate([[0.0], np.cumsum(bands)])


def _overlap(source: np.ndarray, target: np.ndarray) -> csr_array:
    """(targets, sources): the part of each source interval in each target; edges ascend."""
    edges = np.union1d(source, target)
    edges = edges[(edges >= max(source[0], target[0])) & (edges <= min(source[-1], target[-1]))]
    if len(edges) < 2:
        return csr_array((len(target) - 1, len(source) - 1))
    middle = (edges[:-1] + edges[1:]) / 2
    of_source = np.searchsorted(source, middle, side="right") - 1
    of_target = np.searchsorted(target, middle, side="right") - 1
    share = np.diff(edges) / np.diff(source)[of_source]
    return csr_array((share, (of_target, of_source)), shape=(len(target) - 1, len(source) - 1))
