"""Sizes of Mask2Former by name."""

from __future__ import annotations

from croplayer.settings.segmentation import ModelShape

PRESETS: dict[str, ModelShape] = {
    # Convolutions learn from few labels and need no pretraining; masks in stride 2 keep fields of a
    # few pixels apart. About a million parameters: minutes of training on two CPU cores.
    "tiny": ModelShape(
        backbone="resnet",
        depths=(1, 1, 1, 1),
        widths=(32, 64, 96, 128),
        stem_width=24,
        finest_stride=2,
        feature_width=64,
        feedforward_width=128,
        attention_heads=4,
        pixel_decoder_layers=1,
        decoder_layers=3,
        queries=8,
    ),
    "base": ModelShape(),
    "large": ModelShape(
        depths=(2, 2, 18, 2), widths=(192, 384, 768, 1536), window_cells=12, queries=200
    ),
}
"""base and large have the shapes of the published Swin-T and Swin-L models (Cheng et al. 2022)."""
