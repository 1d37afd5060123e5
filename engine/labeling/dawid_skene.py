"""The truth behind noisy answers, and each annotator's errors, worked out together.

Dawid & Skene 1979 by expectation maximisation. numpy only, so a web page may use it: a thousand
items of ten answers take a few milliseconds.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from engine.errors import InvalidInput, NotEnoughLabels, UnknownOption
from engine.labeling.ratings import Ratings

MODELS = ("auto", "one_coin", "two_coin")
ENOUGH_ANSWERS = 10
"""Answers of the middle annotator from which errors are told apart by the true category."""

_CROWD_RIGHT, _CROWD_WRONG = 4.0, 1.0
"""Answers imagined of the whole crowd: without them one answer an item could mean its opposite."""
_TINY = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DawidSkene:
    """What a crowd's answers say of the items, and of the crowd.

    Attributes:
        posterior: Probability of each category for each item, in the order of the ratings' names.
        confusion: For each rater, the probability of an answer (last axis) given the true
            category (middle axis).
        prevalence: Probability of each category beforehand (the class prior).
        model: `one_coin` (a rater errs equally often whatever is true) or `two_coin`.
        iterations: Steps taken.
        converged: Whether the posteriors settled before the last allowed step.
        change: Largest change of a posterior in the last step.
        log_likelihood: Of the answers under what was found.
    """

    posterior: Float[np.ndarray, "n k"]
    confusion: Float[np.ndarray, "a k k"]
    prevalence: Float[np.ndarray, " k"]
    model: str
    iterations: int
    converged: bool
    change: float
    log_likelihood: float

    @property
    def accuracy(self) -> Float[np.ndarray, " a"]:
        """Each rater's probability of a right answer, at this prevalence."""
        diagonal = np.diagonal(self.confusion, axis1=1, axis2=2)
        shares: np.ndarray = diagonal @ self.prevalence
        return shares

    @property
    def informedness(self) -> Float[np.ndarray, " a"]:
        """How much better than guessing each rater is: mean of the diagonal, 0 to 1 from chance."""
        k = len(self.prevalence)
        diagonal = np.diagonal(self.confusion, axis1=1, axis2=2).mean(axis=1)
        scaled: np.ndarray = (k * diagonal - 1.0) / (k - 1.0)
        return scaled


def choose_model(ratings: Ratings) -> str:
    """Choose how much to ask of the data.

    Args:
        ratings: The answers.

    Returns:
        `two_coin` where the middle rater gave 10 answers or more and every category was chosen in
        at least a twentieth of all answers, else `one_coin`.
    """
    if len(ratings) == 0:
        return "one_coin"
    k = len(ratings.category_names)
    busy = float(np.median(np.bincount(ratings.raters))) >= ENOUGH_ANSWERS
    chosen = np.bincount(ratings.categories, minlength=k) >= 0.05 * len(ratings)
    return "two_coin" if busy and bool(chosen.all()) else "one_coin"


def fit_dawid_skene(
    ratings: Ratings,
    *,
    model: str = "auto",
    smoothing: float = 10.0,
    truth: Mapping[Hashable, Hashable] | None = None,
    tolerance: float = 1e-8,
    most_steps: int = 1000,
) -> DawidSkene:
    """Work out posteriors, prevalence and confusion by expectation maximisation.

    It starts from each item's shares of votes. A rater's errors are drawn towards the crowd's, so
    that somebody with three answers is judged as the crowd is and one with a hundred by himself;
    the crowd's are drawn weakly towards four right in five, so that categories never swap. Where
    no item has two answers and none is known, errors cannot be told, and four in five it is.

    Args:
        ratings: At least one answer, of two categories or more on offer.
        model: `one_coin`, `two_coin`, or `auto` (by `choose_model`).
        smoothing: Answers of the crowd that each rater is lent for each true category (in all,
            under `one_coin`), at least 0. 0 is the unsmoothed method of 1979.
        truth: The known category of some items (controls), by item name.
        tolerance: Settled when no posterior moves by more.
        most_steps: Steps allowed, at least 1.

    Returns:
        The fit, with whether it converged.

    Raises:
        NotEnoughLabels: There is no answer.
        UnknownOption: The model is not known.
        InvalidInput: The smoothing is negative, one category only is on offer, or a known truth
            is not a category.
    """
    if model not in MODELS:
        raise UnknownOption.of("Dawid-Skene model", model, MODELS)
    if len(ratings) == 0:
        raise NotEnoughLabels("there is no answer to aggregate; collect answers first")
    if smoothing < 0 or len(ratings.category_names) < 2 or most_steps < 1:
        raise InvalidInput(
            "Dawid-Skene needs a smoothing of at least 0, two categories and one step, got "
            f"{smoothing!r}, {len(ratings.category_names)} and {most_steps}"
        )
    chosen = choose_model(ratings) if model == "auto" else model
    fixed = _fixed(ratings, truth or {})
    counts = ratings.counts()
    if smoothing > 0 and not truth and counts.sum(axis=1).max() < 2:
        return _untested(ratings, fixed)
    posterior = np.where(np.isnan(fixed), counts / counts.sum(axis=1, keepdims=True), fixed)
    for step in range(1, most_steps + 1):
        confusion = _confusion(ratings, posterior, chosen, smoothing)
        prevalence = _prevalence(posterior, smoothing)
        found, evidence = _expect(ratings, confusion, prevalence, fixed)
        change = float(np.abs(found - posterior).max())
        posterior = found
        if change <= tolerance or step == most_steps:
            break
    else:
        raise AssertionError  # most_steps is at least 1, so the loop ends by its break
    return DawidSkene(
        posterior=posterior,
        confusion=confusion,
        prevalence=prevalence,
        model=chosen,
        iterations=step,
        converged=change <= tolerance,
        change=change,
        log_likelihood=evidence,
    )


