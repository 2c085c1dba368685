"""Maps of a small generated case: names, values, metadata, and the account of every hectare."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
import rasterio
from alloc_small_case import GRID, cells, targets, write_case

from cropalloc.export import Places, find_maps, write_maps
from cropalloc.settings.maps import MapSettings
from cropalloc.systems import split_exactly
from cropbase.errors import CompletenessError, InputError
from cropbase.tables import write_table

MAPS = MapSettings(resolution_label="5min", country="XYZ", source="made up", note="generated")
INTENSITY = {"I": 1.5, "H": 1.0, "L": 1.25}


def systems_areas():
    table = targets()
    parts = split_exactly(
        table["harvested_ha"].to_numpy(), np.tile([0.3, 0.5, 0.2], (len(table), 1))
    )
    long = table.loc[table.index.repeat(3), ["target_id", "crop", "year"]].reset_index(drop=True)
    long["system"] = list("IHL") * len(table)
    long["intensity"] = long["system"].map(INTENSITY)
    return long.assign(harvested_ha=parts.ravel(), share=0.0, physical_ha=0.0)


def spread(seed=0, scale=None):
    """Areas: each target and system over the cells of its leaves, at random."""
    rng = np.random.default_rng(seed)
    leaves = {
        ("wheat", "P1"): "AB", ("wheat", "P2"): "C", ("rice", "A"): "A", ("rice", "P1~rest"): "B",
    }  # fmt: skip
    rows = []
    for row in systems_areas().itertuples():
        if row.harvested_ha == 0:
            continue
        table = cells()
        inside = table["leaf_id"].isin(list(leaves[row.crop, row.target_id]))
        at = table.loc[inside, "cell_id"]
        part = rng.dirichlet(np.ones(len(at))) * row.harvested_ha
        part *= (scale or {}).get((row.crop, row.target_id, row.system), 1.0)
        rows += [(c, row.crop, row.system, p) for c, p in zip(at, part, strict=True)]
    return pd.DataFrame(rows, columns=["cell_id", "crop", "system", "harvested_ha"])


@pytest.fixture
def write(tmp_path):
    paths = write_case(tmp_path)
    del paths["units"]
    write_table(systems_areas(), tmp_path / "systems.parquet")

    def run(areas=None, slack="", maps=MAPS, folder="maps", **more):
        areas = spread() if areas is None else areas
        # Two groups, as the allocation writes them.
        groups = [tmp_path / "g1.parquet", tmp_path / "g2.parquet"]
        write_table(areas[areas["cell_id"] % 2 == 0], groups[0])
        write_table(areas[areas["cell_id"] % 2 == 1], groups[1])
        (tmp_path / "slack.csv").write_text("kind,unit_id,crop,system,hectares,sentence\n" + slack)
        written = write_maps(
            **paths,
            areas=groups,
            systems_areas=tmp_path / "systems.parquet",
            slack=[tmp_path / "slack.csv"],
            maps=maps,
            year=2010,
            folder=tmp_path / folder,
            account_path=tmp_path / "account.csv",
            **more,
        )
        return written, pd.read_csv(tmp_path / "account.csv").set_index(
            ["crop", "target_id", "system"]
        )

    return run


def read(path):
    with rasterio.open(path) as file:
        return file.read(1), file


def test_names_are_those_of_the_contract(write):
    written, _ = write()
    assert [path.name for path in written] == [
        f"ha_{crop}_{system}_5min_2010_XYZ.tif" for crop in ("rice", "wheat") for system in "IHLA"
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_is_the_sum_of_the_systems_bit_by_bit(write, tmp_path, dtype):
    write(maps=MAPS.model_copy(update={"dtype": dtype}))
    for crop in ("wheat", "rice"):
        one = {s: read(tmp_path / f"maps/ha_{crop}_{s}_5min_2010_XYZ.tif")[0] for s in "IHLA"}
        assert one["A"].dtype == dtype
        np.testing.assert_array_equal((one["I"] + one["H"]) + one["L"], one["A"])


def test_values_lie_in_their_cells_and_match_the_areas(write, tmp_path):
    areas = spread()
    write(areas)
    values, file = read(tmp_path / "maps/ha_wheat_H_5min_2010_XYZ.tif")
    expected = np.zeros(24)
    rows = areas.query("crop == 'wheat' and system == 'H'")
    expected[rows["cell_id"]] = rows["harvested_ha"]
    np.testing.assert_array_equal(values, expected.reshape(4, 6).astype("float32"))
    assert file.transform.almost_equals(GRID.transform)
    assert file.crs.to_epsg() == 4326


def test_files_are_cogs_with_metadata(write, tmp_path):
    write()
    with rasterio.open(tmp_path / "maps/ha_wheat_I_5min_2010_XYZ.tif") as file:
        tags = file.tags()
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert np.isnan(file.nodata)
    assert tags["title"] == "Harvested area of wheat, irrigated, 2010"
    assert (tags["crop"], tags["system"], tags["year"]) == ("wheat", "I", "2010")
    assert (tags["source"], tags["note"]) == ("made up", "generated")
    assert "hectares" in tags["unit"]


@pytest.mark.parametrize("nodata", ["nan", "-9999"])
def test_outside_the_case_is_nodata_and_a_cell_without_the_crop_is_zero(write, tmp_path, nodata):
    table = cells()
    table = table[table["cell_id"] != 23]
    table.attrs = cells().attrs
    write_table(table, tmp_path / "cells.parquet")
    areas = spread()
    areas = areas[areas["cell_id"] != 23]
    with pytest.raises(CompletenessError):  # the hectares of cell 23 are gone
        write(areas, maps=MAPS.model_copy(update={"nodata": nodata}))
    values, file = read(tmp_path / "maps/ha_rice_A_5min_2010_XYZ.tif")
    assert values[3, 4] == 0
    assert np.isnan(values[3, 5]) if nodata == "nan" else values[3, 5] == -9999
    with rasterio.open(file.name) as again:
        assert again.read_masks(1)[3, 5] == 0
        assert again.read_masks(1)[3, 4] == 255


def test_the_account_balances(write):
    _, account = write()
    assert len(account) == 5 * 4
    np.testing.assert_allclose(account["map_ha"], account["statistics_ha"], rtol=1e-6)
    assert account["judged"].all()
    assert account.loc[("wheat", "P1", "A"), "statistics_ha"] == 1000.1


def test_a_lost_hectare_is_an_error_that_names_it(write, tmp_path):
    areas = spread(scale={("wheat", "P1", "I"): 1 - 1e-4})
    with pytest.raises(CompletenessError, match=r"wheat A in P1: 1000\.070 ha on the map"):
        write(areas)
    assert (tmp_path / "account.csv").exists()


def test_a_gained_hectare_is_an_error_too(write):
    with pytest.raises(CompletenessError, match="rice H in A"):
        write(spread(scale={("rice", "A", "H"): 1.01}))


def test_reported_slack_explains_what_is_missing(write):
    lost = 0.25 * 1000.1 * 0.3  # harvested hectares of irrigated wheat in P1
    slack = f"statistic,P1,wheat,I,{lost / INTENSITY['I']!r},\n"
    _, account = write(spread(scale={("wheat", "P1", "I"): 0.75}), slack)
    assert account.loc[("wheat", "P1", "I"), "slack_ha"] == pytest.approx(lost)
    assert account.loc[("wheat", "P1", "A"), "slack_ha"] == pytest.approx(lost)
    assert account.loc[("wheat", "P1", "H"), "slack_ha"] == 0


def test_slack_of_all_systems_is_harvested_and_land_slack_moves_nothing(write):
    scale = {("wheat", "P2", s): 0.5 for s in "IHL"}
    slack = f"statistic,P2,wheat,I+H+L,{333.3 / 2!r},\ncropland,C,,,12,\n"
    _, account = write(spread(scale=scale), slack, known_for="whole_area")
    assert account.loc[("wheat", "P2", "A"), "slack_ha"] == pytest.approx(333.3 / 2)


def test_systems_may_move_between_targets_where_only_the_whole_area_is_known(write):
    # 30 ha of irrigated wheat in P1 are high-input there instead: the target's sum is the same.
    irrigated, high = 1000.1 * 0.3, 1000.1 * 0.5
    scale = {("wheat", "P1", "I"): 1 - 30 / irrigated, ("wheat", "P1", "H"): 1 + 30 / high}
    with pytest.raises(CompletenessError, match="wheat [IH] in P1"):
        write(spread(scale=scale))
    _, account = write(spread(scale=scale), known_for="whole_area")
    assert not account.loc[("wheat", "P1", "I"), "judged"]
    assert account.loc[("wheat", "P1", "A"), "judged"]


def test_overlapping_groups_and_unknown_crops_are_errors(write):
    areas = spread()
    with pytest.raises(CompletenessError, match="allocated to cell .* twice"):
        write(pd.concat([areas, areas.head(1)]))
    with pytest.raises(CompletenessError, match="allocated to oats"):
        write(pd.concat([areas, areas.head(1).assign(crop="oats")]))
    with pytest.raises(InputError, match="no usable area of wheat"):
        write(pd.concat([areas, areas.tail(1).assign(crop="wheat", harvested_ha=np.nan)]))
    with pytest.raises(InputError, match="not in the table of cells"):
        write(pd.concat([areas, areas.tail(1).assign(crop="wheat", cell_id=99)]))


def test_area_in_a_leaf_without_a_target_is_an_error(write, tmp_path):
    table = pd.read_parquet(tmp_path / "members.parquet")
    write_table(table[table["leaf_id"] != "B"], tmp_path / "members.parquet")
    with pytest.raises(CompletenessError, match="leaf B, which no target"):
        write()


def test_the_same_areas_give_the_same_bytes(write):
    def digest(folder):
        written, _ = write(folder=folder)
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in written]

    assert digest("one") == digest("two")


def test_maps_are_found_by_crop_and_a_folder_without_any_is_an_error(write, tmp_path):
    write()
    assert list(find_maps(tmp_path / "maps", MAPS, year=2010)) == ["rice", "wheat"]
    with pytest.raises(InputError, match="no map of system A and year 2015"):
        find_maps(tmp_path / "maps", MAPS, year=2015)


def test_means_in_cells_are_weighted_by_area_from_finer_rasters(tmp_path):
    fine = np.random.default_rng(1).random((16, 24)).astype("float32")
    path = tmp_path / "fine.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=16, width=24, count=1, dtype="float32",
        crs="EPSG:4326", transform=GRID.transform @ rasterio.Affine.scale(0.25),
    ) as file:  # fmt: skip
        file.write(fine, 1)
    places = Places.of(cells(), GRID)
    expected = fine.reshape(4, 4, 6, 4).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(places.mean_of(path), expected, rtol=1e-5)
