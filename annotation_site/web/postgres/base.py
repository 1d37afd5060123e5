"""The connection: Django looks in this module, under this name, for what a database backend is."""

import select

import psycopg
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but a kept connection is looked at instead of being asked `SELECT 1`.

    The question costs a message to the server before every request that reads anything. A server that stops, or ends the connection, closes the socket, which can
    be seen here without a message; one that vanished from the network cannot be told from a slow
    one by either.
    """

    health_check_enabled: bool  # Django's own, which its types leave out
    health_check_done: bool

    def close_if_health_check_failed(self) -> None:
        """Close a connection that the server has closed, once in a request."""
        if self.connection is None or not self.health_check_enabled or self.health_check_done:
            return
        if not is_open(self.connection):
            self.close()
        self.health_check_done = True


def is_open(connection: "psycopg.Connection[object]") -> bool:
    """Say whether the server still holds its end of an idle connection."""
    pgconn = connection.pgconn
    if connection.closed or pgconn.status != psycopg.pq.ConnStatus.OK:
        return False
    watch = select.poll()
    watch.register(pgconn.socket, select.POLLIN)
    try:
        while watch.poll(0):  # last words may come before the end
            pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return bool(pgconn.status == psycopg.pq.ConnStatus.OK)
