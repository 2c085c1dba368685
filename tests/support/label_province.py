"""A generated province of four blocks with every kind of label file, for tests of the label store."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import shapely
import yaml

PROVINCE = shapely.box(112.0, 24.0, 112.1, 24.1)
BLOCKS = ("E11200N2400", "E11200N2405", "E11205N2400", "E11205N2405")
FIELDS = [
    shapely.box(112.010, 24.010, 112.014, 24.014),
    shapely.box(112.014, 24.010, 112.018, 24.014),
    shapely.box(112.065, 24.065, 112.070, 24.070),
]
EXTENTS = [shapely.box(112.0, 24.0, 112.03, 24.03), shapely.box(112.06, 24.06, 112.09, 24.09)]


def fields(shapes=FIELDS, **columns) -> gpd.GeoDataFrame:
    given = {"class": ["paddy", "fallow", "terraces"][: len(shapes)]} | columns
    return gpd.GeoDataFrame(given, geometry=list(shapes), crs=4326)


def extents(**columns) -> gpd.GeoDataFrame:
    given = {"extent_id": ["a", "b"], "split": ["train", "validation"]} | columns
    return gpd.GeoDataFrame(given, geometry=EXTENTS, crs=4326)


class LabelProvince:
    """A folder with config/, labels/ and the province's polygons; the working directory of tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.labels = folder / "labels"
        self.config = folder / "config"
        for path in (self.labels, self.config / "provinces"):
            path.mkdir(parents=True)
        layer = gpd.GeoDataFrame({"name": ["p"]}, geometry=[PROVINCE], crs=4326)
        layer.to_file(folder / "province.gpkg")
        fields().to_file(self.labels / "cropland.gpkg")
        extents().to_file(self.labels / "extents.gpkg")
        rows = "".join(f"{name},{s},TP\n" for name in BLOCKS for s in ("a", "b"))
        (self.labels / "semantic.csv").write_text("block_id,source,semantic_class\n" + rows)
        rows = "".join(f"{name},both\n" for name in BLOCKS)
        (self.labels / "options.csv").write_text("block_id,option\n" + rows)
        (self.config / "default.yaml").write_text("")
        self.configure()

    def configure(self, **labels) -> None:
        """Write the configuration; `labels` over the usual label keys, None for none."""
        keys = {key: str(self.labels / f"{key}.gpkg") for key in ("cropland", "extents")}
        keys |= {key: str(self.labels / f"{key}.csv") for key in ("semantic", "options")}
        keys |= {"rounds": str(self.folder / "rounds")} | labels
        raster = {"kind": "raster", "paths": ["none.tif"], "attribution": "generated"}
        values = {
            "province": {
                "title": "Generated",
                "boundary": str(self.folder / "province.gpkg"),
                "counties": str(self.folder / "province.gpkg"),
            },
            "grid": {"pixels_per_block": 64, "shard_degrees": 0.1},
            "sources": {"a": raster, "b": raster},
            "terrain": {"dem": []},
            "labels": keys,
        }
        (self.config / "provinces" / "p.yaml").write_text(yaml.safe_dump(values))
