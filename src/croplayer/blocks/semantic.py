"""Semantic correctness: is the cropland of a block and source true, false, noise or artifact?

Paper, sections 2.2.5 (classes), 3.3 and Table 5 (features).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cropbase.errors import InputError
from cropbase.tables import read_table, write_table
from croplayer.blocks import classifier
from croplayer.blocks.classes import COVERAGE_TYPES, SEMANTIC_CLASSES
from croplayer.blocks.labels import label_digest, read_labels
from croplayer.blocks.plots import plot_importance
from croplayer.blocks.tables import SEMANTIC_FEATURES, read_features
from croplayer.grid.completeness import require_ids
from croplayer.grid.planning import read_plan
from croplayer.settings.semantic import SemanticSettings

log = logging.getLogger(__name__)

DESIGN = classifier.Design(
    task="semantic",
    features=SEMANTIC_FEATURES,
    categories={"coverage_type": COVERAGE_TYPES},
    classes=SEMANTIC_CLASSES,
)
PROBABILITIES = tuple(f"p_{name.lower()}" for name in SEMANTIC_CLASSES)


def train_semantic(
    *,
    features: list[Path],
    labels: Path,
    settings: SemanticSettings,
    model_dir: Path,
    importance_png: Path | None = None,
) -> dict:
    """Train the model of semantic correctness; writes `model.json` and `card.json`.

    Parameters
    ----------
    features : feature tables of the shards.
    labels : CSV block_id, source, semantic_class.
    importance_png : figure of the permutation importance.

    Returns the card. Raises InputError for labels of unknown blocks, sources or classes.
    """
    table = read_features(features)
    known = set(zip(table["block_id"], table["source"], strict=True))
    marks = read_labels(
        labels,
        keys=("block_id", "source"),
        value="semantic_class",
        allowed=SEMANTIC_CLASSES,
        known=known,
        known_name="mapped block and source of this province",
    )
    joined = marks.merge(table, on=["block_id", "source"], how="left", validate="one_to_one")
    card = classifier.train(
        design=DESIGN,
        table=joined,
        labels=joined["semantic_class"],
        settings=settings,
        label_sha256=label_digest(marks),
        model_dir=model_dir,
    )
    if importance_png is not None:
        plot_importance(card, importance_png, title="Semantic correctness")
    return card


def classify_semantic(
    *,
    features: list[Path],
    model_dir: Path,
    sources: Sequence[str],
    blocks: Path,
    output: Path,
) -> pd.DataFrame:
    """Write the semantic class of every planned block and source.

    `blocks` is the plan.

    Returns the table: block_id, source, semantic_class, p_tp, p_fp, p_noise, p_artifacts, in the
    order of the feature tables' blocks.

    Raises CompletenessError if the features are not exactly those of the planned blocks and
    `sources`, InputError for files that cannot be used.
    """
    planned = read_plan(blocks)["block_id"]
    table = read_features(features)
    require_ids(table, planned, stage="measure_features", per_source=sources)
    model = classifier.load(model_dir, DESIGN)
    probabilities = model.probabilities(DESIGN.matrix(table))
    result = table[["block_id", "source"]].astype(str)
    result["semantic_class"] = [SEMANTIC_CLASSES[k] for k in probabilities.argmax(axis=1)]
    for k, name in enumerate(PROBABILITIES):
        result[name] = probabilities[:, k]
    # Stable: the sources keep their configured order within a block.
    result = result.sort_values("block_id", kind="stable", ignore_index=True)
    require_ids(result, planned, stage="classify_semantic", per_source=sources, path=output)
    write_table(result, output)
    return result


def read_semantic(path: Path) -> pd.DataFrame:
    """Read `semantic/classes.parquet`; raises InputError if it is not such a table."""
    table = read_table(path)
    for name in ("block_id", "source", "semantic_class"):
        if name not in table.columns:
            raise InputError(
                f"table {path} has no column {name!r}",
                remedy="run `snakemake --forcerun classify_semantic`",
            )
    return table
