import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.errors import InvalidInput
from engine.labeling.votes import Answer
from engine.simulation.annotator import SimulatedAnnotator, judge, widen

GRIDS = arrays(np.float64, (3, 4), elements=st.floats(0, 1, width=16))
REGIONS = arrays(np.bool_, (12, 16))
LEFT = np.zeros((8, 8), dtype=bool)
LEFT[:, :4] = True
HEAT_LEFT = np.array([[1.0, 0.0], [1.0, 0.0]])  # upsampled: .875 of the mass in the left half
EVEN = np.ones((4, 4))


@pytest.mark.parametrize(
    ("tau", "answer"), [(0.3, Answer.YES), (0.49, Answer.YES), (0.51, Answer.NO)]
)
def test_the_object_needs_its_share_of_the_mass(tau, answer):
    assert judge(EVEN, LEFT, None, tau) == answer


def test_exactly_tau_is_enough():
    assert judge(EVEN, LEFT, None, 0.5) == Answer.YES


def test_mass_is_counted_on_the_bilinear_map():
    hot = np.array([[1.0, 0.0]])
    region = np.array([[True, False, False, False]])

    # upsampled: 1, .75, .25, 0
    assert judge(hot, region, None, 0.5) == Answer.YES
    assert judge(hot, region, None, 0.51) == Answer.NO


def test_heat_on_an_artefact_beyond_its_area_is_answered_no():
    assert judge(HEAT_LEFT, None, LEFT[:, ::-1]) == Answer.YES
    assert judge(HEAT_LEFT, None, LEFT, spurious_ratio=1.0) == Answer.NO


def test_regions_may_be_stored_at_sizes_of_their_own():
    right = np.zeros((5, 6), dtype=bool)
    right[:, 3:] = True

    assert judge(HEAT_LEFT, LEFT, right) == Answer.YES
    assert judge(HEAT_LEFT, right, LEFT) == Answer.NO


def test_even_heat_is_fine_whatever_the_artefact():
    assert judge(EVEN, None, LEFT) == Answer.YES


def test_a_picture_without_the_artefact_is_answered_yes():
    assert judge(HEAT_LEFT, None, LEFT & False) == Answer.YES


def test_a_thin_artefact_is_widened_by_half_a_cell_before_its_mass_is_counted():
    line = np.zeros((40, 40), dtype=bool)
    line[:, 20] = True
    grid = np.zeros((4, 4))
    grid[:, 2] = 1.0  # the cell column from pixel 20 on, hottest at its middle, pixel 25

    wide = widen(line, (4, 4))

    assert np.flatnonzero(wide[0]).tolist() == list(range(15, 26))
    assert judge(grid, None, line) == Answer.NO


def test_widening_is_by_half_a_cell_in_each_direction():
    dot = np.zeros((20, 30), dtype=bool)
    dot[10, 15] = True

    wide = widen(dot, (5, 3))

    assert np.flatnonzero(wide.any(axis=1)).tolist() == [8, 9, 10, 11, 12]
    assert np.flatnonzero(wide.any(axis=0)).tolist() == list(range(10, 21))


def test_both_regions_must_allow_a_yes():
    assert judge(HEAT_LEFT, LEFT, LEFT[:, ::-1]) == Answer.YES
    assert judge(HEAT_LEFT, LEFT, LEFT, spurious_ratio=1.0) == Answer.NO
    assert judge(HEAT_LEFT, LEFT[:, ::-1], LEFT & False) == Answer.NO


def test_a_dead_map_or_an_unknown_truth_cannot_be_told():
    assert judge(EVEN * 0, LEFT, None) == Answer.CANNOT_TELL
    assert judge(EVEN, None, None) == Answer.CANNOT_TELL


