"""What the site refuses to be deployed with."""

import pytest
from django.core.checks import run_checks

from annotation_site import settings as module
from annotation_site.web.checks import check_hosts, check_secret_key


def test_the_key_of_the_source_code_is_refused(settings):
    settings.SECRET_KEY = module.DEVELOPMENT_KEY
    settings.DEVELOPMENT_KEY = module.DEVELOPMENT_KEY

    assert [problem.id for problem in check_secret_key()] == ["gazecheck.E001"]


def test_a_short_key_is_refused(settings):
    settings.SECRET_KEY = "k" * 10

    assert [problem.id for problem in check_secret_key()] == ["gazecheck.E002"]


def test_a_long_key_of_ones_own_passes(settings):
    settings.SECRET_KEY = "k" * 50

    assert check_secret_key() == []


def test_any_host_is_refused(settings):
    settings.ALLOWED_HOSTS = ["*"]

    assert [problem.id for problem in check_hosts()] == ["gazecheck.E003"]


@pytest.mark.parametrize(("host", "problems"), [("example.org", 1), ("localhost", 0)])
def test_debug_is_refused_on_a_host_that_others_reach(settings, host, problems):
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = [host]

    assert len(check_hosts()) == problems


def test_the_checks_are_run_for_deployment_only(settings):
    settings.SECRET_KEY = "k" * 10

    ours = [p.id for p in run_checks(include_deployment_checks=True) if p.id == "gazecheck.E002"]
    plain = [p.id for p in run_checks() if p.id == "gazecheck.E002"]

    assert ours == ["gazecheck.E002"]
    assert plain == []
