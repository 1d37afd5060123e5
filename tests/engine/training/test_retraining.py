import json
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.groups import GroupIndex
from engine.errors import Cancelled, InvalidInput, NotEnoughLabels
from engine.evaluation.accuracy import evaluate
from engine.training.last_layer import LastLayerConfig, fit_head
from engine.training.retraining import Route, best_head, retrain_head, rows_of_route

N_TRAIN, N_VAL, N_TEST = 400, 80, 240
SPLITS = np.array(["train"] * N_TRAIN + ["val"] * N_VAL + ["test"] * N_TEST)
TRAIN, VAL = np.arange(N_TRAIN), np.arange(N_TRAIN, N_TRAIN + N_VAL)
TEST = np.arange(N_TRAIN + N_VAL, len(SPLITS))
LABELS = np.arange(len(SPLITS)) % 2
LABELS.setflags(write=False)
NAMES = ("cat", "dog")


def planted(seed=0):
    """A weak core feature and a strong cue that agrees with the class in 95 % of train only."""
    rng = np.random.default_rng(seed)
    place = np.where(rng.random(len(LABELS)) < 0.05, 1 - LABELS, LABELS)
    place[N_TRAIN:] = (np.arange(N_VAL + N_TEST) // 2) % 2
    features = rng.normal(size=(len(LABELS), 8))
    features[:, 0] += 2.5 * LABELS
    features[:, 1] += 5 * place
    names = ("cat-indoors", "cat-outdoors", "dog-indoors", "dog-outdoors")
    return features, GroupIndex(names=names, groups=(2 * LABELS + place).astype(np.int64))


FEATURES, GROUPS = planted()
CONFIG = LastLayerConfig()


def balanced_rows(groups: GroupIndex, each: int) -> np.ndarray:
    of_train = groups.groups[TRAIN]
    return np.concatenate([TRAIN[of_train == group][:each] for group in range(4)])


BALANCED = balanced_rows(GROUPS, 3)
retrain = partial(retrain_head, FEATURES, LABELS, class_names=NAMES)
rows_of = partial(rows_of_route, labels=LABELS, splits=SPLITS)


def test_the_routes_have_the_names_of_the_report():
    assert [route.value for route in Route] == [
        *["erm", "random_subset", "class_balanced", "group_subset_oracle", "slim_tr", "slim_val"],
        *["dfr", "group_dro", "jtt", "corm", "crayon"],
    ]


def test_only_three_routes_are_told_true_groups():
    assert [route for route in Route if route.uses_groups] == [
        Route.GROUP_SUBSET_ORACLE,
        Route.DFR,
        Route.GROUP_DRO,
    ]


@pytest.mark.parametrize("route", [route for route in Route if not route.uses_groups])
def test_no_other_route_takes_them(route):
    with pytest.raises(InvalidInput, match=f"route {route} may not see true groups"):
        rows_of(route, groups=GROUPS.groups)


@pytest.mark.parametrize("route", [route for route in Route if route.uses_groups])
def test_routes_that_use_groups_name_the_way_out_where_there_are_none(route):
    for groups in (None, np.full(len(LABELS), -1)):
        with pytest.raises(InvalidInput, match=f"route {route} needs true groups.*column `group`"):
            rows_of(route, groups=groups, size=20, rng=np.random.default_rng(0))


def test_the_oracle_subset_asks_the_groups_equally_and_takes_what_they_hold():
    # as on stampbirds: 480 asked of 1140, 60, 60 and 1140
    groups = np.repeat([0, 1, 2, 3], [114, 6, 6, 114])
    labels = groups // 2
    splits = np.full(240, "train")

    rows = rows_of_route(
        Route.GROUP_SUBSET_ORACLE,
        labels,
        splits,
        size=48,
        groups=groups,
        rng=np.random.default_rng(0),
    )

    assert np.bincount(groups[rows.fit]).tolist() == [12, 6, 6, 12]
    assert len(np.unique(rows.fit)) == 36


def test_dfr_cuts_every_group_of_val_to_the_smallest_and_chooses_inside():
    groups = np.where(np.arange(len(LABELS)) % 10 == 0, 2, LABELS)

    rows = rows_of(Route.DFR, groups=groups, rng=np.random.default_rng(0))

    assert set(rows.fit) <= set(VAL)
    assert len(set(np.bincount(groups[rows.fit]).tolist())) == 1
    assert rows.choose is None


def test_group_dro_fits_every_row_of_train_that_names_a_group():
    groups = np.where(np.arange(len(LABELS)) % 7 == 0, -1, LABELS)

    rows = rows_of(Route.GROUP_DRO, groups=groups)

    np.testing.assert_array_equal(rows.fit, TRAIN[groups[TRAIN] >= 0])
    assert rows.choose is not None


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=14),
    share=st.floats(0.1, 1.0),
    seed=st.integers(0, 5),
)
def test_no_draw_loses_a_class(counts, share, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    splits = np.full(len(labels), "train")
    size = max(len(counts), round(share * len(labels)))

    for route in (Route.RANDOM_SUBSET, Route.CLASS_BALANCED):
        rows = rows_of_route(route, labels, splits, size=size, rng=np.random.default_rng(seed))
        assert len(np.unique(rows.fit)) == len(rows.fit) == size
        assert len(np.unique(labels[rows.fit])) == len(counts)


def test_a_random_draw_of_large_classes_is_left_as_it_is():
    rows = rows_of(Route.RANDOM_SUBSET, size=60, rng=np.random.default_rng(4))

    plain = np.random.default_rng(4).choice(TRAIN, size=60, replace=False)
    np.testing.assert_array_equal(rows.fit, np.sort(plain))


def test_the_best_of_several_settings_is_the_first_of_the_highest_average():
    heads = [retrain(rows, VAL, CONFIG) for rows in (BALANCED, TRAIN, TRAIN)]
    best = best_head(heads, ["", "all", "again"])

    averages = [max(head.choice.scores) for head in heads if head.choice]
    assert best.coef.tobytes() == heads[int(np.argmax(averages))].coef.tobytes()
    assert best.choice is not None
    assert best.choice.notes == (() if averages[0] >= averages[1] else ("all",))


@pytest.mark.parametrize("choose", [VAL, None], ids=["val", "cross-validation"])
def test_a_ways_positions_are_those_of_the_fitted_rows(choose):
    seen = []

    def way(features, labels, config, C, *, class_names, positions):
        seen.append((positions, labels))
        np.testing.assert_array_equal(features, FEATURES[BALANCED][positions])
        return fit_head(features, labels, config, C, class_names=class_names)

    retrain(BALANCED, choose, CONFIG, fit_with=way)

    assert all((LABELS[BALANCED][positions] == labels).all() for positions, labels in seen)
    assert (len(seen[-1][0]) == len(BALANCED)) or choose is None


def test_erm_fits_all_of_train_and_chooses_on_all_of_val():
    rows = rows_of(Route.ERM)

    assert rows.fit.tolist() == TRAIN.tolist()
    assert rows.choose is not None
    assert rows.choose.tolist() == VAL.tolist()


@settings(deadline=None)
@given(
    route=st.sampled_from([Route.RANDOM_SUBSET, Route.CLASS_BALANCED]),
    size=st.integers(1, N_TRAIN),
    seed=st.integers(0, 9),
)
def test_drawn_routes_take_as_many_different_rows_of_train_as_asked(route, size, seed):
    rows, again = (rows_of(route, size=size, rng=np.random.default_rng(seed)) for _ in range(2))

    assert len(np.unique(rows.fit)) == len(rows.fit) == size
    assert set(rows.fit) <= set(TRAIN)
    assert rows.fit.tolist() == again.fit.tolist()
    if route is Route.CLASS_BALANCED:
        counts = np.bincount(LABELS[rows.fit], minlength=2)
        assert abs(int(counts[0]) - int(counts[1])) <= 1


def test_a_balanced_draw_takes_what_a_rare_class_has():
    labels = np.where(TRAIN < 5, 0, 1)

    rows = rows_of_route(
        Route.CLASS_BALANCED, labels, SPLITS[TRAIN], size=30, rng=np.random.default_rng(0)
    )

    assert np.bincount(labels[rows.fit]).tolist() == [5, 25]


def test_curated_rows_are_fitted_as_they_are():
    rows = rows_of(Route.SLIM_TR, curated=BALANCED)

    assert rows.fit.tolist() == sorted(BALANCED.tolist())
    assert rows.choose is not None


def test_the_curated_val_chooses_inside_itself():
    assert rows_of(Route.SLIM_VAL, curated=VAL[:20]).choose is None


def test_without_val_every_route_chooses_inside_its_rows():
    assert rows_of_route(Route.ERM, LABELS[TRAIN], SPLITS[TRAIN]).choose is None


@pytest.mark.parametrize(
    ("route", "options", "message"),
    [
        (Route.SLIM_TR, {}, "route slim_tr needs a curated subset, got none"),
        (Route.SLIM_TR, {"curated": VAL}, "fits rows of train, but 80 of 80"),
        (Route.SLIM_VAL, {"curated": TEST[:3]}, "3 of 3 .* e.g. row 480 of test; curate val"),
        (Route.RANDOM_SUBSET, {"size": 5}, "needs a generator"),
        (
            Route.RANDOM_SUBSET,
            {"size": 401, "rng": np.random.default_rng(0)},
            "cannot draw 401 of the 400 rows of train",
        ),
        (Route.CLASS_BALANCED, {"rng": np.random.default_rng(0)}, "cannot draw 0 of the 400"),
    ],
    ids=["no subset", "other split", "test", "no generator", "too many", "none"],
)
def test_routes_refuse_rows_they_cannot_have(route, options, message):
    with pytest.raises(InvalidInput, match=message):
        rows_of(route, **options)


def test_c_is_chosen_by_the_plain_average_on_the_rows_named():
    head = retrain(TRAIN, VAL, CONFIG)

    averages = [
        evaluate(
            fit_head(FEATURES[TRAIN], LABELS[TRAIN], CONFIG, C).predict(FEATURES, LABELS, VAL), None
        ).average
        for C in CONFIG.c_grid
    ]
    assert head.choice is not None
    assert head.choice.scores == pytest.approx(averages)
    assert head.choice.how == "validation"
    assert head.C == head.choice.C == CONFIG.c_grid[int(np.argmax(averages))]
    again = fit_head(FEATURES[TRAIN], LABELS[TRAIN], CONFIG, head.C)
    assert head.coef.tobytes() == again.coef.tobytes()


def test_groups_tell_beside_the_choice_and_never_change_it():
    counts = GROUPS.counts(TRAIN)

    plain = retrain(TRAIN, VAL, CONFIG)
    informed = retrain(TRAIN, VAL, CONFIG, groups=GROUPS, train_counts=counts)

    assert plain.choice is not None
    assert informed.choice is not None
    assert plain.choice.train_weighted_choice is None
    assert informed.choice.train_weighted_choice in CONFIG.c_grid
    assert len(informed.choice.train_weighted_scores) == len(CONFIG.c_grid)
    assert informed.coef.tobytes() == plain.coef.tobytes()
    assert informed.choice.scores == plain.choice.scores


def test_test_rows_have_no_say():
    features = FEATURES.copy()
    features[TEST] = 1e6

    head = retrain_head(features, LABELS, TRAIN, VAL, CONFIG)

    assert head.coef.tobytes() == retrain(TRAIN, VAL, CONFIG).coef.tobytes()


def test_cross_validation_chooses_inside_the_fitted_rows():
    objects = np.arange(len(LABELS)) // 2

    head = retrain(VAL, None, CONFIG, objects=objects, groups=GROUPS, train_counts=np.arange(4))

    assert head.choice is not None
    assert head.choice.how == "cross_validation"
    assert head.choice.n_judged == N_VAL
    assert head.choice.train_weighted_choice is not None
    again = fit_head(FEATURES[VAL], LABELS[VAL], CONFIG, head.C)
    assert head.coef.tobytes() == again.coef.tobytes()


def test_one_object_for_all_is_said_in_the_choice():
    head = retrain(VAL, None, CONFIG, objects=np.zeros(len(LABELS), dtype=int))

    assert head.choice is not None
    assert "too few objects" in head.choice.notes[0]


def test_a_grid_of_one_is_taken_as_given_without_any_row_to_choose():
    head = retrain(TRAIN, None, LastLayerConfig(c_grid=(0.02,)))

    assert head.C == 0.02
    assert head.choice is not None
    assert (head.choice.how, head.choice.scores) == ("given", ())


def test_the_order_and_repeats_of_the_grid_do_not_matter():
    jumbled = LastLayerConfig(c_grid=(1.0, 1e-4, 0.1, 1e-3, 0.1, 1e-2))

    first, second = retrain(TRAIN, VAL, CONFIG).choice, retrain(TRAIN, VAL, jumbled).choice

    assert first == second


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 99))
def test_one_standard_error_never_regularises_less_and_stays_within_it(seed):
    features, _ = planted(seed)
    careful = replace(CONFIG, rule="one_standard_error")

    best = retrain_head(features, LABELS, BALANCED, VAL, CONFIG).choice
    stable = retrain_head(features, LABELS, BALANCED, VAL, careful).choice

    assert best is not None
    assert stable is not None
    assert stable.C <= best.C
    score = dict(zip(stable.c_grid, stable.scores, strict=True))
    assert score[stable.C] >= score[best.C] - (stable.standard_error or 0) - 1e-12


