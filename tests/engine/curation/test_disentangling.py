from inspect import unwrap

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from engine.curation.disentangling import DisentanglingConfig, disentangle
from engine.errors import InvalidInput, MisalignedRows, UnknownOption


def test_cells_are_classes_by_environments_of_all_classes_together(planted):
    space, classes, environments = planted

    groups = disentangle(
        space, classes, np.ones(200, bool), DisentanglingConfig(environment_k=2), seed=0
    )

    np.testing.assert_array_equal(groups.core, classes)
    assert adjusted_rand_score(groups.environment, environments) == 1
    assert groups.n_core == groups.n_environment == 2
    assert groups.core_is_class
    assert groups.members.tolist() == list(range(200))


def test_dropped_images_belong_to_no_group_but_shape_the_environments(planted):
    space, classes, environments = planted
    kept = environments == 0  # a screening that loses one environment wholly
    config = DisentanglingConfig(environment_k=2)

    over_all = disentangle(space, classes, kept, config, seed=0)
    over_kept = disentangle(
        space, classes, kept, DisentanglingConfig(environment_k=2, environment_over="kept"), seed=0
    )

    assert len(np.unique(over_all.environment[kept])) == 1
    assert len(np.unique(over_kept.environment[kept])) == 2
    for groups in (over_all, over_kept):
        assert (groups.core[~kept] == -1).all()
        assert (groups.environment[~kept] == -1).all()
        np.testing.assert_array_equal(groups.members, np.flatnonzero(kept))


def test_images_outside_the_split_take_no_part(planted):
    space, classes, _ = planted
    among = np.arange(200) % 2 == 0

    groups = disentangle(space, classes, np.ones(200, bool), seed=0, among=among)

    assert groups.n_candidates == 100
    np.testing.assert_array_equal(groups.members, np.flatnonzero(among))
    assert (groups.environment[~among] == -1).all()


@pytest.mark.parametrize("preset", ["paper", "authors"])
def test_core_clusters_may_mix_classes_and_take_the_elbow(planted, preset):
    space, classes, environments = planted

    groups = disentangle(
        space, classes, np.ones(200, bool), DisentanglingConfig.preset(preset), seed=0
    )

    assert not groups.core_is_class
    # each class and each environment is a blob of its own: no cluster crosses two
    for label in np.unique(groups.core):
        assert len(np.unique(classes[groups.core == label])) == 1
    for label in np.unique(groups.environment):
        assert len(np.unique(environments[groups.environment == label])) == 1
    if preset == "authors":  # all that the authors' rule can say
        assert groups.n_core in {3, 4}


def test_core_clusters_inside_classes_never_mix_them(space_of, rng):
    points = rng.normal(size=(60, 2))
    classes = np.arange(60) % 2

    groups = disentangle(
        space_of(points),
        classes,
        np.ones(60, bool),
        DisentanglingConfig(core="class_clusters", core_k=3),
        seed=0,
    )

    assert groups.n_core == 6
    assert groups.core_is_class
    for label in range(6):
        assert len(np.unique(classes[groups.core == label])) == 1


def test_components_may_be_clustered_in_place_of_coordinates(planted):
    space, classes, environments = planted

    groups = disentangle(
        space,
        classes,
        np.ones(200, bool),
        DisentanglingConfig(environment_k=2, on="components"),
        seed=0,
    )

    assert adjusted_rand_score(groups.environment, environments) == 1


@pytest.mark.parametrize("preset", ["paper", "authors", "default"])
def test_images_at_one_place_are_one_environment(space_of, preset):
    space = space_of(np.zeros((6, 2)))

    groups = disentangle(
        space,
        np.arange(6) % 2,
        np.ones(6, bool),
        DisentanglingConfig.preset(preset),
        seed=0,
    )

    assert groups.n_environment == 1


def test_one_seed_gives_the_same_groups(space_of, rng):
    space, classes = space_of(rng.normal(size=(90, 2))), np.zeros(90, int)

    first, second = (disentangle(space, classes, np.ones(90, bool), seed=7) for _ in range(2))

    np.testing.assert_array_equal(first.environment, second.environment)


def test_nothing_kept_is_refused(space_of):
    space = space_of(np.zeros((4, 2)))

    with pytest.raises(InvalidInput, match="none of 4 images is kept"):
        disentangle(space, np.zeros(4, int), np.zeros(4, bool), seed=0)
    with pytest.raises(MisalignedRows):
        unwrap(disentangle)(space, np.zeros(3, int), np.ones(4, bool), seed=0)
    with pytest.raises(UnknownOption, match=r"disentangling.core"):
        DisentanglingConfig(core="classes")


def test_a_cue_divides_environments_further(planted):
    space, classes, environments = planted
    shown = (np.arange(200) % 4 == 0).astype(int)
    kept = np.arange(200) != 5

    found = disentangle(space, classes, kept, seed=0, shown=shown)

    assert found.n_environment == 4
    for number in range(4):
        inside = found.environment == number
        assert len(np.unique(found.cluster[inside])) == 1
        assert len(np.unique(shown[inside])) == 1
        assert len(np.unique(environments[inside])) == 1
    assert found.environment[5] == found.cluster[5] == found.shown[5] == -1
