"""Snapshots: what they say, when one is due, and that they are only ever added."""

import numpy as np
import pytest

from annotation_site.annotation.models import RoundState
from annotation_site.live import chores, claims, services, storage
from annotation_site.live.models import LiveSpace, Snapshot
from annotation_site.live.stopping import suggest
from annotation_site.quality import ledger
from annotation_site.web.refusals import Refused
from engine.labeling.spreading import SpreadingConfig, spread_masses
from tests.site import factories
from tests.site.quality import crowds

pytestmark = pytest.mark.django_db


def snapshot_of(round_):
    """Take a snapshot where there is something new."""
    taken = services.take_snapshot(round=round_)
    assert taken is not None
    return taken


def test_a_snapshot_is_what_spreading_the_posteriors_gives(round_):
    found = snapshot_of(round_)

    space = storage.open_space(round_.live_space)
    known = services.known_from(services.heard_of(round_, space.stored), space.stored)
    answered = known.yes + known.no > 0
    plain = spread_masses(
        space.graph,
        np.where(answered, known.posterior, 0.0),
        np.where(answered, 1 - known.posterior, 0.0),
        SpreadingConfig(k=3),
    )
    assert found.number == 1
    assert found.n_images == round_.project.dataset.images.filter(split="train").count() == 24
    assert found.n_asked == 6
    assert found.n_core == int((plain.scores >= 0.5).sum())
    assert services.unpacked(found.sides, 24).tolist() == (plain.scores >= 0.5).tolist()
    assert sum(line["chosen"] for line in found.classes) == found.n_subset == 5
    assert found.jaccard is None
    # ana, ben, cy: yes yes no no; dot always yes. The third image: one of four says yes
    assert known.yes[:6].tolist() == [4, 4, 1, 1, 3, 1]
    assert known.no[:6].tolist() == [0, 0, 3, 3, 1, 2]


def test_the_worthiest_are_the_round_s_queries_by_influence_and_chance(round_):
    found = snapshot_of(round_)

    tasks = set(round_.tasks.values_list("pk", flat=True))
    worths = [each["worth"] for each in found.worthiest]
    assert {each["task"] for each in found.worthiest} == tasks
    assert worths == sorted(worths, reverse=True)
    # one more label on 1:2 may bring a tie, on 4:0 it cannot
    contested = next(e for e in found.worthiest if (e["yes"], e["no"]) == (1, 2))
    settled = next(e for e in found.worthiest if (e["yes"], e["no"]) == (4, 0))
    assert contested["flip_chance"] == pytest.approx(1.5 / 4)
    assert settled["flip_chance"] == settled["worth"] == 0


def test_nothing_new_is_no_snapshot(round_):
    first = snapshot_of(round_)

    assert services.take_snapshot(round=round_) is None
    assert list(Snapshot.objects.all()) == [first]


def test_an_answer_or_an_exclusion_makes_a_next_one_and_changes_are_counted(round_, mira):
    first = snapshot_of(round_)
    for row, name in enumerate(("eve", "flo", "gus", "hal", "ida")):
        crowds.say(crowds.make_person(round_, name), round_.tasks.first(), "no", position=row)
    second = snapshot_of(round_)
    dot = round_.sittings.filter(annotator__key_hash__endswith="-dot").get()
    ledger.exclude(round=round_, by=mira, reason="a try", sittings={dot.pk: {}})
    third = snapshot_of(round_)

    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert second.n_answers == first.n_answers + 5
    before, after = (services.unpacked(each.sides, 24) for each in (first, second))
    assert second.n_changed == int((before != after).sum()) == services.changed_since(first, second)
    assert second.jaccard is not None
    assert 0 <= second.jaccard <= 1
    assert third.n_answers == second.n_answers
    assert third.ledger == 1


