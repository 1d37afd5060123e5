"""Crowds whose truth and errors are known, for the tests of agreement and aggregation."""

from engine.labeling.ratings import Ratings


def crowd(rng, *, n_items=120, per_item=5, accuracies=(0.9,) * 20, yes_share=0.6):
    """Let a few raters of a crowd answer each item; gives the truth of each item, and the ratings."""
    truth = (rng.random(n_items) < yes_share).astype(int)
    items, raters, answers = [], [], []
    for item in range(n_items):
        for rater in rng.choice(len(accuracies), per_item, replace=False).tolist():
            right = rng.random() < accuracies[rater]
            items.append(item)
            raters.append(rater)
            answers.append(int(truth[item] if right else 1 - truth[item]))
    return truth, Ratings.of(items, raters, answers, (0, 1))
