"""Where to label next: the chosen blocks by their main reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyogrio
import shapely

from cropbase.figures import image, save_figure, with_margin
from cropbase.tables import read_geotable, read_table
from croplayer.active.choosing.reasons import REASONS
from croplayer.active.choosing.thumbnails import draw_thumbnails
from croplayer.grid.planning import read_plan
from croplayer.report.shards import read_imagery
from croplayer.report.style import INK, SKY, draw_rings, legend, map_axes, new_figure, panel_size


def picture_chosen(
    *,
    blocks: Path,
    scores: Path,
    chosen: Path,
    suggested: Path,
    mosaics: Mapping[str, Sequence[Path]],
    probability: Mapping[str, Sequence[Path]],
    extents: Path | None,
    figure: Path,
    thumbnails: Path,
    title: str,
    note: str,
) -> None:
    """The map of `plot_chosen`, on the first source's imagery, and a thumbnail a chosen block."""
    draw_thumbnails(
        chosen=chosen,
        suggested=suggested,
        mosaics=mosaics,
        probability=probability,
        folder=thumbnails,
    )
    plot_chosen(
        blocks=blocks,
        scores=scores,
        chosen=chosen,
        suggested=suggested,
        mosaics=next(iter(mosaics.values())),
        extents=extents,
        output=figure,
        title=title,
        note=note,
    )


def plot_chosen(
    *,
    blocks: Path,
    scores: Path,
    chosen: Path,
    suggested: Path,
    mosaics: Sequence[Path],
    output: Path,
    extents: Path | None = None,
    title: str = "",
    note: str = "",
    pixels: int = 900,
) -> None:
    """The chosen blocks on imagery, and the priority of all that could be chosen (PNG).

    Parameters
    ----------
    blocks : the plan table. scores, chosen, suggested : what `choose_blocks` wrote.
    mosaics : imagery of one source. extents : what is labelled already.
    """
    plan = read_plan(blocks)
    ranked, windows = pyogrio.read_dataframe(chosen), pyogrio.read_dataframe(suggested)
    extent = with_margin(tuple(float(v) for v in plan.total_bounds))
    width, height = panel_size(extent, 5.2)
    figure = new_figure(0.8 + 2 * (width + 0.3), 1.4 + height, title=title, note=note)
    left, right = figure.subplots(1, 2)
    left.imshow(read_imagery(list(mosaics), extent, pixels), extent=image(extent))
    map_axes(left, extent, "Chosen blocks by main reason, with their rank")
    if extents is not None:
        draw_rings(left, read_geotable(extents).geometry, color="white", linewidth=0.7)
    draw_rings(left, windows.geometry, color=SKY, linewidth=1.0)
    for row in ranked.itertuples():
        inner = shapely.buffer(row.geometry, -0.04 * row.geometry.length / 4, join_style="mitre")
        draw_rings(left, [inner], color=REASONS[row.reason][0], linewidth=2.2)
        left.annotate(
            str(row.rank),
            (row.geometry.centroid.x, row.geometry.centroid.y),
            ha="center",
            va="center",
            fontsize=8,
            zorder=6,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
        )
    used = {REASONS[name][1]: REASONS[name][0] for name in REASONS if name in set(ranked["reason"])}
    legend(left, used | {"suggested extent": SKY, "labelled so far": "white"}, columns=3)
    _draw_priority(figure, right, plan, scores, extent)
    save_figure(figure, output)


def _draw_priority(figure, axes, plan, scores: Path, extent) -> None:
    """The highest priority of each block's sources; grey where a block could not be chosen."""
    table = read_table(scores, columns=["block_id", "priority"])
    best = table.groupby("block_id")["priority"].max().reindex(plan["block_id"])
    frame = plan.assign(priority=best.to_numpy())
    frame.plot(
        column="priority",
        ax=axes,
        cmap="viridis",
        vmin=0,
        edgecolor=INK,
        linewidth=0.3,
        missing_kwds={"color": "#B4B4B4", "edgecolor": INK, "linewidth": 0.3},
        aspect=None,
    )
    axes.set(xlabel="", ylabel="")
    map_axes(axes, extent, "Priority: what the signs of a wrong map say")
    bar = figure.colorbar(
        axes.collections[0], ax=axes, location="bottom", shrink=0.8, aspect=28, pad=0.03
    )
    bar.set_label("priority; grey: labelled, outside or without usable imagery", fontsize=7)
    bar.ax.tick_params(labelsize=7)
