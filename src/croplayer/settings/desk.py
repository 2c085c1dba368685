"""Key `desk`: the review desk, where people interpret blocks."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cropbase.config import Section


class DeskSettings(Section):
    """What the review desk hands out, to whom, and where it keeps the answers."""

    database: Path | None = Field(
        None,
        description="SQLite file of all answers, on a local disk;"
        " null: {data_root}/desk/<province>.sqlite",
    )
    every_blocks: int = Field(
        1,
        ge=1,
        description="Hand out each n-th row and column of the global grid of blocks: a systematic"
        " sample. The paper takes one block in 0.5 degrees, which is 10; 1: every block",
    )
    double_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the blocks that two annotators interpret, neither seeing the"
        " other's answer; 0: each block goes to one annotator",
    )
    double_seed: int = Field(
        1, description="Chooses which blocks are labelled twice, and the order `random`"
    )
    claim_minutes: float = Field(
        30.0,
        gt=0,
        description="How long a block stays with the annotator who looks at it without an answer,"
        " minutes; then the other may get it",
    )
    relabel: bool = Field(
        False,
        description="Hand out blocks too that the label tables already hold, without showing what"
        " they say: to measure how well two interpretations agree",
    )
