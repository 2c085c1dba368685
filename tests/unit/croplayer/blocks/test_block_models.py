"""Semantic correctness and integration from label tables to the tables that they write."""

from __future__ import annotations

import json

import geopandas as gpd
import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from cropbase.errors import CompletenessError, ConfigError, InputError
from cropbase.tables import read_table, write_table
from croplayer.blocks.integration import choose_options, train_integration
from croplayer.blocks.plots import plot_confusion, plot_importance
from croplayer.blocks.semantic import classify_semantic, train_semantic
from croplayer.settings.integration import IntegrationSettings
from croplayer.settings.semantic import SemanticSettings

SOURCES = ("google", "mapbox")
TREES = {"n_trees": 25, "permutation_repeats": 3}
N = 80
OTHERS = ["sharpness", "hue", "saturation", "lightness", "area"]
OTHERS += ["solidity_mean", "solidity_total", "en_mean", "en_total"]


@pytest.fixture
def province(tmp_path):
    """Generated features of 80 blocks in two files, plan, labels that follow a rule."""
    rng = np.random.default_rng(11)
    ids = [f"E11{k // 20:03d}N{2400 + 5 * (k % 20)}" for k in range(N)]
    rows = []
    for block_id in ids:
        slope = rng.uniform(0, 30)
        for source in SOURCES:
            rows.append(
                {
                    "block_id": block_id,
                    "source": source,
                    "elevation": rng.uniform(0, 900),
                    "slope": slope,
                    "ruggedness": rng.random(),
                    "roughness": rng.random(),
                    "coverage_type": rng.choice(["planting", "non_planting", "cloudy"]),
                    "af": rng.random(),
                    "consistency": rng.random(),
                    "containment": rng.random(),
                }
                | {name: rng.random() for name in OTHERS}
            )
    table = pd.DataFrame(rows)
    table["coverage_type"] = pd.Categorical(
        table["coverage_type"],
        categories=["planting", "non_planting", "snow_ice", "cloudy", "nodata"],
    )
    truth = np.where(table["coverage_type"] == "cloudy", "Artifacts", "TP")
    truth = np.where((truth == "TP") & (table["af"] < 0.3), "Noise", truth)
    truth = np.where((truth == "TP") & (table["slope"] > 20), "FP", truth)
    features = []
    for k in range(2):
        part = table[k * N : (k + 1) * N]
        features.append(tmp_path / f"features_{k}.parquet")
        write_table(part, features[k])
    labels = table[["block_id", "source"]].assign(semantic_class=truth)
    labels.to_csv(tmp_path / "semantic.csv", index=False)
    wide = labels.pivot(index="block_id", columns="source", values="semantic_class") == "TP"
    option = np.select(
        [wide["google"] & wide["mapbox"], wide["google"], wide["mapbox"]],
        ["both", "only_a", "only_b"],
        "neither",
    )
    pd.DataFrame({"block_id": wide.index, "option": option}).to_csv(
        tmp_path / "options.csv", index=False
    )
    plan = pd.DataFrame({"block_id": ids[::-1]})
    write_table(
        gpd.GeoDataFrame(plan, geometry=gpd.points_from_xy([0] * N, [0] * N), crs=4326),
        tmp_path / "blocks.parquet",
    )
    return {"features": features, "labels": labels, "options": option, "ids": ids, "dir": tmp_path}


@pytest.fixture
def semantic(province):
    folder = province["dir"]
    card = train_semantic(
        features=province["features"],
        labels=folder / "semantic.csv",
        settings=SemanticSettings(**TREES),
        model_dir=folder / "semantic_model",
    )
    classify_semantic(
        features=province["features"],
        model_dir=folder / "semantic_model",
        sources=SOURCES,
        blocks=folder / "blocks.parquet",
        output=folder / "classes.parquet",
    )
    return card


@pytest.fixture
def integration(province, semantic):
    folder = province["dir"]
    return train_integration(
        features=province["features"],
        semantic=folder / "classes.parquet",
        labels=folder / "options.csv",
        sources=SOURCES,
        settings=IntegrationSettings(**TREES),
        model_dir=folder / "integration_model",
    )


def choose(province, corrections=None, **changes):
    folder = province["dir"]
    given = {
        "features": province["features"],
        "semantic": folder / "classes.parquet",
        "model_dir": folder / "integration_model",
        "sources": SOURCES,
        "blocks": folder / "blocks.parquet",
        "output": folder / "options.parquet",
    }
    return choose_options(**(given | changes), corrections=corrections)


