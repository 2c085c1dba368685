"""Key `semantic`: the XGBoost model of semantic correctness, and what both models share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from cropbase.config import Section


class TreeSettings(Section):
    """Gradient-boosted trees of one classifier of blocks, and how it is tested."""

    test_fraction: float = Field(
        0.2, gt=0, lt=1, description="share of the labelled blocks held out for the test"
    )
    seed: int = Field(0, ge=0, description="seed of the split, the trees and the permutations")
    n_trees: int = Field(300, ge=1, le=10_000, description="boosting rounds")
    learning_rate: PositiveFloat = Field(0.1, le=1, description="shrinkage of each round")
    max_depth: int = Field(6, ge=1, le=20, description="depth of a tree, levels")
    min_child_weight: NonNegativeFloat = Field(
        1.0, description="smallest sum of Hessians in a leaf"
    )
    subsample: PositiveFloat = Field(0.8, le=1, description="share of the rows that a tree sees")
    column_share: PositiveFloat = Field(
        0.8, le=1, description="share of the features that a tree sees"
    )
    l2: NonNegativeFloat = Field(1.0, description="L2 penalty of the leaf weights")
    class_weights: Literal["none", "balanced"] = Field(
        "none",
        description="balanced: a class counts as much as any other, however rare; helps rare "
        "classes at the cost of overall accuracy",
    )
    permutation_repeats: int = Field(
        30, ge=1, le=1000, description="permutations of each feature for its importance"
    )
    permutation_min_rows: int = Field(
        20,
        ge=1,
        description="with fewer held-out rows the importance is measured on all labelled rows, "
        "and the card says so",
    )


class SemanticSettings(TreeSettings):
    """Semantic correctness of a block and source (paper, sections 2.2.5 and 3.3)."""
