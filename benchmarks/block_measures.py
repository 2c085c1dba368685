"""All measures of one block, by ours and by scikit-image; `block_measures.py MASK.npy`: the memory.

scikit-image is imported where it is used: it must not count in our memory.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from memory import peak_mib
from rasterio.transform import Affine

from cropbase.areas import row_pixel_areas_ha
from croplayer.blocks.edges import edge_density
from croplayer.blocks.features import compare_masks, region_features
from croplayer.blocks.regions import measure_regions


def second_source(mask: np.ndarray) -> np.ndarray:
    """The mask of the other source: the same fields, two pixels further."""
    return np.roll(mask, (2, 2), (0, 1))


def measure_block(
    mask: np.ndarray, other: np.ndarray, valid: np.ndarray, transform: Affine
) -> dict[str, float]:
    """Ours: the region features of Table 5, the edge density, and the IoU with the other source."""
    return region_features(mask, valid, transform) | {
        "edge_density": edge_density(mask, valid),
        "iou": compare_masks(mask, valid, other, valid)[0],
    }


def peer_measures(
    mask: np.ndarray, other: np.ndarray, valid: np.ndarray, transform: Affine
) -> dict[str, float]:
    """The same by scikit-image, scipy and numpy."""
    from scipy import ndimage
    from skimage.measure import label, regionprops_table

    table = regionprops_table(
        label(mask, connectivity=2), properties=("area", "solidity", "euler_number")
    )
    row_ha = row_pixel_areas_ha(transform, len(mask))
    area = float((mask * row_ha[:, None]).sum())
    other_ground = ndimage.binary_dilation(valid & ~mask, ndimage.generate_binary_structure(2, 1))
    return {
        "n_regions": float(len(table["area"])),
        "area": area,
        "af": area / float((valid * row_ha[:, None]).sum()),
        "solidity_mean": float(table["solidity"].mean()),
        "solidity_total": float(table["solidity"].sum()),
        "en_mean": float(table["euler_number"].mean()),
        "en_total": float(table["euler_number"].sum()),
        "edge_density": (mask & other_ground).sum() / valid.sum(),
        "iou": (mask & other & valid).sum() / ((mask | other) & valid).sum(),
    }


def equal_regions(mask: np.ndarray) -> bool:
    """Area, solidity and Euler number of every single region, bit by bit."""
    from skimage.measure import label, regionprops_table

    table = regionprops_table(
        label(mask, connectivity=2), properties=("area", "solidity", "euler_number")
    )
    found = measure_regions(mask)
    return (
        np.array_equal(found.area, table["area"])
        and np.array_equal(found.solidity, table["solidity"])
        and np.array_equal(found.euler, table["euler_number"])
    )


def main() -> None:
    mask = np.load(sys.argv[1])
    anywhere = Affine(0.05 / len(mask), 0, 112.0, 0, -0.05 / len(mask), 24.0)
    measure_block(mask, second_source(mask), np.ones(mask.shape, dtype=bool), anywhere)
    print(json.dumps({"peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
