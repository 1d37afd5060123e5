"""The ledger: append-only, reversible, and every figure under every version of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from annotation_site.annotation.models import Response, Round, RoundState
from annotation_site.quality import ledger, votes
from annotation_site.quality.figures import forget, overview_of, study_of
from annotation_site.quality.models import LedgerEntry, LedgerSubject
from annotation_site.web.refusals import Refused
from tests.site import factories
from tests.site.quality import crowds


def numbers(round_: Round, version: int | None = None):
    """Give every headline figure as plain values, worked out anew."""
    forget()
    found = overview_of(study_of(round_, version))
    return (
        found.n_answers,
        found.n_people,
        found.by_answer,
        found.consistency,
        found.agreement,
        found.times,
        found.shares.tolist(),
        sorted(vote.answer + vote.annotator + str(vote.row) for vote in votes.votes_of(round_)),
    )


def test_exclusion_then_undo_restores_all_numbers_exactly(round_, people, mira):
    before = numbers(round_)

    entry = ledger.exclude(
        round=round_, by=mira, reason="always yes", sittings={people["dot"].pk: {"yes": 1.0}}
    )
    during = numbers(round_)
    ledger.take_back(entry=entry, by=mira, reason="that was the truth")

    assert during != before
    assert numbers(round_) == before
    assert numbers(round_, 0)[:-1] == before[:-1]
    assert numbers(round_, 1)[:-1] == during[:-1]
    assert LedgerEntry.objects.count() == 2, "nothing is deleted"
    assert LedgerSubject.objects.get(entry=entry).evidence == {"yes": 1.0}


def test_one_answer_may_be_left_out(round_, people, mira):
    said = Response.objects.get(assignment__sitting=people["ana"], assignment__task__position=0)
    ledger.exclude(round=round_, by=mira, reason="slipped", responses={said.pk: {"seconds": 0.1}})

    found = overview_of(study_of(round_))

    assert (found.n_answers, found.out_answers, found.out_people) == (23, 1, 0)
    assert len(votes.votes_of(round_)) == 23
    assert len(votes.votes_of(round_, {round_.pk: 0})) == 24


def test_a_later_version_of_an_answer_is_another_answer(round_, people, mira):
    task = round_.tasks.get(position=0)
    said = Response.objects.get(assignment__sitting=people["ana"], assignment__task=task)
    ledger.exclude(round=round_, by=mira, reason="slipped", responses={said.pk: {}})

    crowds.say(people["ana"], task, "no", version=2)

    assert overview_of(study_of(round_)).n_answers == 24
    assert len(votes.votes_of(round_)) == 24


def test_a_step_needs_a_reason_and_somebody_to_whom_it_happens(round_, people, mira):
    key = people["dot"].pk
    with pytest.raises(Refused, match="Say why"):
        ledger.exclude(round=round_, by=mira, reason="  ", sittings={key: {}})
    with pytest.raises(Refused, match="left out already"):
        ledger.exclude(round=round_, by=mira, reason="nobody", sittings={})
    with pytest.raises(Refused, match="not left out"):
        ledger.reinstate(round=round_, by=mira, reason="early", sittings=[key])
    entry = ledger.exclude(round=round_, by=mira, reason="once", sittings={key: {}})
    with pytest.raises(Refused, match="left out already"):
        ledger.exclude(round=round_, by=mira, reason="twice", sittings={key: {}})
    back = ledger.take_back(entry=entry, by=mira, reason="back")
    with pytest.raises(Refused, match="Only an exclusion"):
        ledger.take_back(entry=back, by=mira, reason="again")
    assert [e.version for e in LedgerEntry.objects.order_by("version")] == [1, 2]


def test_other_rounds_people_are_refused_and_nothing_is_written(project, round_, mira):
    other = factories.make_round(project, state=RoundState.OPEN, n_tasks=3)
    elsewhere = crowds.answer_all(other, {"eve": ["yes", "no", "yes"]})["eve"]
    answer = Response.objects.get(assignment__sitting=elsewhere, assignment__task__position=0)

    with pytest.raises(Refused, match="not of this round"):
        ledger.exclude(round=round_, by=mira, reason="x", sittings={elsewhere.pk: {}})
    with pytest.raises(Refused, match="not of this round"):
        ledger.exclude(round=round_, by=mira, reason="x", responses={answer.pk: {}})

    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize("state", [RoundState.DRAFT, RoundState.READY, RoundState.CLOSING])
def test_the_ledger_holds_still_while_votes_are_read_and_before_there_are_any(
    state, round_, people, mira
):
    Round.objects.filter(pk=round_.pk).update(state=state)

    with pytest.raises(Refused):
        ledger.exclude(round=round_, by=mira, reason="x", sittings={people["dot"].pk: {}})


def test_while_one_round_closes_the_others_ledgers_hold_still_too(project, round_, people, mira):
    factories.make_round(project, state=RoundState.CLOSING, n_tasks=3)

    with pytest.raises(Refused, match="closing"):
        ledger.exclude(round=round_, by=mira, reason="x", sittings={people["dot"].pk: {}})


def test_votes_of_a_result_stay_those_of_its_ledger(project, round_, people, mira):
    ledger.exclude(round=round_, by=mira, reason="one", sittings={people["dot"].pk: {}})
    kept = votes.ledger_versions(project)
    then = votes.votes_as_of(project, kept)

    ledger.exclude(round=round_, by=mira, reason="two", sittings={people["cy"].pk: {}})
    factories_round = factories.make_round(project, state=RoundState.OPEN, n_tasks=3)
    crowds.answer_all(factories_round, {"late": ["no", "no", "no"]})

    assert kept == {"1": 1}
    assert votes.votes_as_of(project, kept) == then
    assert len(votes.votes_of(project)) == len(then) - 6 + 3


class AnyHistory(TestCase):
    """Whatever is left out and let in again, votes and figures are those of a plain second writing."""

    @settings(max_examples=6, deadline=None)
    @given(
        st.lists(
            st.tuples(st.booleans(), st.sampled_from(["ana", "ben", "cy", "dot"]), st.booleans()),
            max_size=6,
        )
    )
    def test_what_counts_is_what_the_last_word_says(self, steps):
        lead = factories.make_user("lead")
        round_, people = crowds.small_crowd(factories.make_project(lead, n_images=12))
        keys = {
            name: Response.objects.filter(assignment__sitting=sitting).earliest("pk").pk
            for name, sitting in people.items()
        }
        gone: set[tuple[str, bool]] = set()
        history = [frozenset(gone)]
        for leave_out, name, whole in steps:
            if ((name, whole) in gone) == leave_out:
                continue
            sittings = [people[name].pk] if whole else []
            answers = [] if whole else [keys[name]]
            if leave_out:
                ledger.exclude(
                    round=round_,
                    by=lead,
                    reason="x",
                    sittings={key: {} for key in sittings},
                    responses={key: {} for key in answers},
                )
                gone.add((name, whole))
            else:
                ledger.reinstate(
                    round=round_, by=lead, reason="x", sittings=sittings, responses=answers
                )
                gone.discard((name, whole))
            history.append(frozenset(gone))

        assert ledger.head_of(round_) == len(history) - 1
        for version, out in enumerate(history):
            expected = sum(
                0 if (name, True) in out else 6 - ((name, False) in out) for name in people
            )
            forget()
            study = study_of(round_, version)
            assert len(study.answers) == expected
            assert len(votes.votes_of(round_, {round_.pk: version})) == expected
