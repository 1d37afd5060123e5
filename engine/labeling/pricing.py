"""What answers cost, in minutes and money. Standard library only, so a web page may price."""

from dataclasses import dataclass

from engine.attention.presets import check_range
from engine.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingConfig:
    """What an answer costs. No result depends on it.

    Attributes:
        redundancy: Answers wanted for each image, at least 1.
        seconds_per_answer: Of an annotator's time, above 0. SLIM's table 6 has 4.5 and 5.3.
        hourly_wage: What an hour of an annotator's time costs, in any currency, fees included.
    """

    redundancy: int = 3
    seconds_per_answer: float = 5.0
    hourly_wage: float = 12.0

    def __post_init__(self) -> None:
        check_range("pricing.redundancy", self.redundancy, low=1)
        check_range("pricing.seconds_per_answer", self.seconds_per_answer, low=0, open_low=True)
        check_range("pricing.hourly_wage", self.hourly_wage, low=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What asking about some images costs.

    Attributes:
        images: Images asked about.
        answers: Answers in all.
        minutes: Of annotators' time, all together.
        money: In the wage's currency.
    """

    images: int
    answers: int
    minutes: float
    money: float


def price_of(images: int, config: PricingConfig | None = None) -> Price:
    """Price a number of queries.

    Args:
        images: Images to ask about, at least 0.
        config: Redundancy, seconds and wage; the defaults if left out.

    Returns:
        Answers, minutes and money.

    Raises:
        InvalidInput: The number of images is negative.
    """
    if images < 0:
        raise InvalidInput(f"a price is for at least 0 images, got {images}")
    chosen = config or PricingConfig()
    answers = images * chosen.redundancy
    minutes = answers * chosen.seconds_per_answer / 60.0
    return Price(
        images=images, answers=answers, minutes=minutes, money=minutes / 60.0 * chosen.hourly_wage
    )
