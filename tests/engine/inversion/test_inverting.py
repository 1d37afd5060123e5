from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.artifacts.store import ArtifactStore
from engine.data.images import Preprocessing
from engine.errors import Cancelled, InvalidInput, MisalignedRows
from engine.inversion.inverting import InversionConfig, InversionTarget, invert
from engine.models.architectures import SMALL_CNN, build_module
from engine.models.classifier import make_classifier
from engine.models.target_layers import find_target_layer
from engine.pipeline.inversions import inversion_recipe, inversions

SIZE = 16
QUICK = InversionConfig(steps=12, improvement=0.0)


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    module = build_module(SMALL_CNN, 2).eval()
    return make_classifier(
        module,
        architecture=SMALL_CNN,
        preprocessing=Preprocessing(size=SIZE),
        class_names=("a", "b"),
        target_layer=find_target_layer(module, SIZE),
    )


@pytest.fixture(scope="module")
def targets(classifier):
    """Targets that some pictures have: their own pooled features."""
    from engine.models.capture import capture

    rng = np.random.default_rng(0)
    found = []
    for number in range(3):
        picture = rng.uniform(0.1, 0.9, (3, SIZE, SIZE)).astype(np.float32)
        mean = np.array(classifier.preprocessing.mean, dtype=np.float32)[:, None, None]
        std = np.array(classifier.preprocessing.std, dtype=np.float32)[:, None, None]
        with (
            torch.inference_mode(),
            capture(classifier.module, classifier.target_layer) as taken,
        ):
            classifier.module(torch.from_numpy((picture - mean) / std)[None])
            seen = taken.activations[0].numpy()
        h, w = seen.shape[1:]
        found.append(
            InversionTarget(
                vector=seen.mean(axis=(1, 2)),
                start=np.full((3, SIZE, SIZE), 0.5, dtype=np.float32),
                attention=np.full((h, w), 1 / (h * w), dtype=np.float32),
                seed=number,
            )
        )
    return found


def test_the_picture_comes_nearer_and_the_curve_tells_how(classifier, targets):
    found = invert(classifier, targets, replace(QUICK, steps=60))

    for one in found:
        assert len(one.losses) == 60
        assert one.losses.min() < 0.8 * one.losses[0]
        assert one.reason == "all steps"
        assert one.picture.shape == (3, SIZE, SIZE)
        assert ((one.picture >= 0) & (one.picture <= 1)).all()


def test_a_start_that_is_there_already_converges(classifier, targets):
    config = InversionConfig(steps=400, patience=5, improvement=0.5)

    found = invert(classifier, targets, config)

    assert all(one.reason == "converged" for one in found)
    assert all(len(one.losses) < 400 for one in found)


def test_company_and_batches_change_nothing(classifier, targets):
    together = invert(classifier, targets, QUICK)
    alone = [invert(classifier, [target], QUICK)[0] for target in targets]

    for one, other in zip(together, alone, strict=True):
        assert one.picture == pytest.approx(other.picture, abs=1e-3)
        assert one.losses == pytest.approx(other.losses, rel=1e-3)


def test_one_seed_gives_one_picture(classifier, targets):
    first, again = (invert(classifier, targets[:1], QUICK)[0] for _ in range(2))
    other = invert(classifier, [replace(targets[0], seed=99)], QUICK)[0]

    assert np.array_equal(first.picture, again.picture)
    assert not np.array_equal(first.picture, other.picture)


def test_outside_a_mask_pixels_stay_as_they_were(classifier, targets):
    mask = np.zeros((SIZE, SIZE), dtype=np.float32)
    mask[:, :8] = 1.0

    found = invert(classifier, [replace(targets[0], mask=mask)], QUICK)[0]

    assert (found.picture[:, :, 8:] == 0.5).all()
    assert (found.picture[:, :, :8] != 0.5).mean() > 0.9


def test_pooling_by_even_attention_is_the_mean(classifier, targets):
    by_mean = invert(classifier, targets[:1], QUICK)[0]
    by_map = invert(classifier, targets[:1], replace(QUICK, pooling="attention"))[0]

    assert by_mean.losses == pytest.approx(by_map.losses, rel=1e-3)


def test_the_network_is_left_as_it_was(classifier, targets):
    classifier.module.train()
    before = {name: value.clone() for name, value in classifier.module.state_dict().items()}

    invert(classifier, targets[:1], QUICK)

    assert classifier.module.training
    assert all(parameter.requires_grad for parameter in classifier.module.parameters())
    after = classifier.module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    classifier.module.eval()


def test_the_network_is_left_as_it_was_where_the_work_is_stopped(classifier, targets):
    def stop(_done, _total):
        raise Cancelled("enough")

    classifier.module.train()
    before = {name: value.clone() for name, value in classifier.module.state_dict().items()}

    with pytest.raises(Cancelled):
        invert(classifier, targets[:1], QUICK, on_progress=stop)

    assert classifier.module.training
    assert all(parameter.requires_grad for parameter in classifier.module.parameters())
    after = classifier.module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(part._forward_hooks for part in classifier.module.modules())
    classifier.module.eval()


def test_targets_of_another_kind_are_refused(classifier, targets):
    with pytest.raises(MisalignedRows, match="16 pixels"):
        invert(classifier, [replace(targets[0], start=np.zeros((3, 8, 8), dtype=np.float32))])
    with pytest.raises(InvalidInput, match="not all 0"):
        invert(classifier, [replace(targets[0], vector=np.zeros_like(targets[0].vector))])
    with pytest.raises(MisalignedRows, match="features"):
        invert(classifier, [replace(targets[0], vector=np.ones(3, dtype=np.float32))], QUICK)


def test_progress_reaches_the_end_and_can_stop_the_work(classifier, targets):
    told: list[tuple[int, int]] = []
    config = replace(QUICK, batch_size=2)

    invert(classifier, targets, config, on_progress=lambda *at: told.append(at))

    assert told[-1] == (24, 24)
    assert told == sorted(told)

    def stop(_done: int, _total: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        invert(classifier, targets, config, on_progress=stop)


def test_pictures_are_found_once(classifier, targets, tmp_path):
    store, told = ArtifactStore(tmp_path), []

    first = inversions(store, classifier, "key", targets[:2], QUICK)
    again = inversions(
        store, classifier, "key", targets, QUICK, on_progress=lambda *at: told.append(at)
    )

    assert told[-1] == (12, 12)  # the third alone
    for one, other in zip(first, again, strict=False):
        assert np.array_equal(one.picture, other.picture)
        assert np.array_equal(one.losses, other.losses)
        assert one.reason == other.reason


def test_a_picture_is_keyed_by_all_that_it_depends_on(targets):
    key = inversion_recipe("key", targets[0], QUICK).key
    mask = np.ones((SIZE, SIZE), dtype=np.float32)

    assert inversion_recipe("key", replace(targets[0]), replace(QUICK, batch_size=3)).key == key
    others = [
        inversion_recipe("other", targets[0], QUICK),
        inversion_recipe("key", targets[1], QUICK),
        inversion_recipe("key", replace(targets[0], seed=7), QUICK),
        inversion_recipe("key", replace(targets[0], mask=mask), QUICK),
        inversion_recipe("key", targets[0], replace(QUICK, steps=13)),
    ]
    assert len({key, *(recipe.key for recipe in others)}) == 6
