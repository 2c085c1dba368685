"""A tiny country in files, and `read` to read it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from cropalloc.settings.statistics import StatisticsSettings
from cropalloc.statistics import read_statistics

CROPS = Path(__file__).parents[4] / "config" / "crops.yaml"

UNITS = """unit_id,name,level,parent
N,Nation,0,
N1,East,1,N
N2,West,1,N
N11,Alpha,2,N1
N12,Beta,2,N1
N21,Gamma City,2,N2
"""


@pytest.fixture
def country(tmp_path):
    """Writes files of a case and reads them: `country.read(sources, **statistics)`."""

    def write(name: str, text: str, encoding: str = "utf-8") -> str:
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return str(path)

    units = write("units.csv", UNITS)

    def settings(sources, **statistics) -> StatisticsSettings:
        base = {
            "units": {
                "kind": "rows", "path": units, "id": "unit_id", "name": "name", "level": "level",
                "parent": "parent",
            },
            "nodes": [2010],
        }  # fmt: skip
        return StatisticsSettings.model_validate({**base, "sources": sources, **statistics})

    def read(sources, **statistics) -> SimpleNamespace:
        paths = {n: tmp_path / "out" / n for n in ("units.parquet", "reported.parquet", "f.csv")}
        read_statistics(
            statistics=settings(sources, **statistics),
            crops_file=CROPS,
            units_path=paths["units.parquet"],
            reported_path=paths["reported.parquet"],
            findings_path=paths["f.csv"],
        )
        return SimpleNamespace(
            units=pd.read_parquet(paths["units.parquet"]),
            reported=pd.read_parquet(paths["reported.parquet"]),
            findings=pd.read_csv(paths["f.csv"], keep_default_na=False),
            paths=paths,
        )

    def long(name: str, *lines: str, **source) -> dict:
        path = write(f"{name}.csv", "\n".join(["unit,crop,year,value", *lines]) + "\n")
        return {
            "kind": "long", "name": name, "paths": [path], "unit_of_measure": "ha",
            "unit_column": "unit", "crop_column": "crop", "year_column": "year",
            "value_column": "value", **source,
        }  # fmt: skip

    return SimpleNamespace(write=write, settings=settings, read=read, long=long, folder=tmp_path)
