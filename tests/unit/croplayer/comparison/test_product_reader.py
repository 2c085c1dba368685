"""Products read as published, against brute force: every pixel's centre looked up by pyproj."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.transform import Affine

from cropbase.errors import InputError
from croplayer.comparison.codes import FILL, IN, OUT, STRANGE
from croplayer.comparison.files import find_files
from croplayer.comparison.reader import ProductReader

ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +x_0=0 +y_0=0 +datum=WGS84 +units=m"


def lookup(path, place):
    """(128, 128) codes at the pixels' centres, one by one; 0 where the file does not reach."""
    with rasterio.open(path) as dataset:
        array, own = dataset.read(1), dataset.transform
        project = Transformer.from_crs("EPSG:4326", dataset.crs, always_xy=True)
    rows, cols = np.mgrid[:128, :128]
    t = place.transform
    x, y = project.transform(t.c + (cols + 0.5) * t.a, t.f + (rows + 0.5) * t.e)
    r, c = np.floor((y - own.f) / own.e).astype(int), np.floor((x - own.c) / own.a).astype(int)
    known = (r >= 0) & (r < array.shape[0]) & (c >= 0) & (c < array.shape[1])
    found = np.zeros(known.shape, np.uint8)
    found[known] = array[r[known], c[known]]
    return found


def read(product, paths, place):
    with ProductReader(product, paths, place.grid) as reader:
        codes, states = reader.read(place.window)
        return codes, states, reader.findings


@pytest.mark.parametrize(
    ("name", "crs", "pixel", "codes"),
    [
        ("worldcover", "EPSG:4326", 1 / 12000, [10, 40, 50]),
        ("globeland30", "EPSG:32649", 30, [10, 20, 60]),
        ("clcd", ALBERS, 30, [1, 2, 8]),
        ("esri", "EPSG:32649", 10, [2, 4, 5, 11]),
    ],
)
def test_every_pixel_has_the_code_under_its_centre(place, catalogue, name, crs, pixel, codes):
    path = place.product(f"{name}.tif", codes, crs=crs, pixel=pixel)
    found, states, _ = read(catalogue.products[name], [path], place)
    expected = lookup(path, place)
    assert (expected > 0).all()
    # Between two exactly projected points coordinates are linear: a centre within a millimetre of a
    # pixel's edge may fall on either side.
    assert (found != expected).mean() < (1e-9 if crs == "EPSG:4326" else 1e-4)
    cropland = {entry.code for entry in catalogue.products[name].classes if entry.cropland == "in"}
    assert ((states == IN) == np.isin(found, sorted(cropland))).all()


def test_a_zip_is_read_as_it_was_published(place, catalogue):
    path = place.product("n49_20_2020lc030.tif", [10, 20], crs="EPSG:32649", pixel=30)
    packed = path.with_name("N49_20_2020LC030.zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "N49_20_2020LC030/n49_20_2020lc030.tif")
        archive.writestr("N49_20_2020LC030/readme.txt", "made")
    product = catalogue.products["globeland30"]
    assert (read(product, [packed], place)[0] == read(product, [path], place)[0]).all()


def test_tiles_in_folders_make_one_map_and_so_does_a_vrt(place, catalogue):
    whole = place.product("whole.tif", [10, 40, 50], pixel=0.001)
    with rasterio.open(whole) as dataset:
        array, t = dataset.read(1), dataset.transform
    half = array.shape[1] // 2
    paths = []
    for k, part in enumerate((array[:, :half], array[:, half:])):
        path = place.folder / "tiles" / str(k) / "ESA_WorldCover_10m_2020_Map.tif"
        path.parent.mkdir(parents=True)
        with rasterio.open(
            path, "w", driver="GTiff", height=part.shape[0], width=part.shape[1], count=1,
            dtype="uint8", crs="EPSG:4326", transform=Affine(t.a, 0, t.c + k * half * t.a, 0, t.e, t.f),
        ) as dataset:  # fmt: skip
            dataset.write(part, 1)
        paths.append(path)
    vrt = place.folder / "all.vrt"
    sources = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="0">{p}</SourceFilename><SourceBand>1</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" xSize="{w}" ySize="{array.shape[0]}"/>'
        f'<DstRect xOff="{k * half}" yOff="0" xSize="{w}" ySize="{array.shape[0]}"/></SimpleSource>'
        for k, (p, w) in enumerate(zip(paths, (half, array.shape[1] - half), strict=True))
    )
    vrt.write_text(
        f'<VRTDataset rasterXSize="{array.shape[1]}" rasterYSize="{array.shape[0]}"><SRS>EPSG:4326</SRS>'
        f"<GeoTransform>{t.c}, {t.a}, 0, {t.f}, 0, {t.e}</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1">{sources}</VRTRasterBand></VRTDataset>'
    )
    product = catalogue.products["worldcover"]
    expected = lookup(whole, place)
    found = find_files("worldcover", product, [str(place.folder / "tiles" / "*" / "*.tif")])
    assert found == paths
    assert (read(product, found, place)[0] == expected).all()
    assert (read(product, [vrt], place)[0] == expected).all()


