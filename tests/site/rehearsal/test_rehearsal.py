"""The rehearsal: its crowd, its clock, what it foretells, and one played to its end."""

import asyncio
import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median

import pytest
from django.core.management import CommandError
from hypothesis import given
from hypothesis import strategies as st

from annotation_site.annotation.models import RoundState
from annotation_site.rehearsal.crowd import (
    KINDS,
    USUAL_MIX,
    Annotator,
    Truth,
    arrivals,
    gather,
    read_mix,
)
from annotation_site.rehearsal.plans import Terms
from annotation_site.rehearsal.prediction import (
    Asked,
    Vote,
    majority_right,
    predict,
    ratings_of,
)
from annotation_site.rehearsal.scene import Scene, scene_of
from annotation_site.rehearsal.virtual_time import VirtualClock
from annotation_site.rehearsal.visiting import Told
from tests.site import factories

ROOT = Path(__file__).resolve().parents[3]
CHOICES = ("no", "yes")


def test_a_crowd_has_the_shares_of_its_mix():
    crowd = gather(100, {"careful": 3, "spamming": 1}, seed=1, choices=CHOICES)

    assert Counter(person.name for person in crowd) == {"careful": 75, "spamming": 25}


@given(st.integers(0, 60), st.lists(st.floats(0, 9), min_size=7, max_size=7), st.integers(0, 9))
def test_a_crowd_is_as_large_as_asked_for(n_people, shares, seed):
    mix = dict(zip(KINDS, [*shares[:-1], shares[-1] + 0.1], strict=True))

    counts = Counter(person.name for person in gather(n_people, mix, seed=seed, choices=CHOICES))

    assert sum(counts.values()) == n_people
    for name, share in mix.items():
        assert abs(counts[name] - n_people * share / sum(mix.values())) < 1


def test_people_answer_and_take_as_long_as_their_kind_says():
    truth = Truth(answer="yes")
    for name, kind in KINDS.items():
        crowd = [Annotator(name, seed=f"{n}", choices=CHOICES) for n in range(2000)]
        said = [person.judge(truth) for person in crowd]

        right = sum(each.answer == "yes" for each in said) / len(said)
        wanted = kind.habit * 0.5 + (1 - kind.habit) * kind.right
        assert abs(right - wanted) < 0.04
        seconds = median(each.seconds for each in said)
        assert abs(math.log(seconds / kind.seconds)) < 0.1


def test_nobody_can_tell_a_picture_without_clarity():
    crowd = [Annotator("noisy", seed=f"{n}", choices=CHOICES) for n in range(3000)]

    said = Counter(person.judge(Truth(answer="yes", clarity=0.0)).answer for person in crowd)

    assert abs(said["yes"] - said["no"]) < 200
    assert said["cannot_tell"] > 200


def test_arrivals_keep_their_rate():
    moments = arrivals(2000, per_hour=100, seed=3)

    assert moments == sorted(moments)
    assert abs(moments[-1] / 3600 - 20) < 1.5


@pytest.mark.parametrize("text", ["", "careful=0", "careful=many", "perfect=3", "careful=-1"])
def test_a_crowd_that_cannot_be_is_refused(text):
    with pytest.raises(CommandError):
        read_mix(text)


def test_the_usual_crowd_can_be_written_down():
    assert read_mix(",".join(f"{name}={share}" for name, share in USUAL_MIX.items())) == USUAL_MIX


@given(
    st.lists(st.lists(st.floats(0, 1000), min_size=1, max_size=4), min_size=1, max_size=8),
    st.integers(1, 4),
)
def test_people_wake_in_the_order_of_simulated_time(waits, lanes):
    clock = VirtualClock(lanes=lanes)
    woken, most, awake = [], 0, 0

    async def life(pauses):
        nonlocal most, awake
        now = 0.0
        for pause in pauses:
            now = await clock.until(now + pause)
            awake += 1
            most = max(most, awake)
            woken.append(now)
            await asyncio.sleep(0)
            awake -= 1

    asyncio.run(clock.run([life(pauses) for pauses in waits]))

    assert len(woken) == sum(map(len, waits))
    assert most <= lanes
    if lanes == 1:
        assert woken == sorted(woken)


def test_a_clock_with_a_speed_keeps_it():
    clock = VirtualClock(lanes=1, speed=100.0)

    async def life():
        await clock.until(20.0)

    async def timed():
        began = asyncio.get_running_loop().time()
        await clock.run([life()])
        return asyncio.get_running_loop().time() - began

    assert 0.2 <= asyncio.run(timed()) < 2.0


def vote(item, rater, answer, *, at=1.0, quality="A", counted=True):
    return Vote(at=at, item=item, rater=rater, answer=answer, quality=quality, counted=counted)


def test_ties_are_half_right_and_what_nobody_answered_is_not_right():
    votes = [vote(0, "a", "yes"), vote(0, "b", "no"), vote(1, "a", "yes")]

    assert majority_right(ratings_of(votes, CHOICES), ["yes", "yes", "no"]) == pytest.approx(0.5)


