"""Whose answers the subset rests on, on pairs of images small enough to follow by hand."""

from dataclasses import replace

import numpy as np
import pytest

from engine.curation.preview import SubsetPreviewConfig, preview_subset
from engine.curation.reliance import Evidence, leave_each_out
from engine.errors import MisalignedRows
from engine.labeling.preview import preview, preview_scores
from engine.labeling.spreading import SpreadingConfig, build_graph

# three pairs, far from each other: an answer reaches the two of its pair and no other image
PLACES = np.array([[0.0, 0.0], [1.0, 0.0], [50.0, 0.0], [51.0, 0.0], [100.0, 0.0], [101.0, 0.0]])
PAIRS = SpreadingConfig(k=1, alpha=0.5, standardise=False, prior=0.4)
ALL_KEPT = SubsetPreviewConfig(fraction=1.0)
ONE_CLASS = np.zeros(6, dtype=np.int64)


def evidence(**said):
    """Give what sure answers say: a0=1 is yes to image 0."""
    posterior, answered = np.full(6, 0.5), np.zeros(6, dtype=bool)
    for name, answer in said.items():
        posterior[int(name[1:])], answered[int(name[1:])] = answer, True
    return Evidence(posterior=posterior, answered=answered)


def moved(whole, without, spreading=PAIRS, rule=ALL_KEPT):
    found = leave_each_out(
        build_graph(PLACES, spreading), whole, without,
        classes=ONE_CLASS, environments=ONE_CLASS, spreading=spreading, rule=rule,
    )  # fmt: skip
    return [(each.enters.tolist(), each.leaves.tolist()) for each in found]


def test_whose_yes_is_the_only_one_takes_his_images_along():
    # Ana says yes to 0, Ben yes to 2, Cem no to 4. A pair with a yes scores 1, with a no 0, with
    # nothing the prior 0.4, below the 0.5 that is kept.
    whole = evidence(a0=1.0, b2=1.0, c4=0.0)
    without = [evidence(b2=1.0, c4=0.0), evidence(a0=1.0, c4=0.0), evidence(a0=1.0, b2=1.0)]

    assert moved(whole, without) == [([], [0, 1]), ([], [2, 3]), ([], [])]


def test_whose_no_is_the_only_one_lets_images_in():
    # with a prior of 0.6 the pair that nobody refused is kept
    whole = evidence(a0=1.0, b2=1.0, c4=0.0)
    without = [evidence(b2=1.0, c4=0.0), evidence(a0=1.0, b2=1.0)]

    assert moved(whole, without, replace(PAIRS, prior=0.6)) == [([], []), ([4, 5], [])]


def test_a_place_that_is_left_is_taken_by_another():
    # half of six images: of four kept ones three are drawn; where two of them leave, those two of
    # the remaining pair that were out come in
    whole, others = evidence(a0=1.0, b2=1.0, c4=0.0), evidence(b2=1.0, c4=0.0)
    rule = SubsetPreviewConfig(fraction=0.5)
    graph = build_graph(PLACES, PAIRS)
    scores = preview_scores(graph, whole.posterior, whole.answered, PAIRS).scores
    before = np.flatnonzero(preview_subset(scores, ONE_CLASS, ONE_CLASS, rule).chosen).tolist()

    ((enters, leaves),) = moved(whole, [others], rule=rule)

    assert len(before) == 3
    assert leaves == [place for place in before if place < 2]
    assert enters == [place for place in (2, 3) if place not in before]


def test_what_others_say_as_well_moves_nothing():
    whole = evidence(a0=1.0, b2=1.0)

    assert moved(whole, [whole, whole]) == [([], []), ([], [])]
    assert moved(whole, []) == []


def test_the_scores_are_those_of_the_preview():
    rng = np.random.default_rng(2)
    yes, no = rng.integers(0, 3, 6), rng.integers(0, 3, 6)
    posterior, graph = rng.random(6), build_graph(PLACES, PAIRS)

    alone = preview_scores(graph, posterior, yes + no > 0, PAIRS)

    assert (alone.scores == preview(graph, posterior, yes, no, PAIRS).scores).all()


def test_evidence_of_other_images_is_refused():
    short = Evidence(posterior=np.zeros(3), answered=np.zeros(3, dtype=bool))

    with pytest.raises(MisalignedRows):
        moved(short, [])  # nothing to yield, but the whole is looked at first
