"""Every route on twelve classes, two of them tiny: what it reads, that it runs, that it repeats."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.data.manifest import Split
from engine.data.synthetic import build_shapes
from engine.errors import InvalidInput
from engine.labeling.votes import Answer, Vote, VoteTable
from engine.models.classifier import Classifier
from engine.pipeline.config import PipelineConfig
from engine.pipeline.memory import Memory, MemoryRunner
from engine.pipeline.retraining import classifier_with, linear_head, route_stage
from engine.pipeline.routes import route_inputs
from engine.pipeline.sources import read_data
from engine.pipeline.stages import build_stages
from engine.pipeline.tuning import blind
from engine.progress import ignore_progress
from engine.training.retraining import Route
from tests.small import CLASSIFIER

pytestmark = pytest.mark.slow

N_CLASSES = 12
SIZES = (2, 2, *(10,) * 10)
SETTINGS: dict[str, dict[str, object]] = {
    "classifier": CLASSIFIER,
    "fine_tuning": {"epochs": 1, "lr": 0.05, "batch_size": 32},
    "queries": {"budget": 36},
    "space": {"components": 8},
    "subset": {"fraction": 0.5},
    "last_layer": {"c_grid": [0.01, 1.0]},
    "retraining": {
        "routes": [route.value for route in Route],
        "crayon": {"iterations": 10},
        "group_dro": {"head_steps": 5},
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return build_shapes(
        tmp_path_factory.mktemp("twelve") / "shapes",
        n_classes=N_CLASSES,
        n_val=144,
        n_test=24,
        train_sizes=SIZES,
        cue="patch",
    )


def _rewritten(data: Path, name: str, change) -> Path:
    """Write the manifest beside itself with changed rows."""
    with data.open() as file:
        rows = list(csv.DictReader(file))
    for index, row in enumerate(rows):
        change(row, index)
    out = data.with_name(f"{name}.csv")
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))  # noqa: TID251  as others write it
        writer.writeheader()
        writer.writerows(rows)
    return out


def runner_of(data: Path, *, memory: Memory | None = None, seed: int = 0, **table) -> MemoryRunner:
    merged = {name: dict(values) for name, values in SETTINGS.items()}
    for name, values in table.items():
        merged[name] = {**merged.get(name, {}), **values}
    config = PipelineConfig.from_mapping(
        {**merged, "seed": seed, "data": {"manifest": str(data)}, "validation": {"budget": 0}}
    )
    manifest = read_data(config.data, ignore_progress)
    train = manifest.rows_of(Split.TRAIN)
    asked = np.random.default_rng(1).permutation(train)[:80].tolist()
    votes = VoteTable.of(
        Vote(row=int(row), annotator="a", answer=(Answer.YES, Answer.NO)[turn % 2])
        for turn, row in enumerate(asked)
    )
    stages = build_stages(config, manifest.digest, votes=votes)
    return MemoryRunner(stages, memory or Memory(), seed=config.seed)


@pytest.fixture(scope="module")
def heads(data):
    runner = runner_of(data)
    return runner, {route: runner.load(route_stage(route)) for route in Route}


def test_every_route_fits_a_head_of_twelve_classes(heads):
    runner, found = heads
    features = np.asarray(runner.load("extraction").features)

    for route, head in found.items():
        assert head.n_classes == N_CLASSES, route
        linear = linear_head(head)
        logits = features @ linear.weight.T + linear.bias
        assert np.isfinite(logits).all(), route
        assert logits == pytest.approx(head.logits(features), abs=1e-3), route
        assert head.choice is not None, route


def test_routes_differ(heads):
    _, found = heads

    assert len({head.coef.tobytes() for head in found.values()}) == len(Route)


def test_what_a_route_did_is_told_with_its_choice(heads):
    _, found = heads
    notes = {route: " ".join(head.choice.notes) for route, head in found.items()}

    assert "in the error set, each counts" in notes[Route.JTT]
    assert "with no, attention weighs" in notes[Route.CRAYON]
    assert "true groups" in notes[Route.GROUP_DRO]
    assert notes[Route.ERM] == ""


def test_a_fitted_head_goes_into_the_network(heads):
    runner, found = heads
    reference = runner.load("classifier")

    for route in (Route.CRAYON, Route.GROUP_DRO):
        assert isinstance(classifier_with(reference, found[route]), Classifier)


def test_one_seed_gives_the_same_heads_and_draws_differ_with_another(data, heads):
    _, found = heads
    again = runner_of(data)

    for route in (Route.RANDOM_SUBSET, Route.CORM, Route.CRAYON, Route.GROUP_DRO, Route.JTT):
        assert again.load(route_stage(route)).coef.tobytes() == found[route].coef.tobytes(), route


def test_routes_without_groups_do_not_depend_on_them(data, heads):
    _, found = heads
    jumbled = _rewritten(data, "jumbled", lambda row, index: row.update(group=f"g{index * 7 % 5}"))
    other = runner_of(jumbled)

    for route in Route:
        if not route.uses_groups:
            head = other.load(route_stage(route))
            assert head.coef.tobytes() == found[route].coef.tobytes(), route
            assert head.C == found[route].C, route


def test_without_groups_only_routes_that_use_them_are_refused(data):
    runner = runner_of(_rewritten(data, "ungrouped", lambda row, _: row.update(group="")))

    for route in Route:
        if route.uses_groups:
            with pytest.raises(InvalidInput, match=f"route {route} needs true groups"):
                runner.load(route_stage(route))
        else:
            assert runner.load(route_stage(route)).n_classes == N_CLASSES


def test_corrupted_copies_stand_in_place_or_beside(data, heads):
    memory = heads[0]._memory
    runner = runner_of(data, memory=memory, retraining={"corm": {"beside": True}})

    beside = runner.load(route_stage(Route.CORM))

    copies = runner.load("corruption")
    assert len(copies.rows) > 0
    suspect = np.asarray(runner.load("screening").suspect)
    train = runner.load("manifest").rows_of(Split.TRAIN)
    assert set(copies.rows) <= set(train[suspect])
    assert beside.coef.tobytes() != heads[1][Route.CORM].coef.tobytes()


def test_without_noise_corm_is_erm(data, heads):
    runner = runner_of(data, memory=heads[0]._memory, retraining={"corm": {"sigma": 0.0}})

    head = runner.load(route_stage(Route.CORM))

    assert head.coef == pytest.approx(heads[1][Route.ERM].coef, abs=1e-3)


@pytest.mark.parametrize("rule", ["none", "oracle"])
def test_screening_rules_are_single_switches(data, heads, rule):
    runner = runner_of(data, memory=heads[0]._memory, screening={"rule": rule, "floor": 0.0})
    manifest, kept = runner.load("manifest"), np.asarray(runner.load("screening").kept)

    train = manifest.rows_of(Split.TRAIN)
    labels = np.asarray(runner.load("labels").labels)[train]
    np.testing.assert_array_equal(kept, labels == 1 if rule == "oracle" else labels > -2)


def test_soft_weights_read_the_scores(data, heads):
    runner = runner_of(
        data,
        memory=heads[0]._memory,
        screening={"rule": "none"},
        subset={"draw": "by_score"},
        allocation={"weights": "effective_size"},
    )

    assert "scores" in runner.stages["subset"].inputs
    assert "scores" not in heads[0].stages["subset"].inputs
    subset, space = runner.load("subset"), runner.load("space")
    scores = np.asarray(runner.load("scores").scores)
    position = {int(row): i for i, row in enumerate(space.rows)}
    drawn = scores[[position[int(row)] for row in subset.rows]]
    train = runner.load("manifest").rows_of(Split.TRAIN)
    assert drawn.mean() > scores[[position[int(row)] for row in train]].mean()


def test_a_key_depends_on_a_routes_own_settings_alone(data, heads):
    before = heads[0]
    after = runner_of(data, retraining={"jtt": {"up_weights": [3.0]}, "corm": {"sigma": 0.1}})

    changed = {
        route for route in Route if before.key(route_stage(route)) != after.key(route_stage(route))
    }
    assert changed == {Route.JTT, Route.CORM}


def test_routes_that_draw_nothing_are_shared_by_seeds(data, heads):
    config = PipelineConfig.from_mapping({})

    assert route_inputs(config, Route.JTT) == ("manifest", "extraction")
    assert not heads[0].stages[route_stage(Route.JTT)].seeded
    assert heads[0].stages[route_stage(Route.DFR)].seeded


@pytest.fixture(scope="module")
def tuned(data):
    runner = runner_of(data, retraining={"mode": "finetune"})
    return runner, {route: runner.load(route_stage(route)) for route in Route}


def test_every_route_trains_all_layers(tuned):
    runner, found = tuned
    before = runner.load("classifier").module.state_dict()

    for route, classifier in found.items():
        assert classifier.class_names == runner.load("manifest").class_names
        after = classifier.module.state_dict()
        moved = [name for name in before if (before[name] != after[name]).any()]
        assert any(name.startswith("features") for name in moved), route
        assert all(bool(np.isfinite(tensor.numpy()).all()) for tensor in after.values()), route
    frozen = found[Route.CORM].module.state_dict()
    assert (frozen["features.1.running_mean"] == before["features.1.running_mean"]).all()


def test_training_repeats_with_its_seed_and_never_sees_groups(data, tuned):
    jumbled = _rewritten(data, "jumbled2", lambda row, index: row.update(group=f"g{index * 7 % 5}"))
    other = runner_of(jumbled, retraining={"mode": "finetune"})

    for route in (Route.ERM, Route.JTT, Route.CORM, Route.CRAYON):
        first, again = (
            source.load(route_stage(route)).module.state_dict() for source in (tuned[0], other)
        )
        assert all((first[name] == again[name]).all() for name in first), route


def test_a_blind_manifest_keeps_pictures_and_labels_alone(data):
    manifest = read_data(PipelineConfig.from_mapping({"data": {"manifest": str(data)}}).data, _none)

    blinded = blind(manifest)

    assert set(blinded.groups) == {None}
    assert not any(r.mask or r.spurious_mask or r.box or r.pair for r in blinded.records)
    restored = [
        replace(
            r,
            group=o.group,
            mask=o.mask,
            spurious_mask=o.spurious_mask,
            box=o.box,
            pair=o.pair,
        )
        for r, o in zip(blinded.records, manifest.records, strict=True)
    ]
    assert tuple(restored) == manifest.records


def _none(_done: int, _total: int) -> None:
    pass
