"""Choosing between the two sources, block by block (paper, section 3.3 and Table 4)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cropbase.errors import ConfigError, InputError
from cropbase.tables import read_table, write_table
from croplayer.blocks import classifier
from croplayer.blocks.classes import COVERAGE_TYPES, OPTIONS, SEMANTIC_CLASSES
from croplayer.blocks.labels import label_digest, read_labels
from croplayer.blocks.plots import plot_importance
from croplayer.blocks.semantic import read_semantic
from croplayer.blocks.tables import INTEGRATION_FEATURES, integration_table, read_features
from croplayer.grid.completeness import require_ids
from croplayer.grid.planning import read_plan
from croplayer.settings.integration import IntegrationSettings

log = logging.getLogger(__name__)

DESIGN = classifier.Design(
    task="integration",
    features=INTEGRATION_FEATURES,
    categories={
        "coverage_type_a": COVERAGE_TYPES,
        "coverage_type_b": COVERAGE_TYPES,
        "semantic_a": SEMANTIC_CLASSES,
        "semantic_b": SEMANTIC_CLASSES,
    },
    classes=OPTIONS,
)
PROBABILITIES = tuple(f"p_{name}" for name in OPTIONS)


def train_integration(
    *,
    features: list[Path],
    semantic: Path,
    labels: Path,
    sources: Sequence[str],
    settings: IntegrationSettings,
    model_dir: Path,
    importance_png: Path | None = None,
) -> dict:
    """Train the model that chooses an option; writes `model.json` and `card.json`.

    Parameters
    ----------
    features : feature tables of the shards.
    semantic : semantic classes of all blocks and sources.
    labels : CSV block_id, option.
    sources : (a, b): what `only_a` and `only_b` mean.

    Returns the card. Raises InputError for labels of unknown blocks or options.
    """
    table = _table(features, semantic, sources)
    marks = _read_options(labels, table["block_id"], sources)
    joined = marks.merge(table, on="block_id", how="left", validate="one_to_one")
    card = classifier.train(
        design=DESIGN,
        table=joined,
        labels=joined["option"],
        settings=settings,
        label_sha256=label_digest(marks[["block_id", "option"]]),
        model_dir=model_dir,
    )
    if importance_png is not None:
        names = {"_a": f" ({sources[0]})", "_b": f" ({sources[1]})"}
        plot_importance(card, importance_png, title="Results integration", suffixes=names)
    return card


def choose_options(
    *,
    features: list[Path],
    semantic: Path,
    model_dir: Path,
    corrections: Path | None,
    sources: Sequence[str],
    blocks: Path,
    output: Path,
) -> pd.DataFrame:
    """Write the option of every planned block. Manual corrections win and are marked.

    Parameters
    ----------
    corrections : CSV block_id, option, reason; None if there are none.
    blocks : the plan.

    Returns the table: block_id, option, p_neither, p_only_a, p_only_b, p_both, corrected, reason.
    The probabilities are the model's, also where a correction overrules it.

    Raises InputError for a correction of an unknown block or option, CompletenessError if
    features or semantic classes are not exactly those of the planned blocks.
    """
    pair, plan = check_pair(sources), read_plan(blocks)
    of_blocks, classes = read_features(features, sources=pair), read_semantic(semantic)
    for found, stage in ((of_blocks, "measure_features"), (classes, "classify_semantic")):
        require_ids(found, plan["block_id"], stage=stage, per_source=pair)
    table = integration_table(of_blocks, classes, pair)
    model = classifier.load(model_dir, DESIGN)
    probabilities = model.probabilities(DESIGN.matrix(table))
    result = table[["block_id"]].astype(str)
    result["option"] = [OPTIONS[k] for k in probabilities.argmax(axis=1)]
    for k, name in enumerate(PROBABILITIES):
        result[name] = probabilities[:, k]
    result["corrected"] = False
    result["reason"] = ""
    if corrections is not None:
        marks = _read_options(corrections, result["block_id"], sources).set_index("block_id")
        hit = result["block_id"].isin(marks.index)
        chosen = marks.loc[result.loc[hit, "block_id"]]
        changed = int((result.loc[hit, "option"].to_numpy() != chosen["option"].to_numpy()).sum())
        result.loc[hit, "option"] = chosen["option"].to_numpy()
        result.loc[hit, "reason"] = chosen["reason"].to_numpy()
        result.loc[hit, "corrected"] = True
        log.info("%d manual corrections, %d of them change the option", int(hit.sum()), changed)
    result = result.sort_values("block_id", ignore_index=True)
    require_ids(result, plan["block_id"], stage="choose_options", path=output)
    write_table(result, output)
    return result


def read_options(path: Path) -> pd.DataFrame:
    """Read `integration/options.parquet`; raises InputError if it is not such a table."""
    table = read_table(path)
    for name in ("block_id", "option"):
        if name not in table.columns:
            raise InputError(
                f"table {path} has no column {name!r}",
                remedy="run `snakemake --forcerun choose_options`",
            )
    unknown = sorted(set(table["option"].astype(str)) - set(OPTIONS))
    if unknown:
        raise InputError(
            f"table {path}, column option: unknown option",
            given=unknown[0],
            allowed=", ".join(OPTIONS),
        )
    return table


def check_pair(sources: Sequence[str]) -> tuple[str, str]:
    """The two sources as a pair; raises ConfigError if there are not two different ones."""
    if len(sources) != 2 or sources[0] == sources[1]:
        raise ConfigError(
            "the integration needs two sources",
            given=", ".join(sources) or "none",
            allowed="two different names",
            remedy="configure a second source under the key `sources`",
        )
    return sources[0], sources[1]


def _table(features: list[Path], semantic: Path, sources: Sequence[str]) -> pd.DataFrame:
    pair = check_pair(sources)
    return integration_table(read_features(features, sources=pair), read_semantic(semantic), pair)


def _read_options(path: Path, block_ids: pd.Series, sources: Sequence[str]) -> pd.DataFrame:
    try:
        return read_labels(
            path,
            keys=("block_id",),
            value="option",
            allowed=OPTIONS,
            known={(name,) for name in block_ids},
            known_name="planned block of this province",
            optional=("reason",),
        )
    except InputError as error:
        if "unknown option" not in error.problem:
            raise
        raise InputError(
            error.problem,
            given=error.given,
            allowed=f"{error.allowed} (a is {sources[0]!r}, b is {sources[1]!r})",
        ) from None
