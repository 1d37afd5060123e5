import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.training.sampling import Accompanied, Shuffled, Weighted, balanced_weights


@given(n=st.integers(1, 90), batch_size=st.integers(1, 40), seed=st.integers(0, 9))
def test_shuffling_deals_every_row_once_in_equal_batches(n, batch_size, seed):
    batches = Shuffled().batches(n, batch_size, np.random.default_rng(seed))

    assert sorted(np.concatenate(batches).tolist()) == list(range(n))
    sizes = [len(batch) for batch in batches]
    assert len(batches) == -(-n // batch_size)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_one_generator_deals_one_way():
    for sampler in (Shuffled(), Weighted(weights=np.arange(1.0, 8.0))):
        first, again = (sampler.batches(7, 3, np.random.default_rng(5)) for _ in range(2))
        assert [b.tolist() for b in first] == [b.tolist() for b in again]


def test_rows_come_up_in_proportion_to_their_weight():
    weights = np.array([0.0, 1.0, 3.0])
    sampler = Weighted(weights=np.tile(weights, 4_000))

    drawn = np.concatenate(sampler.batches(12_000, 100, np.random.default_rng(0))) % 3

    shares = np.bincount(drawn, minlength=3) / 12_000
    assert shares[0] == 0
    assert shares[1:] == pytest.approx([0.25, 0.75], abs=0.015)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [1.0, np.nan]])
def test_weights_that_cannot_be_drawn_by_are_refused(weights):
    with pytest.raises(InvalidInput, match="weights of a draw"):
        Weighted(weights=np.array(weights))


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=60))
def test_balanced_weights_give_every_group_the_same(groups):
    groups = np.array(groups)

    weights = balanced_weights(groups)

    assert (weights[groups < 0] == 0).all()
    for group in np.unique(groups[groups >= 0]):
        assert weights[groups == group].sum() == pytest.approx(1)


@given(
    n=st.integers(2, 60),
    batch_size=st.integers(1, 16),
    each=st.integers(1, 9),
    n_companions=st.integers(0, 12),
)
def test_companions_are_in_every_batch_and_take_turns(n, batch_size, each, n_companions):
    companions = np.arange(min(n, n_companions))
    sampler = Accompanied(companions=companions, each=each)

    batches = sampler.batches(n, batch_size, np.random.default_rng(1))

    per_batch = min(each, len(companions))
    joined = [batch[len(batch) - per_batch :] for batch in batches] if per_batch else []
    main = [batch[: len(batch) - per_batch] for batch in batches]
    assert sorted(np.concatenate(main).tolist()) == list(range(n))
    counts = np.bincount(np.concatenate([*joined, companions]).astype(int), minlength=1)
    if len(companions):
        assert counts[: len(companions)].max() - counts[: len(companions)].min() <= 1
