import numpy as np
import pytest
from scipy.stats import beta

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.aggregation import (
    METHODS,
    AggregationConfig,
    AttentionLabels,
    aggregate_votes,
    most_say_yes,
)
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


def many_votes(rows, answers_of):
    return VoteTable.of(
        Vote(row=row, annotator=str(at), answer=Answer.YES if yes else Answer.NO)
        for row, said in zip(rows, answers_of, strict=True)
        for at, yes in enumerate(said)
    )


def test_a_posterior_is_surer_with_more_votes_and_symmetric():
    votes = many_votes([0, 1, 2, 3], [[1], [1, 1, 1], [1, 1, 0], [0, 0, 1]])

    found = aggregate_votes(votes, AggregationConfig(method="posterior"), n_rows=5)

    one, three, contested, mirrored = found.core_probability[:4]
    assert 0.5 < contested < one < three < 1
    assert contested + mirrored == pytest.approx(1)
    assert found.labels.tolist() == [1, 1, 1, 0, -1]


@pytest.mark.parametrize("prior", [(0.5, 0.5), (1.0, 1.0), (4.0, 2.0)])
def test_a_posterior_is_the_mass_of_the_beta_distribution_above_a_half(prior):
    yes, no = np.array([0, 3, 1, 40]), np.array([0, 0, 2, 2])

    found = most_say_yes(yes, no, *prior)

    np.testing.assert_allclose(found, beta.sf(0.5, prior[0] + yes, prior[1] + no), rtol=1e-10)


def test_every_method_leaves_ties_and_silence_unlabelled():
    votes = many_votes([0, 2], [[1, 0], [1, 1]])

    for method in METHODS:
        found = aggregate_votes(votes, AggregationConfig(method=method), n_rows=4)
        assert found.labels[[1, 3]].tolist() == [-1, -1]
        assert found.labels[2] == 1
        if method != "dawid_skene":  # who of two that differ is right may be known from row 2
            assert found.labels[0] == -1
        silence = aggregate_votes(VoteTable.of([]), AggregationConfig(method=method), n_rows=2)
        assert silence.labels.tolist() == [-1, -1]


@pytest.mark.parametrize("method", METHODS)
def test_three_votes_repair_what_one_in_ten_gets_wrong(rng, method):
    truth = rng.random(400) < 0.6
    said = [[t ^ (rng.random() < 0.1) for _ in range(3)] for t in truth]

    found = aggregate_votes(
        many_votes(range(400), said), AggregationConfig(method=method), n_rows=400
    )

    assert (found.labels == truth).mean() > 0.945  # 97.2 % are expected
    contested = np.array([0 < sum(votes) < 3 for votes in said])
    sure = np.abs(found.core_probability - 0.5)
    assert sure[contested].mean() < sure[~contested].mean()
