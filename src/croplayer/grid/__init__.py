"""The one global grid: blocks, shards, and the pixels inside them."""

from croplayer.grid.blocks import Block, BlockGrid, PixelWindow, Shard

__all__ = ["Block", "BlockGrid", "PixelWindow", "Shard"]
