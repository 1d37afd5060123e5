import numpy as np
import pytest

from engine.errors import MisalignedRows
from engine.evaluation.predictions import Predictions

PREDICTIONS = Predictions(
    rows=np.array([4, 7, 9]),
    logits=np.array([[0.0, 2.0], [1.0, -1.0], [0.5, 0.5]], dtype=np.float32),
    labels=np.array([1, 1, 0]),
)


def test_the_largest_logit_is_predicted_and_a_tie_goes_to_the_lower_class():
    assert PREDICTIONS.predicted.tolist() == [1, 0, 0]
    assert PREDICTIONS.correct.tolist() == [True, False, True]


def test_rows_are_picked_in_the_order_asked_for():
    picked = PREDICTIONS.at(np.array([9, 4]))

    assert picked.rows.tolist() == [9, 4]
    assert picked.labels.tolist() == [0, 1]
    assert picked.correct.tolist() == [True, True]


def test_a_row_without_a_prediction_is_named():
    with pytest.raises(MisalignedRows, match="1 of 2 rows, the first is row 5"):
        PREDICTIONS.at(np.array([4, 5]))
