"""Whatever annotators, leases and the lead do, in any order, the invariants hold.

Those of a sitting: places and votes within the target, nobody asked twice, one id one response and
one reply, no answer without a task that was shown to the same person, a block as promised, reading
changes nothing, and counters that equal a recount.
"""

import json
from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.core.signing import get_cookie_signer
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
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

from annotation_site.annotation import identity, services
from annotation_site.annotation.errors import AnnotationError, UnknownTask
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
from annotation_site.annotation.remarks import ReportKind
from annotation_site.annotation.timing import Timing
from annotation_site.projects.models import Dataset, Image, Project
from tests.site import factories

TIMING = Timing(shown_to_answer_ms=900.0, overlay={})
SITTING_PAGES = (
    "practice", "practice_answer", "practice_repeat", "practice_finish", "task", "answer", "undo",
    "serve", "ahead", "withdraw", "resume", "report", "questions", "questions_answer", "done",
)  # fmt: skip
ROUND_PAGES = ("consent", "start", "decline")
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
        self.replies: dict[UUID, tuple[int, bytes]] = {}
        self.given: dict[UUID, tuple[Sitting, UUID, AnswerChoice, tuple[object, ...]]] = {}

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize(
        n_tasks=st.integers(1, 5),
        wanted=st.integers(1, 2),
        block=st.integers(0, 3),
        extras=st.tuples(*[st.integers(0, 2)] * 3),
        pass_mark=st.integers(0, 1),
        ends=st.sampled_from([[], ["sus"]]),
    )
    def open_a_round(self, n_tasks, wanted, block, extras, pass_mark, ends):
        lead = factories.make_user("lead")
        project = Project.objects.create(name="p", created_by=lead)
        dataset = Dataset.objects.create(project=project, name="d", class_names=["a", "b"])
        images = Image.objects.bulk_create(
            Image(dataset=dataset, row=row, image_id=str(row), label=0, split="train")
            for row in range(n_tasks + 5)
        )
        self.round = Round.objects.create(
            project=project, number=1, state=RoundState.OPEN, question="?",
            block_size=block, redundancy=wanted, created_by=lead, n_gold=extras[0],
            n_repeats=extras[1], n_checks=extras[2], pass_mark=pass_mark, end_questions=ends,
        )  # fmt: skip
        Task.objects.bulk_create(
            Task(round=self.round, image=image, position=image.row, target=wanted)
            for image in images[:n_tasks]
        )
        Task.objects.bulk_create(
            Task(
                round=self.round, image=image, position=0, target=0, expected="no",
                role="gold" if image.row % 2 else "check",
            )
            for image in images[n_tasks:-1]
        )  # fmt: skip
        PracticeItem.objects.create(round=self.round, image=images[-1], position=0, answer="yes")

    def sitting_of(self, person):
        key_hash = identity.hash_of(str(person))
        return Sitting.objects.filter(annotator__key_hash=key_hash).first()

    def browser_of(self, person):
        client = Client()
        signer = get_cookie_signer(salt=identity.COOKIE + identity.COOKIE_SALT)
        client.cookies[identity.COOKIE] = signer.sign(str(person))
        return client

    def attempt(self, verb, **arguments):
        """A verb may refuse; then it must have changed nothing, which the invariants see."""
        try:
            return verb(**arguments)
        except AnnotationError:
            return None

    @rule(person=people)
    def arrive(self, person):
        sitting = self.attempt(
            services.start_sitting,
            round=self.round,
            key_hash=identity.hash_of(str(person)),
            now=self.now,
        )
        if sitting is not None and sitting.pk not in self.promised:
            self.promised[sitting.pk] = sitting.n_promised
            assert sitting.assignments.count() == sitting.n_promised

    @rule(person=people, well=st.booleans() | st.just(True))
    def practise(self, person, well):
        sitting = self.sitting_of(person)
        if sitting:
            answer = AnswerChoice.YES if well else AnswerChoice.NO
            services.answer_practice(sitting=sitting, position=0, answer=answer)
            self.attempt(services.finish_practice, sitting=sitting, now=self.now)

    @rule(person=people)
    def repeat_practice(self, person):
        if sitting := self.sitting_of(person):
            services.repeat_practice(sitting=sitting)

    @rule(person=people, which=st.integers(0, 4), kind=st.sampled_from(list(ReportKind)))
    def report(self, person, which, kind):
        sitting = self.sitting_of(person)
        assignment = sitting and sitting.assignments.filter(position=which).last()
        if assignment:
            services.report(
                sitting=sitting, assignment_id=assignment.public_id, kind=kind, now=self.now
            )

    @rule(which=st.integers(0, 5), back=st.booleans())
    def retire_or_reinstate(self, which, back):
        task = self.round.tasks.order_by("pk")[which : which + 1].first()
        if task and back:
            services.reinstate(task=task)
        elif task:
            services.retire(round=self.round, task=task, now=self.now)

    @rule(person=people)
    def top_up(self, person):
        if sitting := self.sitting_of(person):
            services.top_up(round=self.round, sittings=[sitting.pk], now=self.now)
            assert services.top_up(round=self.round, sittings=[sitting.pk], now=self.now) == 0

    @rule(person=people)
    def say_the_last_words(self, person):
        if sitting := self.sitting_of(person):
            services.finish_questions(sitting=sitting, said={"sus_1": "4"}, now=self.now)

    @rule(admitting=st.booleans())
    def admit(self, admitting):
        self.attempt(services.admit, round=self.round, admitting=admitting)

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

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def send_again_from_a_tab(self, data):
        """Over HTTP the same id gets the same reply, to the letter, whatever has happened since."""
        client_uuid = data.draw(st.sampled_from(sorted(self.given)))
        sitting, assignment_id, answer, _ = self.given[client_uuid]
        [person] = [n for n in range(4) if self.sitting_of(n) == sitting]
        reply = self.browser_of(person).post(
            reverse("annotation:answer", args=[sitting.public_id]),
            json.dumps(
                {
                    "assignment": str(assignment_id),
                    "answer": str(answer),
                    "client_uuid": str(client_uuid),
                }
            ),
            content_type="application/json",
        )
        said = (reply.status_code, reply.content)
        assert self.replies.setdefault(client_uuid, said) == said
        assert json.loads(reply.content)["client_uuid"] == str(client_uuid)

    @rule(person=people, other=people, answer=answers)
    def answer_for_somebody_else(self, person, other, answer):
        mine, theirs = self.sitting_of(person), self.sitting_of(other)
        assignment = theirs and theirs.assignments.first()
        if mine and assignment and mine != theirs:
            with pytest.raises(UnknownTask):
                services.record_answer(
                    sitting=mine,
                    assignment_id=assignment.public_id,
                    answer=answer,
                    client_uuid=uuid4(),
                    timing=TIMING,
                    now=self.now,
                )

    @rule(
        person=people,
        page=st.sampled_from((*SITTING_PAGES, *ROUND_PAGES)),
        method=st.sampled_from(("get", "head", "options")),
        query=st.sampled_from(({}, {"plain": ""}, {"item": "0"}, {"after": "1"})),
    )
    def look(self, person, page, method, query):
        """Link scanners, prefetching and curious people change nothing, whatever they open."""
        sitting = self.sitting_of(person)
        name = self.round.link_token if page in ROUND_PAGES else sitting and sitting.public_id
        if name:
            before = everything()
            ask = getattr(self.browser_of(person), method)
            reply = ask(reverse(f"annotation:{page}", args=[name]), query)
            assert reply.status_code < 500
            assert everything() == before

    @rule(person=people)
    def expire_at_the_panels_word(self, person):
        if sitting := self.sitting_of(person):
            services.expire(sitting=sitting)

    @rule(which=st.integers(0, 9))
    def ask_more_people(self, which):
        task = self.round.tasks.order_by("pk")[which : which + 1].first()
        if task:
            self.attempt(services.raise_target, round=self.round, task=task)

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
        for task in Task.objects.asked():
            assert task.reserved <= task.target
            assert votes[task.pk] <= task.target

    @invariant()
    def nobody_has_an_item_twice(self):
        pairs = Assignment.objects.values_list("sitting__annotator_id", "task_id")
        assert len(pairs) == len(set(pairs))
        asked = Assignment.objects.exclude(task__role="repeat")
        seen = asked.values_list("sitting__annotator_id", "task__image_id")
        assert len(seen) == len(set(seen))

    @invariant()
    def one_id_is_one_response(self):
        assert Response.objects.count() == len(self.given)

    @invariant()
    def every_answer_was_shown_to_who_gave_it(self):
        assert not Response.objects.filter(assignment__served_at=None).exists()

    @invariant()
    def a_block_is_what_was_promised(self):
        for sitting in Sitting.objects.all():
            assert sitting.assignments.exclude(state="void").count() == sitting.n_promised
            assert sitting.n_promised <= self.promised[sitting.pk]

    @invariant()
    def counters_equal_a_recount(self):
        assert not Task.objects.miscounted().exists()
        assert services.recount() == []

    @invariant()
    def the_state_says_what_is_left(self):
        for sitting in Sitting.objects.all():
            waiting = sitting.assignments.waiting().exists()
            if sitting.state in {"completed", "asking", "expired", "withdrawn", "screened_out"}:
                assert not waiting

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


def everything():
    """Give every row of every table that people's work may change."""
    labels = ("annotation", "sessions", "projects", "accounts")
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for label in labels
        for model in apps.get_app_config(label).get_models()
    }


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
    play(25)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db
def test_any_order_of_events_keeps_the_invariants_on_postgres():
    assert connection.vendor == "postgresql"
    play(25)


def play(n_examples):
    run_state_machine_as_test(
        Sittings,
        settings=settings(
            max_examples=n_examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
