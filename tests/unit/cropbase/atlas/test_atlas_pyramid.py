"""Pyramids: which tiles there are, how zooms follow from each other, how deep the budget goes."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pyproj import Transformer

from cropbase.atlas.drawing import draw_classes
from cropbase.atlas.pyramid import (
    TileLayer,
    average_of,
    choose_zoom,
    encode,
    native_zoom,
    tiles_over,
    write_pyramid,
)
from cropbase.errors import InputError

WORLD = 20037508.342789244
BOX = np.array([[112.0, 24.0, 112.4, 24.3]])


def noise(frame):
    """Tiles that compress badly, the same each time."""
    rng = np.random.default_rng([frame.matrix.zoom, frame.x, frame.y])
    picture = rng.integers(0, 256, (256, 256, 4), dtype=np.uint8)
    picture[..., 3] = 255
    return picture


@given(
    lon=st.floats(-170, 170), lat=st.floats(-70, 70), width=st.floats(0.01, 3),
    height=st.floats(0.01, 3), zoom=st.integers(2, 9),
)  # fmt: skip
def test_tiles_over_a_box_are_those_that_meet_it(lon, lat, width, height, zoom):
    """Brute force over all tiles near it, bounds by pyproj."""
    forward = Transformer.from_crs(4326, 3857, always_xy=True)
    west, south = forward.transform(lon, lat)
    east, north = forward.transform(lon + width, lat + height)
    edge = 2 * WORLD / 2**zoom
    close = edge * 1e-6
    found = tiles_over(np.array([[lon, lat, lon + width, lat + height]]), zoom)
    middle_x, middle_y = int((west + WORLD) // edge), int((WORLD - north) // edge)
    reach = int(max(east - west, north - south) // edge) + 2
    for x in range(max(middle_x - 1, 0), min(middle_x + reach, 2**zoom)):
        for y in range(max(middle_y - 1, 0), min(middle_y + reach, 2**zoom)):
            left, top = -WORLD + x * edge, WORLD - y * edge
            gaps = (east - left, left + edge - west, top - south, north - (top - edge))
            if min(gaps) > close:
                assert (x, y) in found
            elif min(gaps) < -close:
                assert (x, y) not in found


def test_native_zoom_is_the_first_that_is_not_coarser():
    for size in (360 / 256 / 2**14, 0.00005, 1 / 120):
        zoom = native_zoom(size)
        assert 360 / 256 / 2**zoom <= size * (1 + 1e-9) < 2 * 360 / 256 / 2**zoom


def test_a_coarser_tile_is_the_mean_of_four_weighted_by_opacity():
    rng = np.random.default_rng(0)
    quarters = [rng.integers(0, 256, (8, 8, 4), dtype=np.uint8) for _ in range(3)] + [None]
    got = average_of(quarters).astype(int)
    whole = np.zeros((16, 16, 4))
    whole[:8, :8], whole[:8, 8:], whole[8:, :8] = quarters[:3]
    for i in range(8):
        for j in range(8):
            four = whole[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].reshape(4, 4)
            assert abs(got[i, j, 3] - four[:, 3].mean()) <= 0.5
            if four[:, 3].sum():
                colour = (four[:, :3] * four[:, 3:]).sum(axis=0) / four[:, 3].sum()
                assert np.abs(got[i, j, :3] - colour).max() <= 0.5 + 1e-3
    assert average_of([None] * 4) is None


def test_classes_become_shares_of_opacity():
    codes = np.zeros((512, 512), dtype=np.uint8)
    codes[0, 0] = codes[1, 1] = codes[10:12, 10:12] = 1
    codes[20:22, 20] = 1
    codes[20:22, 21] = 2
    draw = draw_classes(lambda frame, times: codes, {1: "#ff0000", 2: "#0000ff"})
    picture = draw(None)
    assert picture.shape == (256, 256, 4)
    assert picture[0, 0].tolist() == [255, 0, 0, 128]
    assert picture[5, 5].tolist() == [255, 0, 0, 255]
    assert picture[10, 10].tolist() == [128, 0, 128, 255]
    assert picture[100, 100, 3] == 0
    assert draw_classes(lambda frame, times: codes, {9: "#ffffff"})(None) is None


def test_lossless_tiles_come_back_as_they_were():
    picture = noise(type("F", (), {"matrix": type("M", (), {"zoom": 1}), "x": 1, "y": 2}))
    back = np.asarray(Image.open(io.BytesIO(encode(picture, lossless=True))))
    assert (back == picture[..., :3]).all()


def test_every_tile_of_every_zoom_is_written_and_listed(tmp_path):
    layer = TileLayer("a/2020", lambda frame: None if frame.x % 2 else noise(frame))
    made = write_pyramid(
        [layer], boxes=BOX, folder=tmp_path / "t", pixel_degrees=0.0008, budget_bytes=10**9
    )
    coarsest, deepest = made.zooms
    assert deepest == native_zoom(0.0008)
    files = {
        (int(path.parts[-3]), int(path.parts[-2]), int(path.stem))
        for path in (tmp_path / "t" / "a" / "2020").rglob("*.webp")
    }
    listed = {(zoom, x, y) for zoom, found in made.tiles["a/2020"].items() for x, y in found}
    assert files == listed
    wanted = {(x, y) for x, y in tiles_over(BOX, deepest) if x % 2 == 0}
    assert set(made.tiles["a/2020"][deepest]) == wanted
    for zoom in range(coarsest, deepest):
        below = made.tiles["a/2020"][zoom + 1]
        assert set(made.tiles["a/2020"][zoom]) == {(x // 2, y // 2) for x, y in below}
    assert made.size_bytes == sum(p.stat().st_size for p in (tmp_path / "t").rglob("*.webp"))


def test_the_index_says_which_tiles_there_are(tmp_path):
    layer = TileLayer("a", lambda frame: noise(frame) if (frame.x + frame.y) % 3 else None)
    made = write_pyramid(
        [layer], boxes=BOX, folder=tmp_path / "t", pixel_degrees=0.001, budget_bytes=10**9
    )
    for zoom, (x0, y0, columns, rows, text) in made.index()["a"].items():
        bits = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))[: columns * rows]
        found = {(x0 + k % columns, y0 + k // columns) for k in np.flatnonzero(bits).tolist()}
        assert found == set(made.tiles["a"][int(zoom)])


@pytest.mark.parametrize("budget", [3_000_000, 7_000_000])
def test_tiles_stay_below_the_budget_and_use_it(tmp_path, budget):
    layers = [TileLayer(key, noise) for key in "ab"]
    made = write_pyramid(
        layers, boxes=BOX, folder=tmp_path / "t", pixel_degrees=1e-5, budget_bytes=budget
    )
    on_disk = sum(path.stat().st_size for path in (tmp_path / "t").rglob("*.webp"))
    assert on_disk == made.size_bytes <= budget
    # One zoom more would have been four times as much.
    assert made.size_bytes * 4.5 > 0.8 * budget


def test_a_zoom_that_turns_out_too_large_is_not_kept(tmp_path):
    """The tiles that the reckoning looks at are empty, all others are not."""
    places = sorted(tiles_over(BOX, 12))
    looked_at = {places[k] for k in np.linspace(0, len(places) - 1, 8).astype(int)}
    layer = TileLayer("a", lambda frame: None if (frame.x, frame.y) in looked_at else noise(frame))
    made = write_pyramid(
        [layer], boxes=BOX, folder=tmp_path / "t", pixel_degrees=360 / 256 / 2**12,
        budget_bytes=1_500_000,
    )  # fmt: skip
    assert made.zooms[1] < 12
    assert not (tmp_path / "t" / "a" / "12").exists()
    assert made.size_bytes <= 1_500_000


def test_threads_change_no_byte(tmp_path):
    layers = [TileLayer(key, noise) for key in "abc"]
    contents = []
    for threads in (1, 3):
        folder = tmp_path / str(threads)
        write_pyramid(
            layers, boxes=BOX, folder=folder, pixel_degrees=0.002, budget_bytes=10**9,
            threads=threads,
        )  # fmt: skip
        contents.append(
            {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.webp")}
        )
    assert contents[0] == contents[1] and contents[0]


def test_no_ground_is_refused(tmp_path):
    with pytest.raises(InputError, match="no ground"):
        write_pyramid([], boxes=np.empty((0, 4)), folder=tmp_path, pixel_degrees=1, budget_bytes=1)


def test_the_coarsest_zoom_is_taken_whatever_it_costs():
    assert choose_zoom([TileLayer("a", noise)], BOX, zooms=(9, 12), budget_bytes=1) == 9