def test_what_is_foretold_can_be_checked_by_hand():
    people = [
        Told(kind="careful", arrived=0.0, outcome="completed", sitting="a", ended=600),
        Told(kind="careful", arrived=0.0, outcome="completed", sitting="b", ended=1200),
        Told(kind="leaving", arrived=9.0, outcome="vanished", sitting="c", ended=99),
        Told(kind="careful", arrived=9.0),
    ]
    votes = [
        vote(0, "a", "yes", at=900), vote(0, "b", "yes", at=1800), vote(1, "a", "no", at=3600),
        vote(1, "b", "cannot_tell", at=3600), vote(0, "c", "yes", counted=False),
        vote(2, "a", "yes", at=3600, quality="C"),
    ]  # fmt: skip
    asked = Asked(truths=["yes", "no", "no"], answers=CHOICES, targets=[2, 2, 2])

    found = predict(votes, people, asked, Terms(reward=2.0, fee=0.25))

    assert found["people"] == {"arrived": 4, "completed": 2, "turned_away": 1, "vanished": 1}
    assert found["answers"] == {
        "wanted": 6, "counted": 5, "share": 5 / 6, "items_complete": 2, "items": 3,
    }  # fmt: skip
    assert found["cost"]["total"] == 5.0
    assert found["cost"]["per_usable_answer"] == 5.0 / 3
    assert found["cost"]["hourly_median"] == pytest.approx(9.0)  # 12 and 6 an hour
    assert found["unusable"]["by_reason"] == {
        "doubled": 1 / 6, "no_judgement": 1 / 6, "time_implausible": 1 / 6, "guessed": 0.0,
    }  # fmt: skip
    assert found["finish"]["hours_50"] == 1.0
    assert found["finish"]["hours_100"] is None
    assert found["finish"]["more_people"] == 1  # one answer is missing, people give 5/3 each
    assert found["labels_right"]["majority"] == pytest.approx(2 / 3)


def test_who_guesses_is_flagged_and_who_looks_is_not():
    truths = ["yes", "no"] * 20
    votes = [
        vote(item, f"careful {n}", truth) for n in range(4) for item, truth in enumerate(truths)
    ] + [vote(item, "spammer", "yes") for item in range(40)]
    people = [Told(kind="spamming", arrived=0, outcome="completed", sitting="spammer", ended=1)] + [
        Told(kind="careful", arrived=0, outcome="completed", sitting=f"careful {n}", ended=1)
        for n in range(4)
    ]

    asked = Asked(truths=truths, answers=CHOICES, targets=[5] * 40)
    found = predict(votes, people, asked, Terms(reward=1.0))

    assert found["flagged"] == {
        "careful": {"people": 4, "flagged": 0}, "spamming": {"people": 1, "flagged": 1},
    }  # fmt: skip
    assert found["unusable"]["by_reason"]["guessed"] == 40 / 200


def test_a_round_without_any_answer_foretells_nothing_and_does_not_fail():
    found = predict([], [], Asked(truths=["yes"], answers=CHOICES, targets=[1]), Terms(reward=1.0))

    assert found["elbow"] == {}
    assert found["agreement"]["alpha"] is None
    assert found["cost"]["per_usable_answer"] is None


@pytest.mark.django_db
def test_the_settings_of_a_round_are_taken_over(project):
    round_ = factories.make_round(
        project, state=RoundState.OPEN, n_tasks=5, redundancy=3, block_size=4
    )
    round_.tasks.filter(position=2).update(target=7)

    scene = scene_of(round_)

    assert (scene.n_items, scene.redundancy, scene.block_size) == (5, 3, 4)
    assert scene.targets == [3, 3, 7, 3, 3]
    assert scene.wanted == 19
    assert scene.clusters == [0, 1, 2, 3, 0]
    assert scene.n_practice == 3


@pytest.mark.django_db
def test_a_round_that_asks_nothing_yet_cannot_be_rehearsed(project):
    empty = factories.make_round(project, n_tasks=0)

    with pytest.raises(CommandError, match="no queries and no budget"):
        scene_of(empty)


@pytest.mark.parametrize("wrong", [{"n_items": 0}, {"n_items": 3, "share_yes": 1.5}])
def test_a_scene_that_cannot_be_played_is_refused(wrong):
    with pytest.raises(CommandError):
        Scene(**wrong)


@pytest.mark.slow
def test_a_crowd_plays_a_round_to_its_end(tmp_path):
    report = tmp_path / "rehearsal.json"
    done = subprocess.run(
        [sys.executable, "manage.py", "rehearse", "--items=16", "--redundancy=2", "--block=8",
         "--gold=1", "--checks=1", "--repeats=1", "--pass-mark=1", "--annotators=10",
         "--crowd=careful=3,spamming=2,leaving=2,reloading=1,two_tabs=2", f"--json={report}"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert set(found["server"]["faults"].values()) == {0}
    assert found["server"]["acknowledged"] == found["server"]["stored"] > 20
    assert found["people"]["arrived"] == 10
    assert found["people"]["completed"] >= 1
    assert found["cost"]["total"] > 0
    assert len(found["curve"]) > 3
    assert "Krippendorff's alpha" in done.stdout
