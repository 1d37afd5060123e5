import numpy as np
import pytest

from engine.benches.answers import CrowdConfig, TrueAnswers, simulate_crowd
from engine.errors import InvalidInput
from engine.labeling.votes import Answer

FLIPPED = {Answer.YES: Answer.NO, Answer.NO: Answer.YES}


class Truth(TrueAnswers):
    """Says yes of even rows."""

    def __init__(self):
        pass

    def of(self, row, crowd):  # noqa: ARG002
        return Answer.NO if row % 2 else Answer.YES


def answers(seed=0, n=200, **crowd):
    return simulate_crowd(Truth(), range(n), CrowdConfig(**crowd), seed=seed)


def test_one_annotator_without_slips_says_the_truth():
    votes = answers()

    assert [Truth().of(row, None) for row in range(200)] == list(votes.answers)
    assert set(votes.annotators) == {"simulated"}


def test_slips_mix_up_yes_and_no_and_change_nothing_else():
    votes, slipping = answers(), answers(slip_rate=0.2)

    flipped = np.array(votes.answers) != np.array(slipping.answers)
    assert 0.1 < flipped.mean() < 0.3
    assert np.array_equal(votes.seconds, slipping.seconds)
    assert answers(slip_rate=1.0).answers == tuple(FLIPPED[a] for a in votes.answers)


def test_more_slips_hold_the_fewer_slips():
    few, many, truth = (np.array(answers(slip_rate=r).answers) for r in (0.1, 0.3, 0.0))

    assert set(np.flatnonzero(few != truth)) <= set(np.flatnonzero(many != truth))


def test_annotators_slip_apart():
    votes = answers(votes=3, slip_rate=0.3)

    said = np.array(votes.answers).reshape(3, 200)
    assert len(set(votes.annotators)) == 3
    assert (said[0] != said[1]).any()
    assert np.array_equal(said[0], np.array(answers(slip_rate=0.3).answers))


@pytest.mark.parametrize("crowd", [{"votes": 0}, {"slip_rate": 1.5}, {"slip_rate": -0.1}])
def test_a_crowd_out_of_range_is_refused(crowd):
    with pytest.raises(InvalidInput):
        CrowdConfig(**crowd)