def test_a_balanced_subset_mends_the_worst_group_that_a_random_one_does_not():
    gains = []
    for seed in range(6):
        features, groups = planted(seed)
        balanced = balanced_rows(groups, 8)
        random = rows_of(
            Route.RANDOM_SUBSET, size=len(balanced), rng=np.random.default_rng(seed)
        ).fit
        worst = [
            evaluate(
                retrain_head(features, LABELS, fit, VAL, CONFIG).predict(features, LABELS, TEST),
                groups,
            ).worst_group
            for fit in (balanced, random)
        ]
        gains.append(worst[0] - worst[1])

    assert np.mean(gains) > 0.1


def test_a_choice_survives_json():
    choice = retrain(TRAIN, VAL, CONFIG).choice

    assert choice is not None
    assert json.loads(json.dumps(asdict(choice), allow_nan=False))["C"] == choice.C


def test_progress_is_told_and_can_cancel():
    told = []

    def watch(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        retrain(TRAIN, VAL, CONFIG, on_progress=watch)

    assert told == [(1, 5), (2, 5)]


@pytest.mark.parametrize(
    ("fit", "message"),
    [(TRAIN[:0], "there are 0 rows to fit"), (TRAIN[1::2], "of one class, dog")],
    ids=["no rows", "one class"],
)
def test_rows_that_teach_nothing_are_refused(fit, message):
    with pytest.raises(NotEnoughLabels, match=message):
        retrain(fit, VAL, CONFIG)


@pytest.mark.parametrize(
    ("choose", "message"),
    [(VAL[:0], "0 rows to choose C on"), (TRAIN[:5], "5 rows are both fitted and asked")],
    ids=["no rows", "shared"],
)
def test_rows_that_cannot_choose_are_refused(choose, message):
    with pytest.raises(InvalidInput, match=message):
        retrain(TRAIN, choose, CONFIG)
