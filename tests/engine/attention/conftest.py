from pathlib import Path

import pytest

from engine.data.images import Preprocessing
from engine.data.manifest import ImageManifest, read_manifest
from engine.data.synthetic import build_shapes
from engine.models.architectures import build_module
from engine.models.classifier import Classifier, make_classifier


@pytest.fixture(scope="session")
def small_manifest_path(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("shapes")
    return build_shapes(out / "shapes", n_classes=2, n_train=11, n_val=4, n_test=4)


@pytest.fixture
def small_manifest(small_manifest_path) -> ImageManifest:
    return read_manifest(small_manifest_path)


@pytest.fixture
def small_classifier(small_manifest) -> Classifier:
    return make_classifier(
        build_module("gazecheck/small_cnn", 2, seed=1).eval(),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=32, mean=(0.5,) * 3, std=(0.5,) * 3),
        class_names=small_manifest.class_names,
    )
