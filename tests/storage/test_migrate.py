"""Migrations: complete, repeatable, the same shape on every server."""

from storage.database import connect
from storage.migrate import migrate, pending


def test_migrating_twice_changes_nothing(empty_database: str) -> None:
    with connect(empty_database) as conn:
        waiting = pending(conn)
        conn.rollback()
        assert migrate(conn) == waiting
        assert waiting[-1] == "procrastinate/schema.sql"
        assert migrate(conn) == []
        assert pending(conn) == []


def test_the_fixture_is_migrated(database: str) -> None:
    with connect(database) as conn:
        assert pending(conn) == []
