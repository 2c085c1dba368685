"""Training, cards, scores and importance of the block classifiers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
)

from cropbase.errors import InputError
from croplayer.blocks import classifier
from croplayer.blocks.evaluation import permutation_importance, score
from croplayer.settings.semantic import TreeSettings

DESIGN = classifier.Design(
    task="semantic",
    features=("size", "kind", "noise"),
    categories={"kind": ("field", "forest", "town")},
    classes=("TP", "FP", "Noise", "Artifacts"),
)
SETTINGS = TreeSettings(n_trees=20, permutation_repeats=5)


def generated(n=240, seed=0):
    """Labels that follow `size` and `kind` by a rule; `noise` means nothing."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "block_id": [f"b{k // 2:04d}" for k in range(n)],
            "source": ["a", "b"] * (n // 2),
            "size": rng.random(n),
            "kind": rng.choice(["field", "forest", "town"], n),
            "noise": rng.random(n),
        }
    )
    labels = np.where(table["kind"] == "field", "TP", np.where(table["size"] > 0.5, "FP", "Noise"))
    table.loc[rng.random(n) < 0.1, "noise"] = np.nan
    return table, labels


def train(tmp_path, table, labels, settings=SETTINGS, name="model"):
    return classifier.train(
        design=DESIGN,
        table=table,
        labels=labels,
        settings=settings,
        label_sha256="0" * 64,
        model_dir=tmp_path / name,
    )


def test_a_rule_in_the_labels_is_found_again_on_held_out_blocks(tmp_path):
    card = train(tmp_path, *generated())
    assert card["test"]["accuracy"] > 0.95
    assert card["train_rows"] + card["test_rows"] == 240
    assert card["test_rows"] == 2 * card["test_blocks"] == pytest.approx(48, abs=4)
    assert card == json.loads((tmp_path / "model" / "card.json").read_text())


def test_importance_tells_what_matters_from_what_does_not(tmp_path):
    importance = train(tmp_path, *generated())["importance"]
    assert importance["measured_on"] == "held-out rows"
    means = {name: value["mean"] for name, value in importance["features"].items()}
    assert means["kind"] > 0.2
    assert means["size"] > 0.1
    assert abs(means["noise"]) < 0.05


