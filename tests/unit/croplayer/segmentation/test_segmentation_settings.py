from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from croplayer.settings.architectures import SHAPES, Mask2FormerShape, PidNetShape
from croplayer.settings.presets import PRESETS
from croplayer.settings.segmentation import SegmentationSettings


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
        Mask2FormerShape(**values)


def test_every_preset_name_is_one_of_some_architecture():
    allowed = SegmentationSettings.model_fields["preset"].annotation.__args__
    assert set(allowed) == {name for sizes in PRESETS.values() for name in sizes}
    assert PRESETS.keys() == SHAPES.keys()


@pytest.mark.parametrize("architecture", sorted(SHAPES))
@pytest.mark.parametrize("preset", ["tiny", "base", "large"])
def test_every_architecture_has_three_sizes(architecture, preset):
    settings = SegmentationSettings(architecture=architecture, preset=preset)
    assert type(settings.network_shape) is SHAPES[architecture]


def test_a_preset_of_another_architecture_is_refused():
    with pytest.raises(
        ValidationError, match="pspnet has no preset swin_t: tiny, base, large, res"
    ):
        SegmentationSettings(architecture="pspnet", preset="swin_t")


def test_a_shape_is_checked_against_its_architecture():
    settings = SegmentationSettings(architecture="pidnet", shape={"width": 48})
    assert settings.network_shape == PidNetShape(width=48)
    again = SegmentationSettings(**settings.model_dump(mode="json"))
    assert again == settings
    with pytest.raises(ValidationError, match=r"shape.queries\n  Extra inputs"):
        SegmentationSettings(architecture="pidnet", shape={"queries": 4})
    with pytest.raises(ValidationError, match="Mask2FormerShape is no size of pidnet"):
        SegmentationSettings(architecture="pidnet", shape=Mask2FormerShape())


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