def test_where_utm_tiles_overlap_the_nearer_central_meridian_wins(tmp_path, catalogue):
    from croplayer.grid import BlockGrid

    grid = BlockGrid(0.05, 64, 0.1)
    product = catalogue.products["globeland30"]
    paths = []
    for zone, code in ((48, 20), (49, 10)):
        project = Transformer.from_crs("EPSG:4326", f"EPSG:326{zone}", always_xy=True)
        x, y = project.transform(108.0, 22.5)
        path = tmp_path / f"N{zone}_20_2020LC030.tif"
        with rasterio.open(
            path, "w", driver="GTiff", height=2000, width=2000, count=1, dtype="uint8",
            crs=f"EPSG:326{zone}", transform=Affine(30, 0, x - 30000, 0, -30, y + 30000),
        ) as dataset:  # fmt: skip
            dataset.write(np.full((2000, 2000), code, np.uint8), 1)
        paths.append(path)
    with ProductReader(product, paths, grid) as reader:
        west, _ = reader.read(grid.block_window(grid.block_at(107.97, 22.48)))
        east, _ = reader.read(grid.block_window(grid.block_at(108.02, 22.48)))
    assert set(np.unique(west)) == {20} and set(np.unique(east)) == {10}


def test_a_first_file_without_data_lets_the_next_speak(place, catalogue):
    product = catalogue.products["worldcover"]
    empty = place.product("a.tif", [0], nodata=0)
    full = place.product("b.tif", [10, 40])
    codes, states, _ = read(product, [empty, full], place)
    assert (codes == lookup(full, place)).all() and (states != FILL).all()


def test_half_a_product_leaves_the_rest_unknown(place, catalogue):
    path = place.product("half.tif", [10, 40])
    with rasterio.open(path) as dataset:
        array, t = dataset.read(1), dataset.transform
    half = place.folder / "half_only.tif"
    width = int((112.05 - t.c) / t.a)
    with rasterio.open(
        half, "w", driver="GTiff", height=array.shape[0], width=width, count=1, dtype="uint8",
        crs="EPSG:4326", transform=t,
    ) as dataset:  # fmt: skip
        dataset.write(array[:, :width], 1)
    _, states, _ = read(catalogue.products["worldcover"], [half], place)
    share = (states == FILL).mean()
    assert 0.45 < share < 0.55 and (states[:, :60] != FILL).all()


def test_only_windows_of_a_file_are_read(place, catalogue, monkeypatch):
    path = place.product("large.tif", [10, 40], pixel=0.0002, margin=0.1)
    sizes = []

    class Watched:
        def __init__(self, dataset):
            self._dataset = dataset

        def __getattr__(self, name):
            return getattr(self._dataset, name)

        def read(self, band, window):
            sizes.append(window.width * window.height)
            return self._dataset.read(band, window=window)

    with ProductReader(catalogue.products["worldcover"], [path], place.grid) as reader:
        layer = reader._layer(str(path))
        monkeypatch.setattr(layer, "dataset", Watched(layer.dataset))
        for block in place.blocks:
            reader.read(place.grid.block_window(block))
    assert len(sizes) == 4 and max(sizes) <= 252 * 252
    with rasterio.open(path) as dataset:
        assert dataset.width * dataset.height > 20 * 252 * 252 / 2


