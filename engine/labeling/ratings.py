"""Answers as numbered items, raters and categories: what agreement and truth are worked out from.

numpy only, so a web page may use it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.votes import Answer, VoteTable

YES_OR_NO = (Answer.NO, Answer.YES)
"""The categories of attention labels: category 0 is no (spurious), category 1 is yes (core)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratings:
    """Who said what of what, at most once for each rater and item.

    Attributes:
        items: The item of each answer, in [0, len(item_names)).
        raters: The rater of each answer, in [0, len(rater_names)).
        categories: The category of each answer, in [0, len(category_names)).
        item_names: The items that have an answer, in order of appearance.
        rater_names: The raters who gave one, in order of appearance.
        category_names: Every category on offer, whether or not anybody chose it.
    """

    items: Int[np.ndarray, " r"]
    raters: Int[np.ndarray, " r"]
    categories: Int[np.ndarray, " r"]
    item_names: tuple[Hashable, ...]
    rater_names: tuple[Hashable, ...]
    category_names: tuple[Hashable, ...]

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def of(
        cls,
        items: Sequence[Hashable],
        raters: Sequence[Hashable],
        answers: Sequence[Hashable],
        categories: Sequence[Hashable],
    ) -> "Ratings":
        """Number what is named.

        Args:
            items: What each answer is of, e.g. the image's row or public id.
            raters: Who gave it.
            answers: What was said; one that is not in `categories` is left out.
            categories: The answers on offer, in the order of their numbers.

        Returns:
            The ratings, in the order given.

        Raises:
            MisalignedRows: The sequences differ in length.
            InvalidInput: A rater answers an item twice, or a category is given twice.
        """
        if not len(items) == len(raters) == len(answers):
            raise MisalignedRows(
                f"ratings need as many items as raters and answers, got {len(items)}, "
                f"{len(raters)} and {len(answers)}"
            )
        number = {category: at for at, category in enumerate(categories)}
        if len(number) != len(categories):
            raise InvalidInput(f"a category is given twice among {list(categories)}")
        given = [
            (item, rater, number[answer])
            for item, rater, answer in zip(items, raters, answers, strict=True)
            if answer in number
        ]
        seen: set[tuple[Hashable, Hashable]] = set()
        for item, rater, _ in given:
            if (item, rater) in seen:
                raise InvalidInput(
                    f"rater {rater!r} answers item {item!r} twice; keep the current answer only"
                )
            seen.add((item, rater))
        item_number, item_names = _numbered([item for item, _, _ in given])
        rater_number, rater_names = _numbered([rater for _, rater, _ in given])
        return cls(
            items=item_number,
            raters=rater_number,
            categories=np.array([category for _, _, category in given], dtype=np.int64),
            item_names=item_names,
            rater_names=rater_names,
            category_names=tuple(categories),
        )

    @classmethod
    def of_votes(cls, votes: VoteTable, categories: Sequence[Answer] = YES_OR_NO) -> "Ratings":
        """Take the votes that are on the list of categories: no is 0 and yes is 1 by default.

        Args:
            votes: One current vote for each annotator and row.
            categories: The answers that count; others (cannot tell, not loaded) are left out.

        Returns:
            The ratings; item names are rows of the manifest.
        """
        return cls.of(votes.rows.tolist(), votes.annotators, votes.answers, categories)

    def counts(
        self, rater_weights: Float[np.ndarray, " a"] | None = None
    ) -> Float[np.ndarray, "n k"]:
        """Count the answers of each item by category.

        Args:
            rater_weights: How many times each rater counts; once if left out.

        Returns:
            Items x categories.
        """
        n, k = len(self.item_names), len(self.category_names)
        weights = None if rater_weights is None else rater_weights[self.raters]
        flat = np.bincount(self.items * k + self.categories, weights=weights, minlength=n * k)
        return flat.reshape(n, k).astype(np.float64)


def _numbered(names: list[Hashable]) -> tuple[Int[np.ndarray, " r"], tuple[Hashable, ...]]:
    """Number names from 0, in order of appearance."""
    number: dict[Hashable, int] = {}
    for name in names:
        number.setdefault(name, len(number))
    return np.array([number[name] for name in names], dtype=np.int64), tuple(number)
