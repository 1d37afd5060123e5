"""P2 of the methods' parity values: attention-weighted and inverse-weighted features."""

import pytest
import torch

from engine.attention.pooling import attention_pool, attention_weights, environment_weights

FEATURES = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[4.0, 0.0], [1.0, 1.0]]]])
MAPS = torch.tensor([[[0.0, 1.0], [2.0, 5.0]]])


def test_P02_the_authors_inverse_mask():
    inverse = environment_weights(MAPS, "authors")

    torch.testing.assert_close(inverse, torch.tensor([[[1.0, 0.8], [0.6, 0.0]]]))


@pytest.mark.parametrize(
    ("scheme", "core", "environment"),
    [
        ("authors", [28.0, 7.0], [4.4, 4.6]),
        ("sum", [3.5, 0.875], [1.833333, 1.916667]),
    ],
)
def test_P02_pooled_vectors(scheme, core, environment):
    given_core = attention_pool(FEATURES, attention_weights(MAPS, scheme))
    given_environment = attention_pool(FEATURES, environment_weights(MAPS, scheme))

    torch.testing.assert_close(given_core, torch.tensor([core]))
    torch.testing.assert_close(given_environment, torch.tensor([environment]), atol=1e-6, rtol=0)
