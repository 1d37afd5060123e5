"""Every address against every token: members alone see, scopes hold, cookies count for nothing."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation_site.api.models import ApiToken, Scope
from annotation_site.exports.models import Export, ExportFile
from annotation_site.jobs.models import Job, JobKind, JobState
from annotation_site.projects.models import Membership
from tests.site import factories, results
from tests.site.api.conftest import ALL, Program, problem, program_of

READS = {
    "/projects/{project}": Scope.READ,
    "/projects/{project}/dataset": Scope.READ,
    "/projects/{project}/images": Scope.READ,
    "/projects/{project}/rounds": Scope.READ,
    "/projects/{project}/jobs": Scope.READ,
    "/images/{image}": Scope.READ,
    "/rounds/{round}": Scope.READ,
    "/rounds/{round}/items": Scope.READ,
    "/rounds/{round}/responses": Scope.ANSWERS,
    "/rounds/{round}/posteriors": Scope.READ,
    "/rounds/{round}/scores": Scope.READ,
    "/rounds/{round}/exports": Scope.READ,
    "/exports/{export}": Scope.READ,
    "/files/{file}": Scope.EXPORT,
    "/jobs/{job}": Scope.READ,
}
VERBS = ("/rounds/{round}/exports", "/jobs/{job}/cancel")


@pytest.fixture
def names(project):
    result = results.make_result(project)
    job = Job.objects.create(project=project, kind=JobKind.EXPORT, round=result.round)
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE)
    export = Export.objects.create(round=result.round, job=job)
    return {
        "project": project.public_id,
        "image": project.dataset.images.first().public_id,
        "round": result.round.public_id,
        "export": export.public_id,
        "file": result.files.get().public_id,
        "job": job.public_id,
    }


@pytest.mark.parametrize("address", READS)
def test_members_read_and_strangers_learn_nothing(
    address, names, mira_program, rob_program, sam_program
):
    address = address.format(**names)

    for program in (mira_program, rob_program):
        assert program.get(address).status_code == 200
    strange = problem(sam_program.get(address), 404)
    last = str(names[next(n for n in names if str(names[n]) in address)])
    absent = problem(sam_program.get(address.replace(last, last[::-1].replace("-", "0")[:16])), 404)
    assert strange["title"] == absent["title"]
    problem(Program().get(address), 401)


@pytest.mark.parametrize("address", VERBS)
def test_verbs_are_the_leads(address, names, rob_program, sam_program):
    address = address.format(**names)
    before = (Job.objects.count(), Export.objects.count())

    problem(rob_program.post(address), 403)
    problem(sam_program.post(address), 404)
    problem(Program().post(address), 401)

    assert (Job.objects.count(), Export.objects.count()) == before


@pytest.mark.parametrize("address", READS)
def test_each_scope_opens_its_doors_alone(address, names, mira):
    needed = READS[address]
    address = address.format(**names)

    assert program_of(mira, [needed]).get(address).status_code == 200
    others = program_of(mira, [scope for scope in ALL if scope != needed])
    assert needed in problem(others.get(address), 403)["detail"]


@pytest.mark.parametrize("address", VERBS)
def test_verbs_want_the_scope_of_exports(address, names, mira):
    program = program_of(mira, [Scope.READ, Scope.ANSWERS])

    problem(program.post(address.format(**names)), 403)


def test_lists_hold_what_the_token_may_see_alone(mira_program, sam_program, project):
    seen = [each["name"] for each in mira_program.get("/projects").json()["results"]]
    strange = [each["name"] for each in sam_program.get("/projects").json()["results"]]

    assert seen == [project.name]
    assert strange == ["Sam's own"]


def test_a_token_for_one_project_sees_that_one_alone(mira, project, names):
    other = factories.make_project(mira, name="Another", n_images=2)
    program = program_of(mira, project=other)

    assert [each["id"] for each in program.get("/projects").json()["results"]] == [other.public_id]
    for address in READS:
        problem(program.get(address.format(**names)), 404)


def test_a_cookie_counts_for_nothing(mira_browser, names):
    for address in READS:
        assert mira_browser.get("/api/v1" + address.format(**names)).status_code == 401
    for address in VERBS:
        assert mira_browser.post("/api/v1" + address.format(**names)).status_code == 401
    assert not Export.objects.filter(created_by__isnull=False).exists()


def test_who_is_no_member_any_more_sees_nothing(rob, rob_program, project):
    assert rob_program.get(f"/projects/{project.public_id}").status_code == 200

    Membership.objects.filter(user=rob, project=project).delete()

    problem(rob_program.get(f"/projects/{project.public_id}"), 404)


@pytest.mark.parametrize(
    "change",
    [
        {"revoked_at": timezone.now()},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"token_hash": "0" * 64},
    ],
)
def test_a_dead_token_opens_nothing(change, mira_program):
    ApiToken.objects.update(**change)

    reply = mira_program.get("/projects")

    problem(reply, 401)
    assert reply["WWW-Authenticate"].startswith("Bearer")


def test_a_locked_out_person_has_no_living_token(mira, mira_program):
    mira.is_active = False
    mira.save(update_fields=["is_active"])

    problem(mira_program.get("/projects"), 401)


@pytest.mark.parametrize(
    "shown", ["Bearer", "Bearer x", "Bearer a b", "Bearer gzc__", "Bearer gzc_é_ü", "Basic eDp5"]
)
@pytest.mark.django_db
def test_nonsense_is_no_token(shown):
    assert Program().get("/projects", Authorization=shown).status_code == 401


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_reads_take_no_other_method(method, names, mira_program):
    found = {
        address: mira_program.ask(method, address.format(**names)).status_code
        for address in READS
        if not (method == "post" and address in VERBS)
    }

    assert set(found.values()) == {405}


def test_using_a_token_is_noted(mira_program):
    unused = mira_program.token
    assert unused.last_used_at is None

    mira_program.get("/projects")

    noted = mira_program.token.last_used_at
    assert noted is not None
    mira_program.get("/projects")
    assert mira_program.token.last_used_at == noted  # to the minute: no write for every request


def test_what_panels_call_people_is_nowhere(answered, mira_program):
    from tests.site.exports.conftest import CANARY

    reply = mira_program.get(f"/rounds/{answered.public_id}/responses")

    assert len(reply.json()["results"]) == 8
    for secret in (CANARY, "ana".rjust(64, "0"), answered.sittings.first().public_id):
        assert secret.encode() not in reply.content


def test_a_file_comes_whole_and_only_once(names, mira_program, mira):
    file = ExportFile.objects.get()
    reply = mira_program.get(f"/files/{file.public_id}")

    assert reply.whole == b"row,id\n0,picture_000.jpg\n"
    again = mira_program.get(f"/files/{file.public_id}", **{"If-None-Match": reply["ETag"]})
    assert again.status_code == 304
