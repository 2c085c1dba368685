"""Key `report` of both branches: the page with a map."""

from __future__ import annotations

from pydantic import Field

from cropbase.config import Section


class ReportSettings(Section):
    """The standalone report."""

    tiles_megabytes: float = Field(
        200,
        gt=0,
        description="what the tiles of the report's map may take, megabytes; they go as deep as "
        "that allows, at most to the pixels of the data",
    )
