"""How crops moved: shares a year, standard deviational ellipses, profiles (Eq. 20-23)."""

from cropalloc.change.analyse import analyse_change
from cropalloc.change.ellipse import Ellipse, deviational_ellipse
from cropalloc.change.figures import plot_change, plot_shares
from cropalloc.change.projection import equal_area_crs

__all__ = [
    "Ellipse",
    "analyse_change",
    "deviational_ellipse",
    "equal_area_crs",
    "plot_change",
    "plot_shares",
]
