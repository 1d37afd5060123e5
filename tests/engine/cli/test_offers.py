import pytest


@pytest.mark.slow
def test_the_budget_is_priced_and_can_be_overridden(tiny_run, own_store, gazecheck):
    terms = ("--set", "pricing.redundancy=5", "--set", "pricing.seconds_per_answer=6")

    made = gazecheck(
        "budget", *tiny_run.arguments, *terms, "--store", str(own_store), "--json"
    ).json

    assert made["asked"] == 12  # queries.budget of the settings
    assert made["elbow"] in made["budgets"] or made["elbow"] == 2  # a twentieth of 40 images
    assert (made["price"]["answers"], made["price"]["minutes"]) == (60, 6.0)
    assert made["price"]["money"] == pytest.approx(1.2)
    assert [offer["images"] for offer in made["offers"]] == made["budgets"]


@pytest.mark.slow
def test_a_person_reads_a_table_of_prices(tiny_run, own_store, gazecheck):
    arguments = (*tiny_run.arguments, "--store", str(own_store))

    shown = gazecheck("budget", *arguments)
    refused = gazecheck("budget", *arguments, "--set", "pricing.hourly_wage=-1")

    assert shown.code == 0, shown.err
    assert "3 answers an image, 5 s each, 12 an hour" in shown.out
    assert "asked" in shown.out
    assert refused.code == 1
    assert "pricing.hourly_wage must be at least 0, got -1.0" in refused.err
