"""An existing product beside the own map, on the global pixel grid."""

from __future__ import annotations

import numpy as np

from cropbase.errors import InputError
from cropbase.rasters import open_raster
from croplayer.active.choosing.product_files import product_files
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.settings.active import ProductSettings
from croplayer.settings.sources import RasterSource
from croplayer.tiles.raster_reader import RasterImagery


class Product:
    """Cropland of a product, sampled at pixel centres (nearest). Use as a context manager.

    Raises InputError for files that cannot be opened or whose first band is not uint8.
    """

    def __init__(self, name: str, settings: ProductSettings, grid: BlockGrid) -> None:
        files = product_files(name, settings)
        for file in files:
            with open_raster(file) as dataset:
                if dataset.dtypes[0] != "uint8":
                    raise InputError(
                        f"product {file} is not uint8",
                        given=dataset.dtypes[0],
                        remedy="convert it: `gdal_translate -ot Byte FILE NEW_FILE`",
                    )
        # As grey imagery: order of precedence, CRS and sampling are those of imagery.
        source = RasterSource(paths=tuple(map(str, files)), bands=(1, 1, 1))
        self._raster = RasterImagery(files, source, grid, "nearest")
        self._is_cropland = np.isin(np.arange(256), settings.cropland_values)
        self._is_known = ~np.isin(np.arange(256), settings.nodata_values)

    def __enter__(self) -> Product:
        self._raster.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._raster.__exit__(*exception)

    def read(self, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        """(cropland, known), each bool (rows, columns), of a window of the global grid."""
        grey, valid = self._raster.sample(window)
        values = grey[..., 0]
        known = valid & self._is_known[values]
        return self._is_cropland[values] & known, known