def test_the_loaded_model_answers_as_the_card_says(tmp_path):
    table, labels = generated()
    train(tmp_path, table, labels)
    model = classifier.load(tmp_path / "model", DESIGN)
    matrix = DESIGN.matrix(table)
    probabilities = model.probabilities(matrix)
    assert probabilities.shape == (240, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert np.all(probabilities[:, 3] == 0)  # no label of Artifacts
    assert np.mean(model.predict(matrix) == labels) > 0.97


def test_missing_values_and_categories_are_answered(tmp_path):
    table, labels = generated()
    train(tmp_path, table, labels)
    model = classifier.load(tmp_path / "model", DESIGN)
    empty = pd.DataFrame({"size": [np.nan], "kind": [None], "noise": [np.nan]})
    assert np.isfinite(model.probabilities(DESIGN.matrix(empty))).all()
    assert model.probabilities(DESIGN.matrix(table.iloc[:0])).shape == (0, 4)


def test_same_labels_in_another_order_give_the_same_bytes(tmp_path):
    table, labels = generated()
    order = np.random.default_rng(5).permutation(len(table))
    train(tmp_path, table, labels)
    train(tmp_path, table.iloc[order], labels[order], name="again")
    for name in ("model.json", "card.json"):
        assert (tmp_path / "model" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_absent_and_untestable_classes_are_told(tmp_path):
    table, labels = generated(60)
    labels = np.where(labels == "Noise", "FP", labels)
    labels[0] = "Noise"
    labels[1] = "TP"
    text = " | ".join(train(tmp_path, table, labels)["warnings"])
    assert "no label of class Artifacts" in text
    assert "class Noise: too few blocks to hold one out" in text


def test_one_class_trains_a_constant_model_and_says_so(tmp_path):
    table, _ = generated(30)
    card = train(tmp_path, table, np.repeat("FP", 30))
    assert card["kind"] == "constant"
    assert any("always answers FP" in text for text in card["warnings"])
    assert all(v == {"mean": 0.0, "std": 0.0} for v in card["importance"]["features"].values())
    model = classifier.load(tmp_path / "model", DESIGN)
    assert set(model.predict(DESIGN.matrix(table))) == {"FP"}


def test_a_single_labelled_block_cannot_be_tested_and_says_so(tmp_path):
    table, _ = generated(2)
    card = train(tmp_path, table, np.array(["TP", "FP"]))
    assert card["test"] is None
    assert any("not tested" in text for text in card["warnings"])


def test_few_held_out_rows_move_the_importance_to_all_rows(tmp_path):
    card = train(tmp_path, *generated(40))
    assert card["test_rows"] < SETTINGS.permutation_min_rows
    assert card["importance"]["measured_on"] == "all labelled rows"
    assert card["importance"]["rows"] == 40
    assert any("training rows included" in text for text in card["warnings"])


def test_no_labels_are_refused(tmp_path):
    table, _ = generated(4)
    with pytest.raises(InputError, match="semantic model has no labels"):
        train(tmp_path, table.iloc[:0], [])


def test_balanced_weights_serve_the_rare_class(tmp_path):
    rng = np.random.default_rng(3)
    table, _ = generated(400)
    # One row in ten is Noise where size is large, indistinguishable from the other nine.
    labels = np.where(rng.random(400) < 0.1, "Noise", "TP")
    table["size"] = (labels == "Noise") * 0.6 + rng.random(400)
    recalls = {}
    for weights in ("none", "balanced"):
        changed = SETTINGS.model_copy(update={"class_weights": weights, "max_depth": 2})
        card = train(tmp_path, table, labels, changed, name=weights)
        recalls[weights] = card["test"]["classes"]["Noise"]["recall"]
    assert recalls["balanced"] > recalls["none"]


def test_scores_equal_scikit_learn():
    rng = np.random.default_rng(0)
    classes = DESIGN.classes
    truth = rng.choice(classes[:3], 200)
    said = np.where(rng.random(200) < 0.6, truth, rng.choice(classes, 200))
    found = score(truth, said, classes)
    assert found["accuracy"] == accuracy_score(truth, said)
    known = np.unique(truth)
    recalls = precision_recall_fscore_support(truth, said, labels=known)[1]
    assert found["balanced_accuracy"] == pytest.approx(recalls.mean())
    assert found["confusion"] == confusion_matrix(truth, said, labels=classes).tolist()
    precision, _, _, rows = precision_recall_fscore_support(
        truth, said, labels=classes, zero_division=np.nan
    )
    for k, name in enumerate(classes):
        assert found["classes"][name]["precision"] == pytest.approx(precision[k])
        assert found["classes"][name]["rows"] == rows[k]
    assert found["classes"]["Artifacts"]["recall"] is None
    same = truth == said
    assert balanced_accuracy_score(truth[same], said[same]) == 1.0


def test_importance_of_a_known_rule_is_the_share_of_rows_it_spoils():
    # Two equal halves: a permuted column is wrong for half of the rows on average.
    matrix = np.column_stack([np.repeat([0.0, 1.0], 500), np.arange(1000.0)])
    labels = np.where(matrix[:, 0] > 0.5, "x", "y")
    found = permutation_importance(
        lambda m: np.where(m[:, 0] > 0.5, "x", "y"),
        ("rule", "rest"),
        matrix,
        labels,
        repeats=40,
        seed=0,
    )
    assert found["rule"]["mean"] == pytest.approx(0.5, abs=0.02)
    assert found["rule"]["std"] > 0
    assert found["rest"] == {"mean": 0.0, "std": 0.0}


def test_a_model_of_other_features_is_refused(tmp_path):
    train(tmp_path, *generated(40))
    other = classifier.Design("semantic", ("size", "kind"), DESIGN.categories, DESIGN.classes)
    with pytest.raises(InputError, match="was trained for other features"):
        classifier.load(tmp_path / "model", other)


def test_a_damaged_model_is_refused(tmp_path):
    train(tmp_path, *generated(40))
    (tmp_path / "model" / "model.json").write_text("{")
    with pytest.raises(InputError, match=r"model.json cannot be read[\s\S]*train_semantic"):
        classifier.load(tmp_path / "model", DESIGN)


def test_an_absent_model_is_named(tmp_path):
    with pytest.raises(InputError, match=r"card\.json cannot be read"):
        classifier.load(tmp_path / "nothing", DESIGN)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("kind", "lake", "feature 'kind': unknown category\n  given: lake"),
        ("size", np.inf, "feature 'size' has infinite values"),
    ],
)
def test_values_that_no_feature_has_are_refused(column, value, message):
    table, _ = generated(4)
    table.loc[0, column] = value
    with pytest.raises(InputError, match=message):
        DESIGN.matrix(table)


def test_a_missing_feature_is_named():
    table, _ = generated(4)
    with pytest.raises(InputError, match="lacks the feature 'noise'"):
        DESIGN.matrix(table.drop(columns="noise"))
