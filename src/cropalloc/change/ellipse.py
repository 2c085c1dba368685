"""The standard deviational ellipse of a weighted cloud of points (Eq. 20-23)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Ellipse:
    """Centre and semi-axes in the unit of the coordinates, and the direction of the long axis.

    `rotation_degrees` is clockwise from the y axis (grid north), 0 <= rotation < 180; NaN where
    the axes are equal or the cloud is a point.
    """

    x: float
    y: float
    semi_major: float
    semi_minor: float
    rotation_degrees: float

    def outline(self, n: int = 180) -> np.ndarray:
        """(n + 1, 2) float64 closed outline."""
        angle = np.linspace(0, 2 * np.pi, n + 1)
        turn = np.radians(np.nan_to_num(self.rotation_degrees))
        along, across = self.semi_major * np.cos(angle), self.semi_minor * np.sin(angle)
        return np.column_stack(
            [
                self.x + along * np.sin(turn) + across * np.cos(turn),
                self.y + along * np.cos(turn) - across * np.sin(turn),
            ]
        )


def deviational_ellipse(
    x: np.ndarray,
    y: np.ndarray,
    area: np.ndarray,
    *,
    weights: Literal["area", "area_squared"] = "area",
    standard_deviations: float = 1.0,
) -> Ellipse:
    """The ellipse of a cloud of points.

    Parameters
    ----------
    x, y : (n,) float64, coordinates of an equal-area projection, y to the north.
    area : (n,) float64 >= 0, crop area of each point, with a sum above zero.
    weights : of the spread: `area` w, or `area_squared` w**2 as Eq. 21-23 print. The centre is the
        mean weighted by w in both cases (Eq. 20).
    standard_deviations : length of the semi-axes.

    The angle solves tan 2t = 2 Sxy / (Syy - Sxx), t clockwise from north, with S the weighted
    second moments about the centre; Eq. 21 says the same once its cross term is squared, and the
    semi-axes are the root mean square distances along and across (Eq. 22-23 with the signs of a
    rotation).
    Raises ValueError for a cloud without weight.
    """
    area = np.asarray(area, dtype=np.float64)
    total = area.sum()
    if not total > 0:
        raise ValueError("an ellipse needs points with area")
    centre_x, centre_y = float(area @ x / total), float(area @ y / total)
    # Squares of hectares over a nation and of kilometres need no more than float64 has.
    w = area if weights == "area" else area * area
    dx, dy = x - centre_x, y - centre_y
    total = w.sum()
    xx, yy, xy = (float(w @ p / total) for p in (dx * dx, dy * dy, dx * dy))
    half, gap = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    long_axis, short_axis = np.sqrt(half + gap), np.sqrt(max(half - gap, 0.0))
    round_cloud = gap <= 1e-12 * half
    turn = np.degrees(0.5 * np.arctan2(2 * xy, yy - xx)) % 180
    return Ellipse(
        x=centre_x,
        y=centre_y,
        semi_major=float(long_axis * standard_deviations),
        semi_minor=float(short_axis * standard_deviations),
        rotation_degrees=float("nan") if round_cloud else float(turn if turn < 180 else 0.0),
    )
