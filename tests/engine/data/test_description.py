from engine.data.description import count_groups, frozen_backbone_settings, pixel_warnings
from engine.data.manifest import ImageRecord, Split
from engine.pipeline.config import PipelineConfig


def test_settings_are_taken_by_a_pipeline():
    settings = frozen_backbone_settings(("a", "b"), c=1e-3, budget=40)

    config = PipelineConfig.from_mapping(settings)

    assert config.classifier.c == 1e-3
    assert config.queries.budget == 40
    assert config.classifier.architecture == "timm/tf_efficientnet_lite0"


def test_only_other_pixels_than_published_ones_are_told():
    assert pixel_warnings("a", None) == []
    assert pixel_warnings("a", "a") == []
    (warning,) = pixel_warnings("a", "b")
    assert "Pillow" in warning


def test_groups_without_images_count_nothing():
    records = [
        ImageRecord(image_id=str(k), path=str(k), label=0, split=Split.TRAIN, group="a")
        for k in range(3)
    ]

    assert count_groups(records, ("b", "a")) == {
        "train": {"b": 0, "a": 3},
        "val": {"b": 0, "a": 0},
        "test": {"b": 0, "a": 0},
    }
