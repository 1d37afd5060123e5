import pytest

from engine.errors import InvalidInput
from engine.labeling.pricing import PricingConfig, price_of


def test_answers_minutes_and_money():
    terms = PricingConfig(redundancy=5, seconds_per_answer=4.5, hourly_wage=12.0)

    found = price_of(120, terms)

    assert (found.answers, found.minutes) == (600, 45.0)
    assert found.money == pytest.approx(9.0)
    assert price_of(0).money == 0


def test_what_has_no_price_is_refused():
    with pytest.raises(InvalidInput, match="at least 0 images, got -1"):
        price_of(-1)
    for wrong in ({"redundancy": 0}, {"seconds_per_answer": 0.0}, {"hourly_wage": -1.0}):
        with pytest.raises(InvalidInput, match=f"pricing.{next(iter(wrong))}"):
            PricingConfig(**wrong)
