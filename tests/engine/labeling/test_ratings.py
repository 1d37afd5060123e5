import numpy as np
import pytest

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.ratings import Ratings
from engine.labeling.votes import Answer, Vote, VoteTable


def test_names_are_numbered_in_order_of_appearance():
    found = Ratings.of(["b", "a", "b"], [7, 7, "mira"], ["no", "yes", "yes"], ("no", "yes"))

    assert found.item_names == ("b", "a")
    assert found.rater_names == (7, "mira")
    np.testing.assert_array_equal(found.counts(), [[1, 1], [0, 1]])
    np.testing.assert_array_equal(found.counts(np.array([0.0, 2.0])), [[0, 2], [0, 0]])


def test_votes_other_than_yes_and_no_are_left_out():
    votes = VoteTable.of(
        Vote(row=row, annotator=who, answer=answer)
        for row, who, answer in (
            (4, "a", Answer.YES),
            (4, "b", Answer.NO),
            (9, "a", Answer.CANNOT_TELL),
            (8, "a", Answer.NOT_LOADED),
        )
    )

    found = Ratings.of_votes(votes)

    assert found.item_names == (4,)
    assert found.categories.tolist() == [1, 0]
    assert len(Ratings.of_votes(votes, (*Answer,))) == 4


def test_impossible_ratings_are_refused():
    with pytest.raises(InvalidInput, match="rater 'a' answers item 1 twice"):
        Ratings.of([1, 1], ["a", "a"], [0, 1], (0, 1))
    with pytest.raises(MisalignedRows, match="got 1, 2 and 1"):
        Ratings.of([1], ["a", "b"], [0], (0, 1))
    with pytest.raises(InvalidInput, match="twice among"):
        Ratings.of([], [], [], (0, 0))
