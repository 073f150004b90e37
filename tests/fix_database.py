"""Databases for tests: fresh and migrated for each, on real servers.

`database` is the URL of one on embedded PostgreSQL; where KEYWATT_TEST_TIMESCALE_URL
names a TimescaleDB server, on that, and so runs the whole suite there.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from psycopg import sql

from storage.database import connect
from storage.embedded import embedded_postgres
from storage.migrate import migrate

TIMESCALE_URL = os.environ.get("KEYWATT_TEST_TIMESCALE_URL")


def url_of(server_url: str, name: str) -> str:
    """URL of another database on the same server."""
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


@contextmanager
def new_database(server_url: str, template: str | None = None) -> Iterator[str]:
    """Make an empty database, or a copy of another, for the length of the block."""
    name = sql.Identifier(f"keywatt_{uuid4().hex[:12]}")
    create = sql.SQL("CREATE DATABASE {}").format(name)
    if template is not None:
        create += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with connect(server_url, autocommit=True) as conn:
        conn.execute(create)
    try:
        yield url_of(server_url, name._obj[0])
    finally:
        with connect(server_url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of the session's own embedded server: careless of power cuts, so fast."""
    folder = Path(tempfile.mkdtemp(prefix="keywatt-test-"))
    try:
        with embedded_postgres(folder / "postgres") as url:
            with connect(url, autocommit=True) as conn:
                for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                    conn.execute(
                        sql.SQL("ALTER SYSTEM SET {} = off").format(
                            sql.Identifier(setting)
                        )
                    )
                conn.execute("SELECT pg_reload_conf()")
            yield url
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def migrated_template(postgres: str) -> Iterator[str]:
    """Name of a migrated database from which each test's own is cloned."""
    with new_database(postgres) as url:
        with connect(url) as conn:
            migrate(conn)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def plain_database(postgres: str, migrated_template: str) -> Iterator[str]:
    """URL of a fresh migrated database on the embedded server."""
    with new_database(postgres, migrated_template) as url:
        yield url


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    """URL of a fresh database on the embedded server, not migrated."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a fresh migrated database."""
    if TIMESCALE_URL is None:
        yield request.getfixturevalue("plain_database")
        return
    with new_database(TIMESCALE_URL) as url:
        with connect(url) as conn:
            migrate(conn)
        yield url