def test_semantic_classes_follow_the_labels(province, semantic):
    assert semantic["test"]["accuracy"] > 0.8
    assert semantic["label_counts"]["TP"] == (province["labels"]["semantic_class"] == "TP").sum()
    classes = read_table(province["dir"] / "classes.parquet")
    assert list(classes.columns) == [
        "block_id", "source", "semantic_class", "p_tp", "p_fp", "p_noise", "p_artifacts",
    ]  # fmt: skip
    merged = classes.merge(province["labels"], on=["block_id", "source"])
    assert len(merged) == len(classes) == 2 * N
    assert (merged["semantic_class_x"] == merged["semantic_class_y"]).mean() > 0.9
    probabilities = classes[["p_tp", "p_fp", "p_noise", "p_artifacts"]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    names = np.array(["TP", "FP", "Noise", "Artifacts"])
    assert (names[probabilities.argmax(axis=1)] == classes["semantic_class"]).all()


def test_the_features_of_the_rule_are_the_important_ones(semantic):
    means = {n: v["mean"] for n, v in semantic["importance"]["features"].items()}
    assert len(means) == 16
    assert set(sorted(means, key=means.get)[-3:]) == {"coverage_type", "af", "slope"}


def test_the_figures_are_pictures(province, semantic, integration):
    folder = province["dir"]
    plot_confusion(semantic, folder / "confusion.png", title="Semantic correctness")
    plot_importance(semantic, folder / "importance.png", title="Semantic correctness")
    plot_importance(
        integration,
        folder / "integration.png",
        title="Results integration",
        suffixes={"_a": " (google)", "_b": " (mapbox)"},
    )
    for name in ("importance.png", "integration.png", "confusion.png"):
        picture = matplotlib.image.imread(folder / name)
        assert min(picture.shape[:2]) > 400
        assert picture[..., :3].std() > 0.05


def test_options_follow_the_labels_and_the_plan(province, integration):
    assert len(integration["features"]) == 30
    table = choose(province)
    assert list(table.columns) == [
        "block_id", "option", "p_neither", "p_only_a", "p_only_b", "p_both", "corrected", "reason",
    ]  # fmt: skip
    assert table["block_id"].tolist() == sorted(province["ids"])
    assert (table["option"].to_numpy() == province["options"]).mean() > 0.9
    assert not table["corrected"].any()


def test_corrections_win_and_are_marked(province, integration):
    before = choose(province).set_index("block_id")
    block_id = before.index[before["option"] != "neither"][0]
    path = province["dir"] / "corrections.csv"
    path.write_text(f"block_id,option,reason\n{block_id},neither,dunes\n")
    after = choose(province, path).set_index("block_id")
    assert after.loc[block_id, ["option", "corrected", "reason"]].tolist() == [
        "neither",
        True,
        "dunes",
    ]
    assert after.loc[block_id, "p_neither"] == before.loc[block_id, "p_neither"]
    pd.testing.assert_frame_equal(after.drop(block_id), before.drop(block_id))
    assert read_table(province["dir"] / "options.parquet")["corrected"].sum() == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("E99999N0000,both,x", "E99999N0000 is no planned block"),
        ("{},only_google,x", "unknown option\n  given: only_google\n  allowed: neither, only_a"),
    ],
)
def test_corrections_of_unknown_blocks_and_options_are_refused(
    province, integration, line, message
):
    path = province["dir"] / "corrections.csv"
    path.write_text("block_id,option,reason\n" + line.format(province["ids"][0]) + "\n")
    with pytest.raises(InputError, match=message) as error:
        choose(province, path)
    assert str(path) in str(error.value)
    if "only_google" in line:
        assert "a is 'google', b is 'mapbox'" in str(error.value)


def test_a_planned_block_without_features_is_named(province, integration):
    part = read_table(province["features"][0])
    last = part["block_id"].iloc[-1]
    write_table(part[part["block_id"] != last], province["features"][0])
    with pytest.raises(CompletenessError, match=f"lacks block {last}"):
        choose(province)


def test_a_model_of_semantic_classes_chooses_no_options(province, semantic):
    with pytest.raises(InputError, match="was trained for other features"):
        choose(province, model_dir=province["dir"] / "semantic_model")


def test_one_source_cannot_be_integrated(province, integration):
    with pytest.raises(ConfigError, match="needs two sources"):
        choose(province, sources=("google",))


def test_labels_of_unknown_blocks_stop_the_training(province):
    path = province["dir"] / "semantic.csv"
    path.write_text("block_id,source,semantic_class\nE99999N0000,google,TP\n")
    with pytest.raises(InputError, match=r"line 2: E99999N0000 of google is no mapped block"):
        train_semantic(
            features=province["features"],
            labels=path,
            settings=SemanticSettings(**TREES),
            model_dir=province["dir"] / "m",
        )
    assert not (province["dir"] / "m").exists()


def test_training_draws_the_same_figure_twice(province):
    figures = [province["dir"] / "one.png", province["dir"] / "two.png"]
    for figure in figures:
        train_semantic(
            features=province["features"],
            labels=province["dir"] / "semantic.csv",
            settings=SemanticSettings(n_trees=3, permutation_repeats=2),
            model_dir=province["dir"] / "m",
            importance_png=figure,
        )
    assert figures[0].read_bytes() == figures[1].read_bytes()


def test_semantic_training_twice_gives_the_same_bytes(province, semantic):
    folder = province["dir"]
    train_semantic(
        features=province["features"][::-1],
        labels=folder / "semantic.csv",
        settings=SemanticSettings(**TREES),
        model_dir=folder / "again",
    )
    for name in ("model.json", "card.json"):
        assert (folder / "again" / name).read_bytes() == (
            folder / "semantic_model" / name
        ).read_bytes()
    assert len(json.loads((folder / "again" / "card.json").read_text())["label_sha256"]) == 64
