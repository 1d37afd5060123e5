import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.attention.pooling import attention_pool, attention_weights, environment_weights

maps_3x4 = arrays(np.float32, (2, 3, 4), elements=st.floats(0, 1e6, width=32)).map(torch.from_numpy)
schemes = st.sampled_from(["sum", "authors"])


def test_pooling_is_the_weighted_sum_over_the_grid():
    features, weights = torch.randn(2, 5, 3, 4), torch.rand(2, 3, 4)

    pooled = attention_pool(features, weights)

    torch.testing.assert_close(pooled, torch.einsum("ndhw,nhw->nd", features, weights))


def test_pooling_does_not_depend_on_the_memory_layout():
    features, weights = torch.randn(2, 5, 3, 4), torch.rand(2, 3, 4)

    last = attention_pool(features.to(memory_format=torch.channels_last), weights)

    torch.testing.assert_close(last, attention_pool(features, weights))


@settings(deadline=None)
@given(maps_3x4, schemes)
def test_weights_are_never_negative_nor_nan(maps, scheme):
    for weights in (attention_weights(maps, scheme), environment_weights(maps, scheme)):
        assert weights.isfinite().all()
        assert (weights >= 0).all()
        assert (weights.sum(dim=(1, 2)) > 0).all()


@settings(deadline=None)
@given(maps_3x4)
def test_under_sum_both_vectors_are_weighted_averages(maps):
    ones = torch.ones(2, 6, 3, 4)

    for weights in (attention_weights(maps), environment_weights(maps)):
        torch.testing.assert_close(attention_pool(ones, weights), torch.ones(2, 6))


@settings(deadline=None)
@given(maps_3x4, st.permutations(range(12)), schemes)
def test_the_order_of_the_cells_does_not_matter(maps, order, scheme):
    features = torch.arange(2 * 3 * 12, dtype=torch.float32).reshape(2, 3, 3, 4) / 72
    moved_maps = maps.flatten(1)[:, order].reshape(2, 3, 4)
    moved_features = features.flatten(2)[:, :, order].reshape(2, 3, 3, 4)

    for weigh in (attention_weights, environment_weights):
        given_order = attention_pool(features, weigh(maps, scheme))
        other_order = attention_pool(moved_features, weigh(moved_maps, scheme))
        torch.testing.assert_close(given_order, other_order, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scheme", ["sum", "authors"])
def test_a_dead_map_pools_to_the_global_average(scheme):
    features, dead = torch.randn(2, 5, 3, 4), torch.zeros(2, 3, 4)

    core = attention_pool(features, attention_weights(dead, scheme))

    torch.testing.assert_close(core, features.mean(dim=(2, 3)))


@pytest.mark.parametrize(("scheme", "cell"), [("sum", 1 / 12), ("authors", 1.0)])
def test_a_dead_map_makes_everything_environment(scheme, cell):
    weights = environment_weights(torch.zeros(1, 3, 4), scheme)

    torch.testing.assert_close(weights, torch.full((1, 3, 4), cell))


def test_one_dead_map_does_not_touch_its_neighbours():
    alive = torch.rand(1, 3, 4)
    both = torch.cat([torch.zeros(1, 3, 4), alive])

    torch.testing.assert_close(attention_weights(both)[1:], attention_weights(alive))
    torch.testing.assert_close(environment_weights(both)[1:], environment_weights(alive))
