"""The final map beside existing products: pixels, blocks, province, and the reference sample."""