def test_earlier_rounds_answers_count_and_later_ones_do_not(round_, project):
    later = crowds.small_crowd(project)[0]
    space = storage.open_space(round_.live_space).stored
    second = factories.make_round(
        project, state=RoundState.OPEN, n_tasks=3, redundancy=9, first_row=8
    )
    crowds.answer_all(second, {"zoe": ["yes", "no", "yes"]})

    assert services.known_from(services.heard_of(round_, space), space).yes[8:11].sum() == 0
    known = services.known_from(services.heard_of(second, space), space)
    assert known.yes[8:11].tolist() == [1, 0, 1]
    assert known.yes[:6].sum() > 0, "the rounds before"
    assert set(known.asked) == set(second.tasks.values_list("pk", flat=True))
    assert later.number == 2


def test_a_round_without_space_says_so(open_round):
    with pytest.raises(Refused, match="not kept"):
        services.take_snapshot(round=open_round)


def test_a_lost_file_says_so(round_, settings):
    (settings.MEDIA_ROOT / round_.live_space.path).unlink()

    with pytest.raises(Refused, match="gone"):
        services.take_snapshot(round=round_)


def test_a_file_is_never_half_written(round_, settings, monkeypatch):
    path = settings.MEDIA_ROOT / round_.live_space.path
    before = path.read_bytes()

    def fail(*_args, **_columns):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="space"):
        storage.write_space(storage.open_space(round_.live_space).stored, round_.public_id)

    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_batch_of_answers_asks_a_worker_once(round_, monkeypatch):
    sent: list[object] = []
    monkeypatch.setattr(chores, "import_string", lambda _name: FakeTask(sent))

    assert chores.batch_size(round_) == 10
    assert chores.send_due() == 1
    assert chores.send_due() == 0, "somebody is at it"
    services.take_snapshot(round=round_)
    claims.unclaim(round=round_)
    assert chores.send_due() == 0, "nothing new"
    for number in range(10):
        crowds.say(crowds.make_person(round_, f"p{number}"), round_.tasks.first(), "no")
    assert chores.send_due() == 1
    assert sent == [round_.pk, round_.pk]


def test_rounds_that_are_not_open_ask_nobody(round_, monkeypatch):
    monkeypatch.setattr(chores, "import_string", lambda _name: FakeTask([]))
    round_.state = RoundState.CLOSED
    round_.save()

    assert chores.send_due() == 0


class FakeTask:
    """Takes down for which rounds a task was sent."""

    def __init__(self, sent):
        self.sent = sent

    def enqueue(self, round_id):
        self.sent.append(round_id)


def snapshot(number, *, changed=0, jaccard=1.0, uncertainty=0.4):
    return Snapshot(
        number=number, n_images=1000, n_changed=changed, jaccard=jaccard, uncertainty=uncertainty
    )


def test_stopping_is_suggested_only_when_all_three_are_flat():
    flat = [snapshot(n) for n in range(1, 6)]
    assert suggest(flat).is_made
    assert "Nothing stops by itself" in suggest(flat).words

    for name, moved in (
        ("scores", [*flat[:3], snapshot(4, changed=6), flat[4]]),
        ("the subset", [*flat[:3], snapshot(4, jaccard=0.97), flat[4]]),
        ("uncertainty", [*flat[:4], snapshot(5, uncertainty=0.38)]),
    ):
        found = suggest(moved)
        assert not found.is_made
        assert found.words == f"Answers still move things: {name}."
        assert [sign.name.lower() for sign in found.signs if not sign.is_flat] == [name]


def test_it_is_too_early_before_four_snapshots_and_after_new_images():
    assert suggest([]).signs == ()
    assert "Too early" in suggest([snapshot(n) for n in range(3)]).words
    other = snapshot(4)
    other.n_images = 999
    assert not suggest([*(snapshot(n) for n in range(1, 4)), other]).is_made


def test_the_space_is_one_for_a_round(round_):
    from tests.site.live.conftest import keep_space

    keep_space(round_, k=2)

    assert LiveSpace.objects.get(round=round_).spreading["k"] == 2
