"""Gradient-boosted trees over blocks: training, test, importance, card; shared by both models.

XGBoost (Chen and Guestrin, 2016) takes categories and missing values as they are, so a model has
exactly the features of Table 5: coverage type is one feature and not five.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost

from cropbase.atomic import atomic_path, write_json
from cropbase.errors import ConfigError, InputError
from croplayer.blocks.evaluation import permutation_importance, score
from croplayer.blocks.splitting import stratified_group_split
from croplayer.settings.semantic import TreeSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Design:
    """What a model sees and says.

    features : names, in order. categories : the values of each categorical feature, in order.
    classes : every class that a label may have.
    """

    task: str
    features: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    classes: tuple[str, ...]

    def matrix(self, table: pd.DataFrame) -> np.ndarray:
        """(rows, features) float64; categories as their index, missing values NaN.

        Raises InputError for an absent feature, an unknown category or an infinite value.
        """
        columns = []
        for name in self.features:
            if name not in table.columns:
                raise InputError(f"the table lacks the feature {name!r} of the {self.task} model")
            if name in self.categories:
                values = table[name].astype(object).where(table[name].notna(), None)
                unknown = {str(v) for v in values if v is not None} - set(self.categories[name])
                if unknown:
                    raise InputError(
                        f"feature {name!r}: unknown category",
                        given=sorted(unknown)[0],
                        allowed=", ".join(self.categories[name]),
                    )
                codes = pd.Categorical(values, categories=self.categories[name]).codes
                column = np.where(codes < 0, np.nan, codes.astype(np.float64))
            else:
                column = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
                if np.isinf(column).any():
                    raise InputError(f"feature {name!r} has infinite values")
            columns.append(column)
        return np.column_stack(columns) if columns else np.empty((len(table), 0))


@dataclass(frozen=True)
class BlockClassifier:
    """A trained model. `booster` is None where the labels had one class only."""

    design: Design
    present: tuple[str, ...]
    booster: xgboost.Booster | None

    def probabilities(self, matrix: np.ndarray) -> np.ndarray:
        """(rows, classes) float64 in the order of `design.classes`; rows sum to 1.

        A class without labels has probability 0.
        """
        out = np.zeros((len(matrix), len(self.design.classes)))
        where = [self.design.classes.index(name) for name in self.present]
        if self.booster is None:
            out[:, where[0]] = 1.0
        elif len(matrix):
            found = self.booster.predict(_dmatrix(self.design, matrix)).astype(np.float64)
            out[:, where] = found / found.sum(axis=1, keepdims=True)
        return out

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """(rows,) names of the likeliest classes."""
        return np.array(self.design.classes)[self.probabilities(matrix).argmax(axis=1)]


def train(
    *,
    design: Design,
    table: pd.DataFrame,
    labels: Sequence[str],
    settings: TreeSettings,
    label_sha256: str,
    model_dir: Path,
) -> dict[str, Any]:
    """Train on four fifths of the labelled blocks, test on the rest, write the model and its card.

    Parameters
    ----------
    table : a row a label, with `block_id` and the features.
    labels : the class of each row, one of `design.classes`.
    label_sha256 : digest of the labels, for the card.
    model_dir : receives `model.json` (XGBoost's own format) and `card.json`.

    Returns the card. With labels of a single class the model always answers that class, and the
    card warns of it. Raises InputError if there are no labels.
    """
    y = np.asarray(labels, dtype=str)
    if len(y) == 0:
        raise InputError(
            f"the {design.task} model has no labels",
            remedy="interpret some blocks and enter them in the label table",
        )
    # The rows' order must not matter to the trees: two tables of the same labels are the same.
    keys = ["block_id", "source"] if "source" in table.columns else ["block_id"]
    order = table.reset_index(drop=True).sort_values(keys).index.to_numpy()
    table, y = table.iloc[order].reset_index(drop=True), y[order]
    matrix = design.matrix(table)
    groups = table["block_id"].astype(str).to_numpy()
    counts = {name: int(np.count_nonzero(y == name)) for name in design.classes}
    present = tuple(name for name in design.classes if counts[name])
    warnings = []
    absent = [name for name in design.classes if not counts[name]]
    if absent:
        warnings.append(f"no label of class {', '.join(absent)}: the model never answers it")
    if len(present) == 1:
        warnings.append(f"all labels are {present[0]}: the model always answers {present[0]}")
    test = stratified_group_split(
        y, groups, test_fraction=settings.test_fraction, seed=settings.seed
    )
    untested = [name for name in present if not np.any(y[test] == name)]
    if untested:
        warnings.append(
            f"class {', '.join(untested)}: too few blocks to hold one out, all in the training"
        )
    model = _fit(design, present, matrix[~test], y[~test], settings)
    if test.any():
        scores = score(y[test], model.predict(matrix[test]), design.classes)
    else:
        scores = None
        warnings.append("no block could be held out: the model is not tested")
    on_test = int(test.sum()) >= settings.permutation_min_rows
    rows = test if on_test else np.ones(len(y), dtype=bool)
    if not on_test:
        warnings.append(
            f"fewer than {settings.permutation_min_rows} held-out rows: the importance is measured "
            "on all labelled rows, training rows included"
        )
    card = {
        "task": design.task,
        "kind": "constant" if model.booster is None else "xgboost",
        "features": list(design.features),
        "categories": {name: list(values) for name, values in design.categories.items()},
        "classes": list(design.classes),
        "classes_present": list(present),
        "label_counts": counts,
        "label_sha256": label_sha256,
        "train_rows": int(np.count_nonzero(~test)),
        "test_rows": int(np.count_nonzero(test)),
        "train_blocks": len(np.unique(groups[~test])),
        "test_blocks": len(np.unique(groups[test])),
        "test": scores,
        "importance": {
            "measured_on": "held-out rows" if on_test else "all labelled rows",
            "rows": int(rows.sum()),
            "metric": "decrease of accuracy",
            "repeats": settings.permutation_repeats,
            "features": permutation_importance(
                model.predict,
                design.features,
                matrix[rows],
                y[rows],
                repeats=settings.permutation_repeats,
                seed=settings.seed,
            ),
        },
        "settings": settings.model_dump(mode="json"),
        "versions": {"xgboost": xgboost.__version__, "numpy": np.__version__},
        "warnings": warnings,
    }
    for text in warnings:
        log.warning("%s model: %s", design.task, text)
    model_dir = Path(model_dir)
    if model.booster is None:
        write_json(model_dir / "model.json", {"constant": present[0]})
    else:
        with atomic_path(model_dir / "model.json") as temporary:
            model.booster.save_model(temporary)
    write_json(model_dir / "card.json", card)
    return card


def load(model_dir: Path, design: Design) -> BlockClassifier:
    """Read a model written by `train`.

    Raises InputError if it is absent or damaged, or was trained for other features or classes.
    """
    card = read_card(Path(model_dir) / "card.json")
    for key, wanted in (("features", design.features), ("classes", design.classes)):
        if tuple(card.get(key, ())) != wanted:
            raise InputError(
                f"model {model_dir} was trained for other {key}",
                given=", ".join(card.get(key, ())),
                allowed=", ".join(wanted),
                remedy=f"run `snakemake --forcerun train_{design.task}`",
            )
    present = tuple(card["classes_present"])
    if not present or not set(present) <= set(design.classes):
        raise InputError(
            f"model {model_dir} was trained for classes that there are not",
            given=", ".join(map(repr, present)) or "none",
            allowed=", ".join(design.classes),
            remedy=f"run `snakemake --forcerun train_{design.task}`",
        )
    if card["kind"] == "constant":
        return BlockClassifier(design, present, None)
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(Path(model_dir) / "model.json")
    except (xgboost.core.XGBoostError, OSError, ValueError) as error:
        raise InputError(
            f"model {model_dir}/model.json cannot be read",
            given=str(error).splitlines()[0],
            remedy=f"run `snakemake --forcerun train_{design.task}`",
        ) from None
    return BlockClassifier(design, present, booster)


def read_card(path: Path) -> dict[str, Any]:
    """Read the card of a model; raises InputError if it is absent or damaged."""
    try:
        card = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(card, dict) or "classes_present" not in card or "kind" not in card:
            raise ValueError("not a model card")
    except (OSError, ValueError) as error:
        raise InputError(
            f"model card {path} cannot be read",
            given=error,
            remedy="let the workflow train the model again: `snakemake --forcerun "
            "train_semantic` (or train_integration), or copy the model's folder anew",
        ) from None
    return card


def _fit(
    design: Design,
    present: tuple[str, ...],
    matrix: np.ndarray,
    labels: np.ndarray,
    settings: TreeSettings,
) -> BlockClassifier:
    if len(present) == 1:
        return BlockClassifier(design, present, None)
    codes = np.array([present.index(name) for name in labels])
    weights = None
    if settings.class_weights == "balanced":
        counts = np.bincount(codes, minlength=len(present))
        weights = (len(codes) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[codes]
    parameters = {
        "objective": "multi:softprob",
        "num_class": len(present),
        "tree_method": "hist",
        "device": "cpu",
        "eta": settings.learning_rate,
        "max_depth": settings.max_depth,
        "min_child_weight": settings.min_child_weight,
        "subsample": settings.subsample,
        "colsample_bytree": settings.column_share,
        "lambda": settings.l2,
        # One thread: sums of gradients, and with them the trees, are the same on any machine.
        "nthread": 1,
        "seed": settings.seed,
        "verbosity": 1,
    }
    try:
        booster = xgboost.train(
            parameters,
            _dmatrix(design, matrix, codes, weights),
            num_boost_round=settings.n_trees,
        )
    except xgboost.core.XGBoostError as error:
        raise ConfigError(
            f"XGBoost refuses to train the {design.task} model",
            given=str(error).splitlines()[0],
            remedy=f"check the keys under `{design.task}`",
        ) from None
    return BlockClassifier(design, present, booster)


def _dmatrix(
    design: Design,
    matrix: np.ndarray,
    codes: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        matrix.astype(np.float32),
        label=codes,
        weight=weights,
        missing=np.nan,
        feature_names=list(design.features),
        feature_types=["c" if name in design.categories else "float" for name in design.features],
        enable_categorical=True,
        nthread=1,
    )
