"""Maps against statistics that were not used, other products and simple baselines (Eq. 17-19)."""

from cropalloc.validation.baselines import baseline_areas
from cropalloc.validation.compare import compare_product, validate_allocation
from cropalloc.validation.figures import plot_comparison, plot_validation
from cropalloc.validation.measures import agreement

__all__ = [
    "agreement",
    "baseline_areas",
    "compare_product",
    "plot_comparison",
    "plot_validation",
    "validate_allocation",
]
