"""Change between years on small generated maps: shares, centres, shifts, profiles, figures."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
import rasterio
from pyproj import Geod

from cropalloc.change import analyse_change, equal_area_crs, plot_change, plot_shares
from cropalloc.export import find_maps, map_name
from cropalloc.settings.change import ChangeSettings
from cropalloc.settings.maps import MapSettings
from cropbase.errors import ConfigError, InputError

MAPS = MapSettings(resolution_label="6min")
STEP, WEST, NORTH = 0.1, 95.0, 45.0
SHAPE = (120, 200)


def write_map(folder, crop, year, values, west=WEST):
    folder.mkdir(exist_ok=True)
    with rasterio.open(
        folder / map_name(MAPS, crop=crop, system="A", year=year), "w", driver="GTiff",
        height=values.shape[0], width=values.shape[1], count=1, dtype="float64",
        crs="EPSG:4326", transform=rasterio.Affine(STEP, 0, west, 0, -STEP, NORTH), nodata=np.nan,
    ) as file:  # fmt: skip
        file.write(values, 1)


def blob(lon, lat, east_km, north_km, turn=0.0):
    """A Gaussian on the ground about a point, hectares a cell; `turn` clockwise from north."""
    x = WEST + STEP * (np.arange(SHAPE[1]) + 0.5)
    y = NORTH - STEP * (np.arange(SHAPE[0]) + 0.5)
    lons, lats = np.meshgrid(x, y)
    azimuth, _, metres = Geod(ellps="WGS84").inv(
        np.full(lons.size, lon), np.full(lons.size, lat), lons.ravel(), lats.ravel()
    )
    t = np.radians(np.asarray(azimuth) - turn)
    d = np.asarray(metres) / 1000
    z = (d * np.sin(t) / east_km) ** 2 + (d * np.cos(t) / north_km) ** 2
    values = np.exp(-z / 2).reshape(SHAPE) * np.cos(np.radians(lats))
    values[:, :3] = np.nan
    return values


@pytest.fixture
def run(tmp_path):
    def analyse(folders, **settings):
        table = analyse_change(
            folders=folders,
            maps=MAPS,
            change=ChangeSettings(**settings),
            shares_path=tmp_path / "shares.csv",
            ellipses_path=tmp_path / "ellipses.csv",
            profiles_path=tmp_path / "profiles.parquet",
        )
        return table.set_index(["crop", "year"])

    return analyse


@pytest.fixture
def two_years(tmp_path):
    for year, lon, lat in ((2000, 104.0, 39.0), (2010, 106.0, 40.5)):
        write_map(tmp_path / str(year), "maize", year, blob(lon, lat, 60, 150, 40) * year)
        write_map(tmp_path / str(year), "rice", year, blob(105, 39, 100, 100))
    return {year: tmp_path / str(year) for year in (2000, 2010)}


def test_an_ellipse_on_the_ground_is_found_again(run, two_years):
    row = run(two_years).loc[("maize", 2000)]
    assert row["center_lon"] == pytest.approx(104.0, abs=0.02)
    assert row["center_lat"] == pytest.approx(39.0, abs=0.02)
    assert row["semi_major_km"] == pytest.approx(150, rel=0.01)
    assert row["semi_minor_km"] == pytest.approx(60, rel=0.01)
    assert row["rotation_degrees"] == pytest.approx(40, abs=0.5)
    assert row["area_km2"] == pytest.approx(np.pi * 150 * 60, rel=0.02)


def test_the_rotation_is_from_true_north_whatever_the_projection(run, two_years):
    laea = run(two_years)
    far = "+proj=laea +lat_0=39 +lon_0=85 +datum=WGS84"
    for projection in ("albers", far):
        other = run(two_years, projection=projection)
        for year in (2000, 2010):
            assert other.loc[("maize", year), "rotation_degrees"] == pytest.approx(
                laea.loc[("maize", year), "rotation_degrees"], abs=2.5
            )
    # That far from its centre the projection's own north is turned by more than that.
    grid = other.loc[("maize", 2000), "grid_rotation_degrees"]
    assert abs(grid - laea.loc[("maize", 2000), "rotation_degrees"]) > 8


def test_the_shift_is_the_geodesic_between_the_centres(run, two_years):
    table = run(two_years)
    azimuth, _, metres = Geod(ellps="WGS84").inv(104.0, 39.0, 106.0, 40.5)
    row = table.loc[("maize", 2010)]
    assert row["shift_km"] == pytest.approx(metres / 1000, rel=0.01)
    assert row["shift_from_first_km"] == row["shift_km"]
    assert row["shift_azimuth_degrees"] == pytest.approx(azimuth, abs=1)
    assert np.isnan(table.loc[("maize", 2000), "shift_km"])


def test_shares_of_a_year_sum_to_one(run, two_years, tmp_path):
    run(two_years)
    shares = pd.read_csv(tmp_path / "shares.csv")
    np.testing.assert_allclose(shares.groupby("year")["share"].sum(), 1)
    maize = np.nansum(blob(104, 39, 60, 150, 40)) * 2000
    rice = np.nansum(blob(105, 39, 100, 100))
    found = shares.set_index(["year", "crop"]).loc[(2000, "maize")]
    assert found["harvested_ha"] == pytest.approx(maize)
    assert found["share"] == pytest.approx(maize / (maize + rice))


def test_profiles_sum_to_the_map_and_lie_in_their_bins(run, two_years, tmp_path):
    run(two_years, profile_bin_degrees=0.5)
    table = pd.read_parquet(tmp_path / "profiles.parquet")
    table = table.query("crop == 'maize' and year == 2000")
    values = np.nan_to_num(blob(104, 39, 60, 150, 40) * 2000)
    for axis in ("longitude", "latitude"):
        part = table[table["axis"] == axis]
        assert part["harvested_ha"].sum() == pytest.approx(values.sum())
        np.testing.assert_allclose(part["high_degrees"] - part["low_degrees"], 0.5)
    one = table.query("axis == 'longitude' and low_degrees == 104")["harvested_ha"].item()
    assert one == pytest.approx(values[:, 90:95].sum())
    one = table.query("axis == 'latitude' and low_degrees == 38.5")["harvested_ha"].item()
    assert one == pytest.approx(values[60:65].sum())


def test_a_year_without_the_crop_has_a_share_of_zero_and_no_ellipse(run, two_years, tmp_path):
    (two_years[2010] / map_name(MAPS, crop="rice", system="A", year=2010)).unlink()
    table = run(two_years)
    assert ("rice", 2010) not in table.index
    shares = pd.read_csv(tmp_path / "shares.csv").set_index(["year", "crop"])
    assert shares.loc[(2010, "rice"), "share"] == 0


def test_faults_of_the_maps_are_told(run, two_years, tmp_path):
    with pytest.raises(InputError, match="no map of oats"):
        run(two_years, crops=["oats"])
    with pytest.raises(InputError, match="holds no map of system A and year 2005"):
        run(two_years | {2005: tmp_path / "2000"})
    write_map(two_years[2010], "rice", 2010, blob(105, 39, 100, 100), west=96.0)
    with pytest.raises(InputError, match="rice_A_.*is not on the grid of the other maps"):
        run(two_years)
    with pytest.raises(InputError, match="no crop has any area"):
        write_map(tmp_path / "1990", "rice", 1990, np.zeros((3, 3)))
        run({1990: tmp_path / "1990"})


@pytest.mark.parametrize("text", ["EPSG:3857", "EPSG:4326", "+proj=lcc +lat_1=20 +lat_2=50"])
def test_projections_that_do_not_keep_areas_are_refused(text):
    with pytest.raises(ConfigError, match="does not keep areas"):
        equal_area_crs(text, (95, 30, 115, 45))


def test_a_projection_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="no coordinate reference system"):
        equal_area_crs("flat", (95, 30, 115, 45))


@pytest.mark.parametrize("text", ["laea", "albers", "ESRI:102025", "EPSG:6933"])
def test_equal_area_projections_are_taken(text):
    crs, to_plane = equal_area_crs(text, (95, 30, 115, 45))
    # A quadrangle of a degree has its ellipsoidal area in the plane.
    edge = np.linspace(0, 1, 200)
    lon = np.concatenate([100 + edge, np.full(200, 101), 101 - edge, np.full(200, 100)])
    lat = np.concatenate([np.full(200, 40), 40 + edge, np.full(200, 41), 41 - edge])
    x, y = to_plane.transform(lon, lat)
    plane = abs(np.sum(np.roll(x, -1) * y - x * np.roll(y, -1))) / 2
    from cropbase.areas import row_pixel_areas_ha

    sphere = row_pixel_areas_ha(rasterio.Affine(1, 0, 100, 0, -1, 41), 1)[0] * 1e4
    assert plane == pytest.approx(sphere, rel=1e-5)
    assert not crs.is_geographic


def test_figures_show_the_numbers_and_are_the_same_twice(run, two_years, tmp_path):
    run(two_years)

    def draw(name):
        out = tmp_path / f"{name}.png"
        plot_change(
            ellipses=tmp_path / "ellipses.csv", profiles=tmp_path / "profiles.parquet",
            maps=find_maps(two_years[2010], MAPS, year=2010), output=out, note="generated data",
        )  # fmt: skip
        plot_shares(shares=tmp_path / "shares.csv", output=tmp_path / f"s{name}.png")
        return [
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (out, tmp_path / f"s{name}.png")
        ]

    assert draw("one") == draw("two")
    from matplotlib.image import imread

    picture = imread(tmp_path / "one.png")
    assert min(picture.shape[:2]) > 400
    assert picture.std() > 0.05


def test_a_crop_without_an_ellipse_cannot_be_drawn(run, two_years, tmp_path):
    run(two_years, crops=["rice"])
    with pytest.raises(InputError, match="no ellipse or no map of maize"):
        plot_change(
            ellipses=tmp_path / "ellipses.csv", profiles=tmp_path / "profiles.parquet",
            maps=find_maps(two_years[2010], MAPS, year=2010), output=tmp_path / "c.png",
            crops=["maize"],
        )  # fmt: skip
