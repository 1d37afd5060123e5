import pytest

from engine.benches.mitigation.settings import BenchConfig, queries_for
from engine.benches.mitigation.variants import (
    ABLATIONS,
    ALTERNATIVES,
    MAIN_ABLATIONS,
    curves,
    noise_grid,
    own_answers,
)
from engine.errors import InvalidInput, UnknownOption

pytestmark = pytest.mark.slow


def leaves(settings, prefix=""):
    """Every setting by its dotted name."""
    found: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def whole(config):
    """Every setting, those of the data set and the numbers of queries too."""
    from engine.artifacts import codecs

    return leaves({**codecs.to_json(config.pipeline), "crowd": codecs.to_json(config.crowd)})


def changed_in(config, variant):
    before, after = whole(config), whole(config.changed(variant.table()))
    return {name for name in before if before[name] != after[name]}


@pytest.fixture(scope="module")
def config(subjects):
    return BenchConfig.of(subjects["two"])


@pytest.mark.parametrize(
    ("rows", "classes", "asked"),
    [(2400, 2, 120), (600, 2, 30), (1352, 2, 68), (10_000, 10, 120), (100, 4, 16)],
)
def test_a_twentieth_is_asked_about_within_bounds(rows, classes, asked):
    assert queries_for(rows, classes) == asked


def test_the_settings_are_the_same_for_every_data_set(subjects):
    two, three = (BenchConfig.of(subjects[name]) for name in ("two", "three"))

    assert two.pipeline.queries.budget != three.pipeline.queries.budget
    assert two.digest() == three.digest()
    assert BenchConfig.of(subjects["two"], ["screening.tau=0.4"]).digest() != two.digest()


def test_the_references_own_training_is_not_the_routes(subjects, config):
    assert subjects["two"].config.fine_tuning.lr == 0.05
    assert config.pipeline.fine_tuning.lr != 0.05


@pytest.mark.parametrize(
    "variant", [*MAIN_ABLATIONS, *ABLATIONS, own_answers(8)], ids=lambda v: v.name
)
def test_an_ablation_changes_one_setting(config, variant):
    assert changed_in(config, variant) == set(variant.changes)
    assert len(variant.changes) == 1


@pytest.mark.parametrize("variant", ALTERNATIVES, ids=lambda v: v.name)
def test_an_alternative_changes_what_it_says(config, variant):
    assert changed_in(config, variant) == set(variant.changes)


def test_a_curves_steps_change_its_setting_and_that_of_the_ablation_beside(config):
    for curve in curves(120):
        for series, value, variant in curve.steps():
            beside = {key for v in curve.beside if v.name == series for key in v.changes}
            assert changed_in(config, variant) <= {curve.switch} | beside
            assert variant.changes[curve.switch] == value


def test_every_crowd_of_the_noise_figure_changes_the_crowd_alone(config):
    for rate, votes, variant in noise_grid():
        crowd = config.changed(variant.table()).crowd
        assert (crowd.slip_rate, crowd.votes) == (rate, votes)
        assert changed_in(config, variant) <= {"crowd.slip_rate", "crowd.votes"}


def test_unknown_settings_are_refused(subjects):
    with pytest.raises(UnknownOption, match="taus"):
        BenchConfig.of(subjects["two"], ["screening.taus=0.4"])
    with pytest.raises(InvalidInput, match=r"crowd\.vote"):
        BenchConfig.of(subjects["two"], ["crowd.vote=3"])
