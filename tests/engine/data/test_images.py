import numpy as np
import pytest
import torch
from PIL import Image

from engine.data.images import ImageDataset, Preprocessing, image_batches, to_tensor
from engine.data.manifest import read_manifest
from engine.data.synthetic import build_shapes
from engine.errors import InvalidInput, ManifestError, UnknownOption

PLAIN = Preprocessing(size=4, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


@pytest.fixture
def manifest(tmp_path):
    return read_manifest(build_shapes(tmp_path / "shapes", n_train=4, n_val=2, n_test=2))


def test_a_tensor_is_the_picture_normalised_channels_first():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    preprocessing = Preprocessing(size=4, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))

    tensor = to_tensor(Image.fromarray(pixels), preprocessing)

    expected = (pixels / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2.0]
    assert tensor.dtype == torch.float32
    assert np.allclose(tensor.numpy(), expected.transpose(2, 0, 1), atol=1e-6)


def test_the_whole_picture_is_squeezed_to_a_square():
    pixels = np.zeros((4, 8, 3), dtype=np.uint8)
    pixels[:, 4:] = 255  # right half

    tensor = to_tensor(Image.fromarray(pixels), PLAIN)

    assert tensor.shape == (3, 4, 4)
    assert tensor[0, 0, 0] == 0
    assert tensor[0, 0, 3] == 1


def test_interpolation_is_a_choice():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8))
    bicubic = Preprocessing(size=4, mean=PLAIN.mean, std=PLAIN.std, interpolation="bicubic")

    assert not torch.equal(to_tensor(image, PLAIN), to_tensor(image, bicubic))


def test_a_dataset_gives_tensor_label_and_row(manifest):
    dataset = ImageDataset(manifest, np.array([5, 1], dtype=np.int64), PLAIN)

    tensor, label, row = dataset[0]

    assert len(dataset) == 2
    assert tensor.shape == (3, 4, 4)
    assert (label, row) == (manifest.records[5].label, 5)


def test_batches_keep_the_order_and_repeat_where_asked(manifest):
    rows = np.array([5, 1, 1, 0, 3], dtype=np.int64)

    batches = list(image_batches(manifest, rows, PLAIN, batch_size=2))

    assert [len(batch.rows) for batch in batches] == [2, 2, 1]
    assert torch.cat([batch.rows for batch in batches]).tolist() == rows.tolist()
    labels = torch.cat([batch.labels for batch in batches])
    assert labels.tolist() == manifest.labels[rows].tolist()


def test_no_rows_give_no_batches(manifest):
    assert list(image_batches(manifest, np.array([], dtype=np.int64), PLAIN, batch_size=2)) == []


def test_a_batch_does_not_depend_on_its_size(manifest):
    rows = np.arange(6)

    whole = next(iter(image_batches(manifest, rows, PLAIN, batch_size=6))).images
    parts = [batch.images for batch in image_batches(manifest, rows, PLAIN, batch_size=1)]

    assert torch.equal(whole, torch.cat(parts))


def test_a_picture_lost_since_the_check_is_named(manifest):
    manifest.picture_path(0).unlink()

    with pytest.raises(ManifestError, match="row 0"):
        list(image_batches(manifest, np.array([0]), PLAIN, batch_size=1))


def test_values_out_of_range_are_refused(manifest):
    with pytest.raises(InvalidInput, match="input size must be at least 1"):
        Preprocessing(size=0)
    with pytest.raises(InvalidInput, match="std must be greater than 0"):
        Preprocessing(std=(1.0, 0.0, 1.0))
    with pytest.raises(InvalidInput, match="batch size must be at least 1"):
        list(image_batches(manifest, np.array([0]), PLAIN, batch_size=0))


def test_an_unknown_interpolation_is_refused():
    # as it would come from a settings file, which no type checker has seen
    name: object = "cubic"

    with pytest.raises((UnknownOption, TypeError)):
        Preprocessing(interpolation=name)  # type: ignore[arg-type]
