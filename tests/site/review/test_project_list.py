"""The list of projects."""

from django.urls import reverse

from annotation_site.annotation.models import RoundState
from annotation_site.jobs import services
from annotation_site.jobs.models import JobKind
from tests.site import factories, results

PAGE = reverse("projects:list")


def test_without_a_project_the_page_says_what_one_is(mira_browser):
    words = mira_browser.get(PAGE).content.decode()

    assert "No project yet" in words
    assert words.count("button--primary") == 1


def test_one_sees_ones_own_projects_alone(project, rob_browser, sam_browser, sam):
    factories.make_project(sam, name="Sam's own", n_images=4)

    assert "Birds and mammals" in rob_browser.get(PAGE).content.decode()
    words = sam_browser.get(PAGE).content.decode()
    assert "Birds and mammals" not in words
    assert "Sam&#x27;s own" in words


def test_the_list_says_where_each_project_stands(project, mira, mira_browser):
    factories.make_round(project, state=RoundState.OPEN)
    results.make_result(factories.make_project(mira, name="Closed", n_images=40))

    words = mira_browser.get(PAGE).content.decode()

    assert "0 of 12 answers" in words
    assert "worst group 40\N{NO-BREAK SPACE}% → 80\N{NO-BREAK SPACE}%" in words


def test_more_projects_take_no_more_queries(mira, mira_browser, django_assert_num_queries):
    for number in range(2):
        project = factories.make_project(mira, name=f"p{number}", n_images=20)
        factories.make_round(project, state=RoundState.OPEN, n_tasks=4)
        services.enqueue(project=project, kind=JobKind.REGISTER)
    with django_assert_num_queries(8) as few:
        mira_browser.get(PAGE)
    for number in range(2, 6):
        project = factories.make_project(mira, name=f"p{number}", n_images=20)
        factories.make_round(project, state=RoundState.OPEN, n_tasks=4)
        services.enqueue(project=project, kind=JobKind.REGISTER)

    with django_assert_num_queries(len(few)):
        mira_browser.get(PAGE)


def test_the_front_door_leads_to_the_list(client, mira_browser):
    assert mira_browser.get("/").url == PAGE
    assert client.get("/").url.startswith(reverse("accounts:sign_in"))
