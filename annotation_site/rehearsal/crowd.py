"""The simulated crowd: kinds of people, what they answer, and how long they take.

Pure draws from a seed: nothing here knows of HTTP or of the database.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.core.management import CommandError

CANNOT_TELL = "cannot_tell"
CONTESTED_TAKES = 1.4
"""So many times as long does somebody who looks take over a contested picture."""
HIDDEN_SHARE = 0.02
"""Share of answers during which the page is left for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How one kind of annotator works.

    Attributes:
        right: Chance of the right answer to a clear picture.
        seconds: Median time of an answer; times are log-normal, as people's are.
        spread: Standard deviation of the logarithm of the time.
        looks: Whether contested pictures take longer; who does not look does not notice.
        habit: Chance of giving the same answer whatever is shown.
        obeys: Chance of doing what an attention check says.
        unsure: Chance of "cannot tell" at a contested picture.
        leaves: Chance of leaving before the end.
        reloads: Chance, at each task, of loading the page anew.
        switches: Chance, at each task, of going on in another tab.
    """

    right: float = 0.95
    seconds: float = 4.3
    spread: float = 0.3
    looks: bool = True
    habit: float = 0.0
    obeys: float = 0.99
    unsure: float = 0.1
    leaves: float = 0.02
    reloads: float = 0.002
    switches: float = 0.0


KINDS: Mapping[str, Kind] = {
    "careful": Kind(),
    "noisy": Kind(right=0.8, seconds=4.6, spread=0.45, obeys=0.95),
    "hasty": Kind(right=0.66, seconds=1.3, spread=0.4, looks=False, obeys=0.6, unsure=0.0),
    "spamming": Kind(
        right=0.5, seconds=0.5, spread=0.4, looks=False, habit=0.85, obeys=0.3, unsure=0.0
    ),
    "leaving": Kind(leaves=1.0),
    "reloading": Kind(reloads=0.12),
    "two_tabs": Kind(switches=0.15),
}
"""Times of those who look are the SLIM study's (Table 6: 4.5 s on average)."""
USUAL_MIX: Mapping[str, float] = {
    "careful": 62, "noisy": 14, "hasty": 7, "spamming": 4, "leaving": 6, "reloading": 4,
    "two_tabs": 3,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is right to say of one picture of the simulation.

    Attributes:
        answer: The right answer.
        clarity: 1: as clear as pictures are; 0: nobody could tell.
        is_check: The task says in words what to answer.
    """

    answer: str
    clarity: float = 1.0
    is_check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One answer of one person.

    Attributes:
        answer: What is said.
        seconds: From seeing the picture to saying it.
        hidden_seconds: Part of it with the page out of sight.
    """

    answer: str
    seconds: float
    hidden_seconds: float = 0.0


class Annotator:
    """One simulated person; every draw comes from a generator of their own."""

    def __init__(self, name: str, *, seed: str, choices: Sequence[str]) -> None:
        """Make somebody.

        Args:
            name: One of `KINDS`.
            seed: Decides everything that is drawn.
            choices: The answers that mean something, without "cannot tell".
        """
        self.name = name
        self.kind = KINDS[name]
        self.rng = random.Random(seed)  # noqa: S311  (a simulation)
        self._choices = tuple(choices)
        self._pace = math.exp(self.rng.gauss(0.0, 0.2))
        self._usual = self.rng.choice(self._choices)

    def judge(self, truth: Truth) -> Judgement:
        """Answer one task."""
        seconds = self.takes(self.kind.seconds * self._pace)
        contested = truth.clarity < 1.0
        if contested and self.kind.looks:
            seconds *= CONTESTED_TAKES
        hidden = self.takes(8.0) if self.rng.random() < HIDDEN_SHARE else 0.0
        return Judgement(
            answer=self._answer(truth, contested=contested),
            seconds=seconds + hidden,
            hidden_seconds=hidden,
        )

    def takes(self, median: float) -> float:
        """Draw a log-normal time around a median, in seconds."""
        return median * math.exp(self.rng.gauss(0.0, self.kind.spread))

    def happens(self, chance: float) -> bool:
        """Draw whether something happens."""
        return self.rng.random() < chance

    def _answer(self, truth: Truth, *, contested: bool) -> str:
        if truth.is_check and self.happens(self.kind.obeys):
            return truth.answer
        if self.happens(self.kind.habit):
            return self._usual
        if contested and self.happens(self.kind.unsure):
            return CANNOT_TELL
        guess = 1.0 / len(self._choices)
        right = guess + (self.kind.right - guess) * truth.clarity
        if self.happens(right):
            return truth.answer
        wrong = [choice for choice in self._choices if choice != truth.answer]
        return self.rng.choice(wrong)


def read_mix(text: str) -> dict[str, float]:
    """Read shares such as "careful=80,spamming=20"; they need not add up to anything.

    Raises:
        CommandError: A kind is not known, or no share is above 0.
    """
    mix: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, share = part.partition("=")
        if name not in KINDS:
            raise CommandError(f"there are no {name!r} people; known: {', '.join(KINDS)}")
        try:
            mix[name] = float(share)
        except ValueError as error:
            raise CommandError(f"the share of {name!r} people is no number: {share!r}") from error
    if not all(math.isfinite(share) and share >= 0 for share in mix.values()) or not sum(
        mix.values()
    ):
        raise CommandError(f"a crowd needs shares of at least 0, and one above: {text!r}")
    return mix


def gather(
    n_people: int, mix: Mapping[str, float], *, seed: int, choices: Sequence[str]
) -> list[Annotator]:
    """Make a crowd whose kinds have the shares of the mix, up to one person, in random order."""
    total = sum(mix.values())
    exact = {name: n_people * share / total for name, share in mix.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_rest = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_rest[: n_people - sum(counts.values())]:
        counts[name] += 1
    names = [name for name, count in counts.items() for _ in range(count)]
    random.Random(f"{seed}:order").shuffle(names)  # noqa: S311  (a simulation)
    return [
        Annotator(name, seed=f"{seed}:{number}", choices=choices)
        for number, name in enumerate(names)
    ]


def arrivals(n_people: int, *, per_hour: float, seed: int) -> list[float]:
    """Draw when each person arrives, in seconds from the opening: a Poisson process."""
    rng = random.Random(f"{seed}:arrivals")  # noqa: S311  (a simulation)
    now, times = 0.0, []
    for _ in range(n_people):
        now += rng.expovariate(per_hour / 3600)
        times.append(now)
    return times
