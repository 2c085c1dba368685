"""A Mask2Former so small that a test can train it."""

from croplayer.settings.architectures import Mask2FormerShape

MICRO_SHAPE = Mask2FormerShape(
    backbone="resnet",
    depths=(1, 1, 1, 1),
    widths=(8, 16, 16, 16),
    stem_width=8,
    finest_stride=2,
    feature_width=32,
    feedforward_width=32,
    attention_heads=2,
    pixel_decoder_layers=1,
    decoder_layers=1,
    queries=4,
)
