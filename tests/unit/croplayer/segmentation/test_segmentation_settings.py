from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from croplayer.segmentation.architectures.presets import PRESETS
from croplayer.settings.segmentation import ModelShape, SegmentationSettings


def test_defaults_are_valid():
    settings = SegmentationSettings()
    assert settings.stride_pixels == 384 == settings.chip_pixels * 3 // 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"chip_pixels": 128, "overlap_pixels": 65}, "more than half of a chip of 128 pixels"),
        ({"weights": "a", "pretrained_model": "b"}, "weights or pretrained_model, not both"),
        ({"chip_pixels": 100}, "multiple of 32"),
        ({"threshold": 1.0}, "less than 1"),
        ({"augmentation": {"d5": True}}, "Extra inputs"),
    ],
)
def test_refuses_settings_that_contradict_each_other(values, message):
    with pytest.raises(ValidationError, match=message):
        SegmentationSettings(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"attention_heads": 7}, "must divide feature_width"),
        ({"finest_stride": 2}, "only there for backbone resnet"),
        ({"widths": (96, 192, 384, 512)}, "96, 192, 384, 768 would be right"),
    ],
)
def test_refuses_shapes_that_cannot_be_built(values, message):
    with pytest.raises(ValidationError, match=message):
        ModelShape(**values)


def test_every_preset_has_a_shape():
    allowed = SegmentationSettings.model_fields["preset"].annotation.__args__
    assert set(allowed) == set(PRESETS)


def test_settings_and_labels_do_without_torch():
    code = (
        "import sys; import croplayer.settings.segmentation, croplayer.segmentation.windows; "
        "sys.exit(int('torch' in sys.modules or 'transformers' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_inference_may_take_larger_chips_than_training():
    settings = SegmentationSettings(chip_pixels=128, inference_chip_pixels=256)
    assert (settings.inference_chip, settings.overlap, settings.stride_pixels) == (256, 64, 192)
    assert SegmentationSettings(chip_pixels=128).inference_chip == 128