def test_codes_outside_the_legend_are_strange(place, catalogue):
    path = place.product("odd.tif", [10, 40, 41])
    codes, states, _ = read(catalogue.products["worldcover"], [path], place)
    assert ((states == STRANGE) == (codes == 41)).all() and (codes == 41).any()
    assert ((states == OUT) == (codes == 10)).all()


@pytest.mark.parametrize(
    ("product", "name", "codes", "more", "words"),
    [
        ("worldcover", "ESA_WorldCover_10m_2021_v200_X_Map.tif", [10, 40], {}, "file says 2021, the catalogue 2020"),
        ("worldcover", "tile.tif", [10, 40], {"time_start": "2021-01-01T00:00:00Z"}, "another year"),
        ("esri", "49R_20210101-20220101.tif", [5, 2], {"crs": "EPSG:32649", "pixel": 10}, "another year"),
        ("cacd", "CACD-2020.tif", [0, 1], {}, "no nodata"),
        ("cacd", "CACD-2020.tif", [0, 1], {"nodata": 0}, "nodata is a class: the file declares 0, which is 'not cropland'"),
        ("worldcover", "a.tif", [10, 40], {"crs": "EPSG:32649", "pixel": 10}, "another CRS than published"),
        ("worldcover", "a.tif", [10, 40], {"pixel": 0.001}, "another pixel size than published"),
    ],
)  # fmt: skip
def test_what_is_odd_about_a_file_is_told(place, catalogue, product, name, codes, more, words):
    path = place.product(name, codes, **more)
    findings = read(catalogue.products[product], [path], place)[2]
    told = [text for text in findings if words in text]
    assert len(told) == 1, findings
    assert findings[told[0]] == [name]


@pytest.mark.parametrize(
    ("name", "crs", "pixel", "codes"),
    [
        ("worldcover", "EPSG:4326", 1 / 12000, [10, 40]),
        ("globeland30", "EPSG:32649", 30, [10, 20]),
        ("clcd", ALBERS, 30, [1, 2]),
    ],
)
def test_a_file_as_published_is_not_complained_about(place, catalogue, name, crs, pixel, codes):
    path = place.product(f"{name}_2020.tif", codes, crs=crs, pixel=pixel, nodata=0)
    assert read(catalogue.products[name], [path], place)[2] == {}


def test_files_that_cannot_be_used(place, catalogue):
    product = catalogue.products["worldcover"]
    floats = place.folder / "floats.tif"
    with rasterio.open(
        floats, "w", driver="GTiff", height=4, width=4, count=1, dtype="float32", crs="EPSG:4326",
        transform=Affine(0.1, 0, 112, 0, -0.1, 24.2),
    ) as dataset:  # fmt: skip
        dataset.write(np.zeros((4, 4), np.float32), 1)
    with pytest.raises(InputError, match="no map of classes"):
        read(product, [floats], place)
    (place.folder / "bad.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(InputError, match=r"zip .*bad\.zip cannot be read"):
        read(product, [place.folder / "bad.zip"], place)
    with zipfile.ZipFile(place.folder / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(InputError, match="holds no GeoTIFF"):
        read(product, [place.folder / "empty.zip"], place)
    whole = place.product("whole.tif", [10, 40], pixel=0.00005)
    cut = place.folder / "cut.tif"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match="cut.tif"):
        read(product, [cut], place)


def test_no_file_says_where_to_get_one(catalogue, tmp_path):
    with pytest.raises(InputError, match="no file matches") as caught:
        find_files("globeland30", catalogue.products["globeland30"], [f"{tmp_path}/*.zip"])
    assert "globallandcover" in str(caught.value)
