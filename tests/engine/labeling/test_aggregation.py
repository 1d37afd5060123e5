import numpy as np
import pytest

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.aggregation import AggregationConfig, AttentionLabels, aggregate_votes
from engine.labeling.votes import Answer, Vote, VoteTable


def table(*answers: tuple[int, Answer]) -> VoteTable:
    return VoteTable.of(
        Vote(row=row, annotator=f"annotator {at}", answer=answer)
        for at, (row, answer) in enumerate(answers)
    )


VOTES = table(
    (0, Answer.YES),
    (0, Answer.YES),
    (0, Answer.NO),
    (1, Answer.NO),
    (1, Answer.CANNOT_TELL),
    (2, Answer.YES),
    (2, Answer.NO),
    (3, Answer.NOT_LOADED),
)


def test_the_majority_of_yes_and_no_decides():
    found = aggregate_votes(VOTES, n_rows=5)

    assert found.labels.tolist() == [1, 0, -1, -1, -1]
    assert found.n_votes.tolist() == [3, 1, 2, 0, 0]
    np.testing.assert_allclose(found.core_probability, [2 / 3, 0, np.nan, np.nan, np.nan])


def test_a_prior_draws_shares_to_the_middle_but_labels_no_row_without_votes():
    config = AggregationConfig(prior_yes=1.0, prior_no=1.0)

    found = aggregate_votes(VOTES, config, n_rows=5)

    assert found.labels.tolist() == [1, 0, -1, -1, -1]
    np.testing.assert_allclose(found.core_probability[:2], [3 / 5, 1 / 3])


def test_too_few_votes_leave_a_row_unlabelled():
    found = aggregate_votes(VOTES, AggregationConfig(minimum_votes=2), n_rows=5)

    assert found.labels.tolist() == [1, -1, -1, -1, -1]


def test_no_votes_label_nothing():
    found = aggregate_votes(table(), n_rows=3)

    assert found.labels.tolist() == [-1, -1, -1]
    assert np.isnan(found.core_probability).all()


def test_a_vote_beyond_the_manifest_is_refused():
    with pytest.raises(MisalignedRows, match="on row 3, but the manifest has 3 rows"):
        aggregate_votes(VOTES, n_rows=3)


def test_labels_of_some_rows_come_in_the_order_asked():
    found = aggregate_votes(VOTES, n_rows=5).restricted_to(np.array([1, 0]))

    assert found.labels.tolist() == [0, 1]
    assert found.n_votes.tolist() == [1, 3]


def test_sure_answers_have_probability_one_or_zero():
    found = AttentionLabels.of_answers(np.array([1, -1, 0]))

    np.testing.assert_array_equal(found.core_probability, [1, np.nan, 0])
    with pytest.raises(InvalidInput, match="-1, 0 or 1"):
        AttentionLabels.of_answers(np.array([2]))


@pytest.mark.parametrize("options", [{"minimum_votes": 0}, {"prior_yes": -1.0}, {"prior_no": -0.5}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(InvalidInput, match=f"aggregation.{next(iter(options))}"):
        AggregationConfig(**options)