@given(GRIDS, REGIONS, st.sampled_from([0.2, 0.3, 0.5]))
def test_scale_and_edits_do_not_matter(grid, region, tau):
    region[0, 0] = True
    kept = grid.copy(), region.copy()

    answer = judge(grid, region, region, tau)

    assert judge(grid * 8, region, region, tau) == answer
    assert np.array_equal(grid, kept[0])
    assert np.array_equal(region, kept[1])


@given(GRIDS, REGIONS)
def test_a_stricter_tau_never_turns_no_into_yes(grid, region):
    region[0, 0] = True

    answers = [judge(grid, region, None, tau) for tau in (0.2, 0.3, 0.4, 0.5)]

    assert answers == sorted(answers, key=[Answer.YES, Answer.NO, Answer.CANNOT_TELL].index)


@given(REGIONS)
def test_widening_only_adds(region):
    wide = widen(region, (3, 4))

    assert wide[region].all()
    assert wide.any() == region.any()


def test_a_grid_of_bytes_is_judged_like_its_floats():
    grid = (HEAT_LEFT * 255).astype(np.uint8)

    assert judge(grid, LEFT, None, 0.85) == judge(HEAT_LEFT, LEFT, None, 0.85) == Answer.YES


@pytest.mark.parametrize(
    ("grid", "region", "tau", "message"),
    [
        (-EVEN, LEFT, 0.3, "not negative, got -1.0"),
        (EVEN * np.nan, LEFT, 0.3, "finite"),
        (EVEN, LEFT, 0.0, "tau must lie above 0"),
        (EVEN, LEFT & False, 0.3, "region is empty"),
    ],
    ids=["negative", "nan", "tau", "empty"],
)
def test_what_cannot_be_judged_is_refused(grid, region, tau, message):
    with pytest.raises(InvalidInput, match=message):
        judge(grid, region, None, tau)


def answers_of(annotator, n=400):
    return [annotator.answer(EVEN, LEFT, None) for _ in range(n)]


def test_slips_flip_about_as_many_answers_as_told():
    annotator = SimulatedAnnotator(rng=np.random.default_rng(0), slip_rate=0.1)

    slips = sum(given.answer == Answer.NO for given in answers_of(annotator))

    assert 20 <= slips <= 65


@pytest.mark.parametrize(("rate", "answer"), [(0.0, Answer.YES), (1.0, Answer.NO)])
def test_never_and_always(rate, answer):
    annotator = SimulatedAnnotator(rng=np.random.default_rng(0), slip_rate=rate)

    assert {given.answer for given in answers_of(annotator, 50)} == {answer}


def test_cannot_tell_is_never_flipped():
    annotator = SimulatedAnnotator(rng=np.random.default_rng(0), slip_rate=1.0)

    assert annotator.answer(EVEN * 0, LEFT, None).answer == Answer.CANNOT_TELL


def test_the_slip_rate_leaves_the_times_as_they_were():
    times = [
        [
            given.seconds
            for given in answers_of(
                SimulatedAnnotator(rng=np.random.default_rng(3), slip_rate=rate), 20
            )
        ]
        for rate in (0.0, 0.5)
    ]

    assert times[0] == times[1]


def test_times_lie_around_the_median():
    seconds = [
        given.seconds
        for given in answers_of(
            SimulatedAnnotator(rng=np.random.default_rng(0), median_seconds=4.0)
        )
    ]

    assert min(seconds) > 0
    assert np.median(seconds) == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize("options", [{"slip_rate": 1.5}, {"median_seconds": 0.0}, {"spread": -1.0}])
def test_impossible_annotators_are_refused(options):
    with pytest.raises(InvalidInput, match=next(iter(options))):
        SimulatedAnnotator(rng=np.random.default_rng(0), **options)


@pytest.mark.slow
def test_the_annotator_needs_neither_torch_nor_scikit_learn():
    code = (
        "import sys, engine.simulation.annotator; "
        "sys.exit(', '.join({'torch', 'sklearn', 'umap', 'numba'} & set(sys.modules)) or None)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.strip()) == (0, "")
