"""What a round's votes say of each query: counts, the majority, and Dawid-Skene's posterior.

Votes are gathered as plain arrays, some bytes each, so that hundreds of thousands are no matter.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet
from jaxtyping import Float, Int

from annotation_site.annotation.models import Response, Round, TaskRole
from annotation_site.quality import ledger
from annotation_site.quality.columns import categories_of
from engine.labeling.dawid_skene import fit_dawid_skene
from engine.labeling.ratings import Ratings

CHUNK = 2_000
TIE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posteriors:
    """What the votes say of the queries that have any.

    Attributes:
        categories: Answers that count, in the order of the last axes.
        tasks: Primary keys of the queries, rising.
        counts: Votes for each category.
        n_unsure: Votes that tell nothing (cannot tell, not loaded).
        dawid_skene: Probability of each category; NaN where no vote counts.
        model: Of Dawid-Skene, or empty without votes.
        iterations: Steps it took.
    """

    categories: tuple[str, ...]
    tasks: Int[np.ndarray, " n"]
    counts: Int[np.ndarray, "n k"]
    n_unsure: Int[np.ndarray, " n"]
    dawid_skene: Float[np.ndarray, "n k"]
    model: str
    iterations: int

    def of(self, task: int) -> "Posterior":
        """Give one query's posterior; without votes, one that says nothing."""
        at = int(np.searchsorted(self.tasks, task))
        if at == len(self.tasks) or int(self.tasks[at]) != task:
            return Posterior(categories=self.categories, counts=(0,) * len(self.categories))
        return Posterior(
            categories=self.categories,
            counts=tuple(self.counts[at].tolist()),
            n_unsure=int(self.n_unsure[at]),
            dawid_skene=tuple(self.dawid_skene[at].tolist()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What the votes say of one query.

    Attributes:
        categories: Answers that count.
        counts: Votes for each.
        n_unsure: Votes that tell nothing.
        dawid_skene: Probability of each category; NaN or empty without a vote that counts.
    """

    categories: tuple[str, ...]
    counts: tuple[int, ...]
    n_unsure: int = 0
    dawid_skene: tuple[float, ...] = ()

    @property
    def n_votes(self) -> int:
        """Votes that count."""
        return sum(self.counts)

    @property
    def majority(self) -> str:
        """The most frequent answer; empty without one, or where two are as frequent."""
        return _only_top(self.categories, self.counts) if self.n_votes else ""

    @property
    def majority_share(self) -> float | None:
        """Share of the most frequent answer among the votes that count."""
        return max(self.counts) / self.n_votes if self.n_votes else None

    @property
    def likely(self) -> str:
        """The likeliest answer; empty without a vote, or where nothing is decided."""
        return _only_top(self.categories, self.dawid_skene) if self.n_votes else ""

    @property
    def likely_probability(self) -> float | None:
        """How probable the likeliest answer is."""
        return max(self.dawid_skene) if self.n_votes else None

    def probability(self, category: str) -> float | None:
        """How probable an answer is; None without votes, or where it is not on offer."""
        if not self.n_votes or category not in self.categories:
            return None
        return self.dawid_skene[self.categories.index(category)]


def _only_top(names: tuple[str, ...], values: tuple[float, ...] | tuple[int, ...]) -> str:
    top = max(values)
    tops = [name for name, value in zip(names, values, strict=True) if top - value <= TIE]
    return tops[0] if len(tops) == 1 else ""


def counted(round_: Round) -> "QuerySet[Response]":
    """Keep the votes that every figure rests on: current, to queries, no mere looks, not left out."""
    votes = (
        Response.objects.of_round(round_)
        .current()
        .filter(assignment__task__role=TaskRole.QUERY, assignment__sitting__is_test=False)
    )
    return ledger.counted(votes)


def posteriors_of(round_: Round) -> Posteriors:
    """Work out what a round's votes say.

    Args:
        round_: Of any arm; votes that tell nothing are counted apart.

    Returns:
        For each query with a vote.
    """
    categories = categories_of(round_)
    items, raters, answers = _arrays(counted(round_), categories)
    tasks, at = np.unique(items, return_inverse=True)
    k = len(categories)
    told = answers >= 0
    flat = np.bincount(at[told] * k + answers[told], minlength=len(tasks) * k)
    posterior = np.full((len(tasks), k), np.nan)
    model, iterations = "", 0
    if told.any() and k > 1:
        names, item = np.unique(items[told], return_inverse=True)
        people, rater = np.unique(raters[told], return_inverse=True)
        found = fit_dawid_skene(
            Ratings(
                items=item,
                raters=rater,
                categories=answers[told],
                item_names=tuple(names.tolist()),
                rater_names=tuple(people.tolist()),
                category_names=categories,
            )
        )
        posterior[np.searchsorted(tasks, names)] = found.posterior
        model, iterations = found.model, found.iterations
    elif told.any():
        posterior[np.unique(at[told])] = 1.0  # one category on offer: nothing to be wrong about
    return Posteriors(
        categories=categories,
        tasks=tasks,
        counts=flat.reshape(len(tasks), k),
        n_unsure=np.bincount(at[~told], minlength=len(tasks)),
        dawid_skene=posterior,
        model=model,
        iterations=iterations,
    )


def _arrays(
    votes: "QuerySet[Response]", categories: tuple[str, ...]
) -> tuple[Int[np.ndarray, " r"], Int[np.ndarray, " r"], Int[np.ndarray, " r"]]:
    """Read task, sitting and category (-1: tells nothing) of every vote."""
    number = {category: at for at, category in enumerate(categories)}
    items, raters, answers = array("q"), array("q"), array("q")
    for task, sitting, answer in _rows(votes):
        items.append(task)
        raters.append(sitting)
        answers.append(number.get(answer, -1))
    read = tuple(np.frombuffer(each, dtype=np.int64) for each in (items, raters, answers))
    return read[0], read[1], read[2]


def _rows(votes: "QuerySet[Response]") -> Iterator[tuple[int, int, str]]:
    return (
        votes.order_by()
        .values_list("assignment__task_id", "assignment__sitting_id", "answer")
        .iterator(chunk_size=CHUNK)
    )
