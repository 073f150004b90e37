"""TimescaleDB for storage tests: the server that KEYWATT_TEST_TIMESCALE_URL names, or a
build in WebAssembly.

The latter is one session shared by all connections, without COPY FROM STDIN, without
background workers and without CREATE DATABASE: each test cleans it instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from psycopg import sql

from benchmarks.servers import can_run_timescale, timescale_in_node
from storage.database import connect
from storage.migrate import FOLDER, migrate
from tests.fix_database import TIMESCALE_URL, new_database
from tests.support import missing


@dataclass(frozen=True)
class Store:
    """A fresh migrated database, and what its server can do."""

    url: str
    copy: bool = True
    """Whether it has COPY FROM STDIN."""


@pytest.fixture(scope="session")
def timescale_in_webassembly() -> Iterator[str]:
    if not can_run_timescale():
        missing("TimescaleDB in WebAssembly: apt-get install nodejs npm; make test")
    with timescale_in_node() as url:
        with connect(url) as conn:
            migrate(conn)
        yield url


@pytest.fixture
def timescale(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A fresh migrated database with TimescaleDB."""
    if TIMESCALE_URL is None:
        url = request.getfixturevalue("timescale_in_webassembly")
        clean(url)
        yield Store(url, copy=False)
        return
    with new_database(TIMESCALE_URL) as url:
        with connect(url) as conn:
            migrate(conn)
        yield Store(url)


@pytest.fixture(params=["plain", "timescale"])
def store(request: pytest.FixtureRequest) -> Store:
    """A fresh migrated database: the test runs once on either kind of server."""
    if request.param == "plain":
        return Store(request.getfixturevalue("plain_database"))
    return request.getfixturevalue("timescale")


def clean(url: str) -> None:
    """Empty every table; the hourly sums, which remember their reach, are made anew."""
    with connect(url, autocommit=True) as conn:
        conn.execute("DEALLOCATE ALL")
        names = conn.execute(
            "SELECT relname FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            "   AND relname NOT IN ('schema_migration', 'retention')"
        ).fetchall()
        tables = sql.SQL(", ").join(sql.Identifier(name) for (name,) in names)
        conn.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))
        conn.execute((FOLDER / "0025_exact_hours.timescale.sql").read_bytes())
        # Its policies are made anew where something is kept otherwise.
        conn.execute("UPDATE retention SET keep = '1 day'")
        conn.execute("SELECT set_retention('13 months', '10 years', '13 months')")
