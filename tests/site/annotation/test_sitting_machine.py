"""Whatever annotators, leases and the lead do, in any order, the invariants hold."""

from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from annotation_site.annotation import services
from annotation_site.annotation.errors import AnnotationError
from annotation_site.annotation.models import (
    AnswerChoice,
    Assignment,
    PracticeItem,
    Response,
    Round,
    RoundState,
    Sitting,
    Task,
)
from annotation_site.annotation.timing import Timing
from annotation_site.projects.models import Dataset, Image, Project
from tests.site import factories

TIMING = Timing(shown_to_answer_ms=900.0, overlay={})
people = st.integers(0, 3)
answers = st.sampled_from(list(AnswerChoice))


class Sittings(RuleBasedStateMachine):
    """Four people in a small round; every verb at any time, and time itself."""

    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = timezone.now()
        self.promised: dict[int, int] = {}
        self.given: dict[UUID, tuple[Sitting, UUID, AnswerChoice, tuple[object, ...]]] = {}

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize(n_tasks=st.integers(1, 5), wanted=st.integers(1, 2), block=st.integers(0, 3))
    def open_a_round(self, n_tasks, wanted, block):
        lead = factories.make_user("lead")
        project = Project.objects.create(name="p", created_by=lead)
        dataset = Dataset.objects.create(project=project, name="d", class_names=["a", "b"])
        images = Image.objects.bulk_create(
            Image(dataset=dataset, row=row, image_id=str(row), label=0, split="train")
            for row in range(n_tasks + 1)
        )
        self.round = Round.objects.create(
            project=project, number=1, state=RoundState.OPEN, question="?",
            block_size=block, redundancy=wanted, created_by=lead,
        )  # fmt: skip
        Task.objects.bulk_create(
            Task(round=self.round, image=image, position=image.row, target=wanted)
            for image in images[:-1]
        )
        PracticeItem.objects.create(round=self.round, image=images[-1], position=0, answer="yes")

    def sitting_of(self, person):
        return Sitting.objects.filter(annotator__key_hash=str(person)).first()

    def attempt(self, verb, **arguments):
        """A verb may refuse; then it must have changed nothing, which the invariants see."""
        try:
            return verb(**arguments)
        except AnnotationError:
            return None

    @rule(person=people)
    def arrive(self, person):
        sitting = self.attempt(
            services.start_sitting, round=self.round, key_hash=str(person), now=self.now
        )
        if sitting is not None:
            self.promised.setdefault(sitting.pk, sitting.assignments.count())

    @rule(person=people)
    def practise(self, person):
        sitting = self.sitting_of(person)
        if sitting:
            services.answer_practice(sitting=sitting, position=0, answer=AnswerChoice.YES)
            services.finish_practice(sitting=sitting, now=self.now)

    @rule(person=people, answer=answers, which=st.integers(0, 4))
    def answer(self, person, answer, which):
        """Answer any task of the block: waiting, answered, released, or never shown."""
        sitting = self.sitting_of(person)
        assignment = sitting and sitting.assignments.filter(position=which).first()
        if assignment:
            self.send(sitting, assignment.public_id, answer, uuid4())

    @rule(person=people, answer=answers)
    def answer_what_is_shown(self, person, answer):
        sitting = self.sitting_of(person)
        assignment = sitting and sitting.assignments.waiting().first()
        if assignment:
            self.send(sitting, assignment.public_id, answer, uuid4())

    def send(self, sitting, assignment_id, answer, client_uuid):
        response = self.attempt(
            services.record_answer,
            sitting=sitting,
            assignment_id=assignment_id,
            answer=answer,
            client_uuid=client_uuid,
            timing=TIMING,
            now=self.now,
        )
        if response is not None:
            self.given[client_uuid] = (sitting, assignment_id, answer, facts(response))

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def send_again(self, data):
        client_uuid = data.draw(st.sampled_from(sorted(self.given)))
        sitting, assignment_id, answer, before = self.given[client_uuid]
        response = services.record_answer(
            sitting=sitting,
            assignment_id=assignment_id,
            answer=answer,
            client_uuid=client_uuid,
            timing=TIMING,
            now=self.now,
        )
        assert facts(response) == before

    @rule(person=people)
    def undo(self, person):
        sitting = self.sitting_of(person)
        if sitting:
            self.attempt(services.undo, sitting=sitting, now=self.now)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def undo_by_name(self, data):
        client_uuid = data.draw(st.sampled_from(sorted(self.given)))
        sitting = self.given[client_uuid][0]
        self.attempt(services.undo, sitting=sitting, client_uuid=client_uuid, now=self.now)

    @rule(person=people)
    def withdraw(self, person):
        if sitting := self.sitting_of(person):
            services.withdraw(sitting=sitting)

    @rule(person=people)
    def resume(self, person):
        if sitting := self.sitting_of(person):
            self.attempt(services.resume, sitting=sitting, now=self.now)

    @rule(person=people)
    def reload(self, person):
        sitting = self.sitting_of(person)
        assignment = sitting and sitting.assignments.waiting().first()
        if assignment:
            self.attempt(
                services.serve, sitting=sitting, assignment_id=assignment.public_id, now=self.now
            )

    @rule(minutes=st.integers(1, 60))
    def wait(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule()
    def release(self):
        services.release_expired(round=self.round, now=self.now)

    @rule()
    def close(self):
        self.attempt(services.begin_closing, round=self.round)

    @rule()
    def open_again(self):
        self.attempt(services.abort_closing, round=self.round)

    @invariant()
    def places_and_votes_never_exceed_the_target(self):
        votes = Counter(Response.objects.current().values_list("assignment__task_id", flat=True))
        for task in Task.objects.all():
            assert task.reserved <= task.target
            assert votes[task.pk] <= task.target

    @invariant()
    def nobody_has_an_item_twice(self):
        pairs = Assignment.objects.values_list("sitting__annotator_id", "task__image_id")
        assert len(pairs) == len(set(pairs))

    @invariant()
    def one_id_is_one_response(self):
        assert Response.objects.count() == len(self.given)

    @invariant()
    def every_answer_was_shown_to_who_gave_it(self):
        assert not Response.objects.filter(assignment__served_at=None).exists()

    @invariant()
    def a_block_is_what_was_promised(self):
        for sitting in Sitting.objects.all():
            assert sitting.assignments.count() == self.promised[sitting.pk]

    @invariant()
    def counters_equal_a_recount(self):
        assert not Task.objects.miscounted().exists()

    @invariant()
    def versions_count_from_one(self):
        per_assignment = Counter(Response.objects.values_list("assignment_id", flat=True))
        for assignment, count in per_assignment.items():
            versions = Response.objects.filter(assignment=assignment).order_by("version")
            assert list(versions.values_list("version", flat=True)) == list(range(1, count + 1))

    @invariant()
    def an_answered_place_has_exactly_one_vote(self):
        answered = Assignment.objects.filter(state="answered").count()
        assert Response.objects.current().count() == answered


def facts(response):
    return (
        response.pk,
        response.version,
        response.answer,
        response.late,
        response.surplus,
        response.elsewhere,
    )


@pytest.mark.slow
@pytest.mark.django_db
def test_any_order_of_events_keeps_the_invariants():
    run_state_machine_as_test(
        Sittings,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
