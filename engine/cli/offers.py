"""What asking costs: the budget's curve with a price at each of its points."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from engine.artifacts import codecs
from engine.labeling.pricing import price_of

if TYPE_CHECKING:
    from engine.pipeline.run import Run


def priced(run: "Run", curve: Any) -> dict[str, Any]:
    """Price every number of queries on the curve, and the number that will be asked.

    Args:
        run: Its settings name redundancy, seconds an answer, wage, and perhaps a budget.
        curve: The consistency curve.

    Returns:
        `elbow` (proposed), `asked` (the same, or `queries.budget` where it is set), its `price`,
        and `offers`: one price for each point of the curve, with the curve's values.
    """
    # imported here: they load torch
    from engine.labeling.budget import propose_budget
    from engine.pipeline.stages import most_queries

    config = run.config
    proposed = propose_budget(curve, highest=most_queries(run.load("manifest")))
    asked = config.queries.budget or proposed
    offers = [
        {
            **codecs.to_json(price_of(int(images), config.pricing)),
            "attention": round(float(attention), 4),
            "features": round(float(features), 4),
        }
        for images, attention, features in zip(
            curve.budgets, curve.attention, curve.features, strict=True
        )
    ]
    return {
        "elbow": proposed,
        "asked": asked,
        "price": codecs.to_json(price_of(asked, config.pricing)),
        "pricing": codecs.to_json(config.pricing),
        "offers": offers,
    }


def print_offers(made: Mapping[str, Any]) -> None:
    """Print the priced curve as a table, the elbow marked, and what will be asked.

    Args:
        made: The budget stage's facts with those of `priced`.
    """
    terms = made["pricing"]
    table = Table(
        title=f"{terms['redundancy']} answers an image, {terms['seconds_per_answer']:g} s each, "
        f"{terms['hourly_wage']:g} an hour",
        box=None,
    )
    for name in ("images", "answers", "minutes", "money", "attention", "features"):
        table.add_column(name, justify="right")
    table.add_column("")
    for offer in made["offers"]:
        table.add_row(
            *_cells(offer),
            f"{offer['attention']:.3f}",
            f"{offer['features']:.3f}",
            "elbow" if offer["images"] == made["elbow"] else "",
        )
    table.add_row(*_cells(made["price"]), "", "", "asked")
    Console().print(table)


def _cells(price: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(price["images"]),
        str(price["answers"]),
        f"{price['minutes']:.0f}",
        f"{price['money']:.2f}",
    )
