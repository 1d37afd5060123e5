from collections.abc import Iterator
from typing import Any, cast

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from annotation_site.projects.models import Project
from annotation_site.web.postgres.base import is_open

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _anew(transactional_db: None) -> Iterator[None]:
    """Leave no ended connection to what cleans up."""
    yield
    connection.close()


def end_from_elsewhere() -> None:
    """Let the server end this process's connection, as at its restart."""
    connection.ensure_connection()
    here = connection.connection.info
    with psycopg.connect(
        host=here.host, port=here.port, user=here.user, dbname=here.dbname
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [here.backend_pid])


def test_the_site_uses_it():
    assert settings.DATABASES["default"]["ENGINE"] == "annotation_site.web.postgres"
    assert connection.vendor == "postgresql"
    assert settings.DATABASES["default"]["CONN_HEALTH_CHECKS"]


def test_a_kept_connection_is_open():
    connection.ensure_connection()

    assert is_open(connection.connection)


def test_a_connection_that_the_server_ended_is_not():
    end_from_elsewhere()

    assert not is_open(connection.connection)


def begin_a_request() -> Any:
    """Let the next question look at the connection first, as after `request_started`."""
    here = cast(Any, connection)
    here.health_check_enabled, here.health_check_done = True, False
    return here


def test_the_next_request_gets_a_new_connection():
    end_from_elsewhere()
    begin_a_request()

    assert Project.objects.count() == 0


def test_looking_asks_the_server_nothing(django_assert_num_queries: DjangoAssertNumQueries):
    connection.ensure_connection()
    here = begin_a_request()

    with django_assert_num_queries(0):
        here.close_if_health_check_failed()

    assert here.health_check_done
