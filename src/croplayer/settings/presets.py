"""Named sizes of the segmentation networks.

`tiny` trains from nothing in minutes on two CPU cores: about a million parameters, logits in stride
2 to 4, because fields are a few pixels wide in coarse imagery. `base` and `large` are published
sizes, which also go by their own names.
"""

from __future__ import annotations

from typing import Literal

from croplayer.settings.architectures import (
    Mask2FormerShape,
    PidNetShape,
    PspNetShape,
    SegFormerShape,
    Shape,
)

Preset = Literal[
    "tiny",
    "base",
    "large",
    "swin_t",
    "swin_s",
    "swin_b",
    "swin_l",
    "mit_b0",
    "mit_b1",
    "mit_b2",
    "mit_b3",
    "mit_b4",
    "mit_b5",
    "pidnet_s",
    "pidnet_m",
    "pidnet_l",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
]

# Cheng et al. 2022, on Swin transformers (Liu et al. 2021, table 7).
_MASK2FORMER = {
    "swin_t": Mask2FormerShape(),
    "swin_s": Mask2FormerShape(depths=(2, 2, 18, 2)),
    "swin_b": Mask2FormerShape(depths=(2, 2, 18, 2), widths=(128, 256, 512, 1024), window_cells=12),
    "swin_l": Mask2FormerShape(
        depths=(2, 2, 18, 2), widths=(192, 384, 768, 1536), window_cells=12, queries=200
    ),
}
# Xie et al. 2021, table 6 (the encoders) and section 4.1 (the decoder's width).
_SEGFORMER = {
    "mit_b0": SegFormerShape(depths=(2, 2, 2, 2), widths=(32, 64, 160, 256), decoder_width=256),
    "mit_b1": SegFormerShape(depths=(2, 2, 2, 2), decoder_width=256),
    "mit_b2": SegFormerShape(depths=(3, 4, 6, 3)),
    "mit_b3": SegFormerShape(depths=(3, 4, 18, 3)),
    "mit_b4": SegFormerShape(depths=(3, 8, 27, 3)),
    "mit_b5": SegFormerShape(depths=(3, 6, 40, 3)),
}
# Xu et al. 2023: 7.6, 34.4 and 36.9 million parameters. The authors' own weights of the middle size
# have three blocks where 34.4 million need four: `shape: {width: 64}` takes them.
_PIDNET = {
    "pidnet_s": PidNetShape(),
    "pidnet_m": PidNetShape(width=64, integral_blocks=4),
    "pidnet_l": PidNetShape(
        width=64,
        branch_blocks=3,
        integral_blocks=4,
        heavy=True,
        pyramid_width=112,
        head_width=256,
    ),
}
# Zhao et al. 2017, on residual networks (He et al. 2016, table 1).
_PSPNET = {
    "resnet18": PspNetShape(block="basic", depths=(2, 2, 2, 2)),
    "resnet34": PspNetShape(block="basic"),
    "resnet50": PspNetShape(),
    "resnet101": PspNetShape(depths=(3, 4, 23, 3)),
}

PRESETS: dict[str, dict[str, Shape]] = {
    "mask2former": {
        # Convolutions learn from few labels and need no pretraining.
        "tiny": Mask2FormerShape(
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
        "base": _MASK2FORMER["swin_t"],
        "large": _MASK2FORMER["swin_l"],
        **_MASK2FORMER,
    },
    "segformer": {
        "tiny": SegFormerShape(
            depths=(1, 1, 2, 1),
            widths=(24, 48, 96, 160),
            attention_heads=(1, 2, 4, 5),
            finest_stride=2,
            decoder_width=64,
            drop_path_rate=0.0,
            decoder_dropout=0.0,
        ),
        "base": _SEGFORMER["mit_b2"],
        "large": _SEGFORMER["mit_b5"],
        **_SEGFORMER,
    },
    "pidnet": {
        "tiny": PidNetShape(
            width=16,
            branch_blocks=2,
            integral_blocks=2,
            pyramid_width=32,
            head_width=32,
            finest_stride=4,
        ),
        "base": _PIDNET["pidnet_m"],
        "large": _PIDNET["pidnet_l"],
        **_PIDNET,
    },
    "pspnet": {
        "tiny": PspNetShape(
            block="basic",
            depths=(1, 1, 1, 1),
            widths=(32, 48, 64, 96),
            output_stride=4,
            pyramid_width=64,
            dropout=0.0,
        ),
        "base": _PSPNET["resnet50"],
        "large": _PSPNET["resnet101"],
        **_PSPNET,
    },
}
"""Architecture -> name -> size."""


def check_preset(architecture: str, preset: str) -> None:
    """Raise ValueError if the architecture has no size of this name."""
    if preset not in PRESETS[architecture]:
        raise ValueError(
            f"{architecture} has no preset {preset}: {', '.join(PRESETS[architecture])} are there"
        )
