"""From class codes to what they say of cropland."""

from __future__ import annotations

import numpy as np

from croplayer.settings.products import MAX_CODE, Membership, ProductRaster

OUT, UNCLEAR, IN, FILL, STRANGE = range(5)
"""States of a product's pixel. FILL says nothing; STRANGE is a code outside the legend."""
KNOWN = 3
"""States below this one say something of cropland."""
_STATES = {Membership.OUT: OUT, Membership.UNCLEAR: UNCLEAR, Membership.IN: IN}


def state_table(product: ProductRaster, nodata: float | None = None) -> np.ndarray:
    """(256,) uint8: the state of each code; `nodata` is the file's own, a class where the
    catalogue says so."""
    table = np.full(MAX_CODE + 1, STRANGE, dtype=np.uint8)
    if nodata is not None and 0 <= nodata <= MAX_CODE and nodata == int(nodata):
        table[int(nodata)] = FILL
    table[list(product.fill_codes)] = FILL
    for entry in product.classes:
        table[entry.code] = _STATES[entry.cropland]
    return table
