"""Databases for tests: fresh and migrated for each, on real servers.

`database` is the URL of one on embedded PostgreSQL; where KEYWATT_TEST_TIMESCALE_URL
names a TimescaleDB server, on that, and so runs the whole suite there.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from psycopg import sql

from benchmarks.servers import CARELESS, temporary_postgres
from storage.database import connect
from storage.migrate import migrate

_MEMORY, _ROOM = Path("/dev/shm"), 4_000_000_000
TIMESCALE_URL = os.environ.get("KEYWATT_TEST_TIMESCALE_URL")


@contextmanager
def new_database(server_url: str, template: str = "template0") -> Iterator[str]:
    """Make a copy of a database for the length of the block, and yield its URL.

    Nobody can be connected to template0; TimescaleDB's workers look into template1.
    """
    name = f"keywatt_{uuid4().hex[:12]}"
    # Copying files beats writing the pages to the log: fsync is off here.
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
    with connect(server_url, autocommit=True) as conn:
        conn.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        with connect(server_url, autocommit=True) as conn:
            conn.execute(drop.format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of the session's own embedded server."""
    with temporary_postgres(*CARELESS, parent=_in_memory()) as url:
        yield url


def _in_memory() -> Path | None:
    """Return a folder in memory, where there is one with room.

    A database is half a thousand files: to copy them for each test takes a second on a
    disk, and a thirtieth of one in memory.
    """
    if not (_MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)):
        return None
    return _MEMORY if shutil.disk_usage(_MEMORY).free > _ROOM else None


@pytest.fixture(scope="session")
def migrated_template(postgres: str) -> Iterator[str]:
    """Name of a migrated database from which each test's own is copied."""
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
