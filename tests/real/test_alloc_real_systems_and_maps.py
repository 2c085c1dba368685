"""Systems, maps and validation on the real statistics of Australia, and SPAM's wheat map."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cropalloc.settings.systems import SystemsSettings, UnitTable
from cropalloc.settings.validation import ProductMap
from cropalloc.systems import classify_systems
from cropalloc.validation.products import onto_cells, read_product
from cropbase.tables import write_table

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CROPLAYER_DATA_ROOT", ROOT.parent / "shared" / "data"))
AUSTRALIA = DATA / "australia" / "statistics"
SPAM = DATA / "global/spam2005_wheat/spam2005v3r2_harvested-area_wheat_total.tiff.zip"
pytestmark = pytest.mark.skipif(not AUSTRALIA.exists(), reason=f"no real data at {DATA}")


def test_systems_of_australia_sum_to_the_statistics(tmp_path):
    area = pd.read_csv(AUSTRALIA / "ha_adm_2010_AUS.csv", na_values=["-999", "NA"])
    area = area[area["adm_level"] == 1].rename(columns={"adm_code": "target_id"})
    targets = area.melt(["target_id"], ["whea", "cott", "rice"], "crop", "harvested_ha").dropna()
    targets = targets.assign(year=2010, unit_id=targets["target_id"], level=1)
    states = area[["target_id", "adm_name"]].set_axis(["unit_id", "name"], axis=1)
    units = pd.concat(
        [
            pd.DataFrame({"unit_id": ["AU0"], "name": ["Australia"], "level": [0]}),
            states.assign(level=1, parent_id="AU0"),
        ]
    )
    write_table(targets, tmp_path / "targets.parquet")
    write_table(units, tmp_path / "units.parquet")
    write_table(targets[["crop", "year", "target_id"]], tmp_path / "members.parquet")
    found = {}
    for level in (0, None):
        found[level] = classify_systems(
            targets=tmp_path / "targets.parquet",
            members=tmp_path / "members.parquet",
            units=tmp_path / "units.parquet",
            cells=None,
            systems=SystemsSettings(
                known_for="whole_area",
                shares=UnitTable(path=AUSTRALIA / "ps_adm_2010_AUS.csv", deepest_level=level),
                intensity=UnitTable(path=AUSTRALIA / "ci_adm_2010_AUS.csv"),
            ),
            areas_path=tmp_path / "areas.parquet",
            clips_path=tmp_path / "clips.csv",
        ).set_index(["crop", "target_id", "system"])
        sums = found[level]["harvested_ha"].unstack()
        wanted = targets.set_index(["crop", "target_id"])["harvested_ha"].reindex(sums.index)
        assert ((sums["I"] + sums["H"]) + sums["L"] == wanted).all()
    assert pd.read_csv(tmp_path / "clips.csv").empty
    # The irrigated half of the nation's wheat, and what the states' own rows say.
    share = found[0]["share"]
    assert share[("whea", "AU1", "I")] == pytest.approx(0.494740473577128)
    assert found[None]["share"][("whea", "AU3", "I")] == pytest.approx(0.849875, abs=1e-6)


@pytest.mark.skipif(not SPAM.exists(), reason=f"no SPAM map at {SPAM}")
def test_spam_wheat_of_china_keeps_its_hectares(tmp_path):
    from cropalloc.export import Places
    from cropalloc.grid.cellgrid import CellGrid

    values, transform = read_product(ProductMap(crop="wheat", path=SPAM))
    # A window of the North China Plain, at 2.5 arc-minutes: half of SPAM's cells.
    grid = CellGrid.from_bounds((114.0, 34.0, 118.0, 38.0), 150)
    row, col = (part.ravel() for part in np.mgrid[0 : grid.rows, 0 : grid.columns])
    places = Places.of(grid.table(row, col, np.full(len(row), "x")), grid)
    found, off, outside = onto_cells(values, transform, places)
    total = np.nansum(values)
    assert off == pytest.approx(0, abs=1e-3)
    assert found.sum() + outside == pytest.approx(total, rel=1e-9)
    top, left = round((transform.f - 38) * 12), round((114 - transform.c) * 12)
    assert found.sum() == pytest.approx(
        np.nansum(values[top : top + 48, left : left + 48]), rel=1e-6
    )
    assert found.sum() > 1e6
