"""Every figure and table of a case's report, in the order of the paper."""

from __future__ import annotations

from collections.abc import Sequence

from cropbase.atlas.items import Item

WHEN = {
    "always": "this run did not make it",
    "maps": "the case ends with the statistics (configuration: case.stages)",
    "validated": "no level of the statistics is kept aside (configuration: statistics.use_levels)",
    "change": "the case has a single year (configuration: statistics.nodes)",
}
"""Parts of a run (`Item.when`), and what the report says where one is missing."""


def case_contents(years: Sequence[int], jobs: Sequence[str]) -> list[Item]:
    """The items of a case with these node years and these jobs of the allocation."""
    items = [
        Item(
            "Figures S5 and S6",
            "harmonisation",
            "figure",
            "figures/harmonisation.png",
            "Harmonisation of the levels",
            "Left: what the units of each level reported in sum, over the figure of the nation, "
            "before anything was changed. Right: the factors by which figures were changed so that "
            "all levels agree (Eq. 1-2).",
        ),
        Item(
            "Figure 3",
            "shares",
            "figure",
            "figures/shares.png",
            "Shares of the crops",
            "Shares of the crops in the harvested area over the years.",
            "change",
        ),
        Item(
            "Figure 4",
            "change",
            "figure",
            "figures/change.png",
            "How the crops moved",
            "Centres and standard deviational ellipses (Eq. 20-23), and profiles along "
            "longitude and latitude.",
            "change",
        ),
    ]
    for year in years:
        items += [
            Item(
                "Figure 5",
                f"validation_{year}",
                "figure",
                f"figures/validation_{year}.png",
                f"Allocated against reported area, {year}",
                "Units whose figures were not used, a crop a panel, logarithmic axes; the colour "
                "counts units. N, r, R2 and RMSE as in Eq. 17-19.",
                "validated",
            ),
            Item(
                "Figure 6",
                f"close_ups_{year}",
                "figure",
                f"figures/close_ups_{year}.png",
                f"Close up beside baselines and products, {year}",
                "The largest crops where most of each lies: cropland offered, the allocation, the "
                "same statistics placed in proportion, other products in their own pixels. Percent "
                "of a pixel that is harvested, one scale a crop.",
                "maps",
            ),
            Item(
                "Figure 7",
                f"comparison_{year}",
                "figure",
                f"figures/comparison_{year}.png",
                f"Beside baselines and products, {year}",
                "The same statistics placed in proportion to cropland, and to suitability times "
                "cropland, and other products where the case names some; judged by the same units.",
                "validated",
            ),
        ]
    for year in years:
        items += _tables(year, jobs)
    items += [
        Item(
            "",
            "audit",
            "table",
            "statistics/audit.csv",
            "Every change of a figure",
            "Hectares before and after the harmonisation, the factor between them, and why.",
        ),
        Item(
            "",
            "findings",
            "table",
            "statistics/findings.csv",
            "What is odd about the statistics",
            "What does not join or fit.",
        ),
        Item(
            "",
            "clips",
            "table",
            "systems/clips.csv",
            "Shares of the systems that were cut",
            "Where irrigated and high-input shares exceeded the whole (Eq. 4-6).",
            "maps",
        ),
    ]
    # By number of the paper; years stay in order.
    numbered = sorted((item for item in items if item.number), key=lambda item: item.number)
    return [*numbered, *(item for item in items if not item.number)]


def _tables(year: int, jobs: Sequence[str]) -> list[Item]:
    return [
        Item(
            "",
            f"crops_{year}",
            "figure",
            f"figures/crops_{year}.png",
            f"Maps of the largest crops, {year}",
            "Harvested hectares a cell, irrigated and rainfed together (A = I + H + L). Colours "
            "end at the 99th percentile of a crop's own cells.",
            "maps",
        ),
        Item(
            "",
            f"account_{year}",
            "table",
            f"maps/account_{year}.csv",
            f"Account of every hectare, {year}",
            "Statistics of each target and system, what could not be placed (slack), and what lies "
            "on the map.",
            "maps",
        ),
        *(
            Item(
                "",
                f"slack_{year}_{job}",
                "table",
                f"allocation/{year}/{job}/slack.csv",
                f"What could not be placed, {year}" + (f", job {job}" if len(jobs) > 1 else ""),
                "Hectares of statistics without land, in sentences. No rows: all was placed.",
                "maps",
            )
            for job in jobs
        ),
        Item(
            "",
            f"consistency_{year}",
            "table",
            f"allocation/{year}/consistency.csv",
            f"Statistics beside the land, {year}",
            "Where statistics exceed the land, before any solver runs; hectares.",
            "maps",
        ),
        Item(
            "",
            f"accuracy_{year}",
            "table",
            f"validation/accuracy_{year}.csv",
            f"Accuracy by units that were kept aside, {year}",
            "The allocation, the baselines and other products; hectares.",
            "validated",
        ),
    ]