def _untested(ratings: Ratings, fixed: Float[np.ndarray, "n k"]) -> DawidSkene:
    """Trust every answer four times in five, where no item has two to compare."""
    k, n_raters = fixed.shape[1], len(ratings.rater_names)
    wrong = _CROWD_WRONG / (_CROWD_RIGHT + _CROWD_WRONG)
    each = np.full((k, k), wrong / (k - 1))
    np.fill_diagonal(each, 1.0 - wrong)
    confusion = np.repeat(each[None], n_raters, axis=0)
    prevalence = np.full(k, 1.0 / k)
    posterior, evidence = _expect(ratings, confusion, prevalence, fixed)
    return DawidSkene(
        posterior=posterior,
        confusion=confusion,
        prevalence=prevalence,
        model="one_coin",
        iterations=0,
        converged=True,
        change=0.0,
        log_likelihood=evidence,
    )


def _fixed(ratings: Ratings, truth: Mapping[Hashable, Hashable]) -> Float[np.ndarray, "n k"]:
    """Give certain posteriors to items whose truth is known, NaN to the others."""
    number = {name: at for at, name in enumerate(ratings.category_names)}
    unknown = [answer for answer in truth.values() if answer not in number]
    if unknown:
        raise InvalidInput(f"a known truth is {unknown[0]!r}, which is not a category on offer")
    fixed = np.full((len(ratings.item_names), len(number)), np.nan)
    for at, name in enumerate(ratings.item_names):
        if name in truth:
            fixed[at] = 0.0
            fixed[at, number[truth[name]]] = 1.0
    return fixed


def _prevalence(posterior: Float[np.ndarray, "n k"], smoothing: float) -> Float[np.ndarray, " k"]:
    """Estimate the class prior, with one imagined item of each category where smoothed."""
    totals = posterior.sum(axis=0) + (1.0 if smoothing > 0 else 0.0)
    shares: np.ndarray = np.maximum(totals / totals.sum(), _TINY)
    return shares


def _confusion(
    ratings: Ratings, posterior: Float[np.ndarray, "n k"], model: str, smoothing: float
) -> Float[np.ndarray, "a k k"]:
    """Estimate how each rater answers each true category."""
    k, n_raters = posterior.shape[1], len(ratings.rater_names)
    at = ratings.raters * k + ratings.categories
    counts = np.stack(
        [np.bincount(at, posterior[ratings.items, true], n_raters * k) for true in range(k)],
        axis=1,
    )
    table = counts.reshape(n_raters, k, k).swapaxes(1, 2)  # rater, true, answer
    if model == "one_coin":
        right = np.trace(table, axis1=1, axis2=2)
        asked = table.sum(axis=(1, 2))
        if smoothing > 0:
            crowd = (right.sum() + _CROWD_RIGHT) / (asked.sum() + _CROWD_RIGHT + _CROWD_WRONG)
            right, asked = right + smoothing * crowd, asked + smoothing
        share = right / asked
        each = np.eye(k) * share[:, None, None]
        each += (1.0 - np.eye(k)) * ((1.0 - share) / (k - 1))[:, None, None]
        bounded: np.ndarray = np.clip(each, _TINY, 1.0)
        return bounded
    if smoothing > 0:
        imagined = np.full((k, k), _CROWD_WRONG / (k - 1)) + np.eye(k) * (
            _CROWD_RIGHT - _CROWD_WRONG / (k - 1)
        )
        crowd_table = table.sum(axis=0) + imagined
        table = table + smoothing * crowd_table / crowd_table.sum(axis=1, keepdims=True)
    # no answer to a category that a rater never met: nothing is known, all answers alike
    clipped = np.maximum(table, _TINY)
    shares: np.ndarray = clipped / clipped.sum(axis=2, keepdims=True)
    return shares


def _expect(
    ratings: Ratings,
    confusion: Float[np.ndarray, "a k k"],
    prevalence: Float[np.ndarray, " k"],
    fixed: Float[np.ndarray, "n k"],
) -> tuple[Float[np.ndarray, "n k"], float]:
    """Give each item's posterior, and the log likelihood of all answers."""
    n, k = fixed.shape
    of_answer = np.log(confusion)[ratings.raters, :, ratings.categories]
    logs = np.stack([np.bincount(ratings.items, of_answer[:, c], n) for c in range(k)], axis=1)
    logs += np.log(prevalence)
    logs = np.where(np.isnan(fixed), logs, np.where(fixed > 0, logs, -np.inf))
    top = logs.max(axis=1, keepdims=True)
    shares = np.exp(logs - top)
    totals = shares.sum(axis=1, keepdims=True)
    return shares / totals, float((top + np.log(totals)).sum())
