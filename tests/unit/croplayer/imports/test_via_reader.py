"""VIA annotations: every shape with an area becomes a polygon, everything else a message."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely

from croplayer.imports.via import ViaError, read_via

SQUARE = {"name": "polygon", "all_points_x": [1, 9, 9, 1], "all_points_y": [2, 2, 8, 8]}


@pytest.fixture
def via(tmp_path):
    """Write a VIA file with one image of these shapes and read it."""

    def read(*shapes, regions=None, wrap=None):
        regions = (
            [{"shape_attributes": s, "region_attributes": {}} for s in shapes] or regions or []
        )
        content = {"a.png123": {"filename": "a.png", "size": 123, "regions": regions}}
        path = tmp_path / "via.json"
        path.write_text(json.dumps(wrap(content) if wrap else content))
        return read_via(path)

    return read


def test_polygon(via):
    (region,) = via(SQUARE)["a.png"]
    assert region.number == 0
    assert shapely.equals(region.shape, shapely.box(1, 2, 9, 8))


def test_rectangle(via):
    (region,) = via({"name": "rect", "x": 3, "y": 4, "width": 5, "height": 6})["a.png"]
    assert shapely.equals(region.shape, shapely.box(3, 4, 8, 10))


def test_circle_has_the_area_of_a_circle(via):
    (region,) = via({"name": "circle", "cx": 10, "cy": 20, "r": 5})["a.png"]
    assert region.shape.area == pytest.approx(np.pi * 25, rel=5e-3)
    assert region.shape.centroid.coords[0] == pytest.approx((10, 20))


def test_ellipse_is_turned_by_theta(via):
    shape = {"name": "ellipse", "cx": 0, "cy": 0, "rx": 10, "ry": 2, "theta": np.pi / 2}
    (region,) = via(shape)["a.png"]
    assert region.shape.bounds == pytest.approx((-2, -10, 2, 10), abs=1e-9)


def test_ellipse_turns_clockwise_on_the_screen(via):
    # y points down: a positive angle leads from +x towards +y.
    shape = {"name": "ellipse", "cx": 0, "cy": 0, "rx": 10, "ry": 1, "theta": np.pi / 4}
    (region,) = via(shape)["a.png"]
    assert region.shape.contains(shapely.Point(6, 6))
    assert not region.shape.contains(shapely.Point(6, -6))


def test_regions_as_a_mapping_of_version_1(via):
    regions = {"0": {"shape_attributes": SQUARE}, "1": {"shape_attributes": SQUARE}}
    assert [r.number for r in via(regions=regions)["a.png"]] == [0, 1]


def test_whole_project_of_version_2(via):
    found = via(SQUARE, wrap=lambda c: {"_via_settings": {}, "_via_img_metadata": c})
    assert len(found["a.png"]) == 1


def test_image_without_regions_is_kept(via):
    assert via() == {"a.png": []}


def test_self_intersection_is_left_to_the_caller(via):
    bowtie = {"name": "polygon", "all_points_x": [0, 9, 9, 0], "all_points_y": [0, 9, 0, 9]}
    assert not via(bowtie)["a.png"][0].shape.is_valid


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"name": "point", "cx": 1, "cy": 1}, "shape 'point' has no area"),
        ({"name": "polyline", "all_points_x": [1], "all_points_y": [1]}, "'polyline' has no area"),
        (SQUARE | {"all_points_y": [2, 2, 8]}, "4 x but 3 y"),
        (SQUARE | {"all_points_x": [1, 9, None, 1]}, "not all numbers"),
        (SQUARE | {"all_points_x": [1, 9, "9", 1]}, "not all numbers"),
        (SQUARE | {"all_points_x": 7}, "no list"),
        (
            {"name": "polygon", "all_points_x": [1, 9, 1], "all_points_y": [2, 2, 2]},
            "fewer than three",
        ),
        ({"name": "rect", "x": 3, "y": 4, "width": 5}, "height is missing"),
        ({}, "name is missing"),
    ],
)
def test_what_cannot_be_a_polygon_is_named(via, shape, words):
    with pytest.raises(ViaError) as caught:
        via(SQUARE, shape)
    message = str(caught.value)
    assert "image a.png, region 1: " in message
    assert words in message


def test_all_faults_come_in_one_message(via):
    with pytest.raises(ViaError, match=r"have 12 fault\(s\)") as caught:
        via(*[{"name": "point"}] * 12)
    assert "... and 2 more" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "are not JSON"), ("[]", "hold no images"), ("{}", "hold no images")],
)
def test_damaged_file(tmp_path, text, words):
    path = tmp_path / "via.json"
    path.write_text(text)
    with pytest.raises(ViaError, match=words):
        read_via(path)


def test_absent_file(tmp_path):
    with pytest.raises(ViaError, match="does not exist"):
        read_via(tmp_path / "via.json")


def test_entry_without_filename(tmp_path):
    path = tmp_path / "via.json"
    path.write_text(json.dumps({"a": {"regions": []}, "b": 3}))
    with pytest.raises(ViaError, match="image 'a': no filename") as caught:
        read_via(path)
    assert "image 'b': no filename" in str(caught.value)
