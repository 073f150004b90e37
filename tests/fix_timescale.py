"""TimescaleDB for storage tests: the server that KEYWATT_TEST_TIMESCALE_URL names, or a
build in WebAssembly.

The latter is one session shared by all connections, without COPY FROM STDIN, without
background workers and without CREATE DATABASE: each test cleans it instead.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import pytest
from psycopg import sql

from storage.database import connect
from storage.migrate import FOLDER, migrate
from tests.fix_database import TIMESCALE_URL, new_database
from tests.support import missing

HERE = Path(__file__).parent / "timescale"


@dataclass(frozen=True)
class Store:
    """A fresh migrated database, and what its server can do."""

    url: str
    copy: bool = True
    """Whether it has COPY FROM STDIN."""


@pytest.fixture(scope="session")
def timescale_in_webassembly() -> Iterator[str]:
    if not which("node") or not (HERE / "node_modules").is_dir():
        missing("TimescaleDB in WebAssembly: apt-get install nodejs npm; make test")
    with tempfile.TemporaryDirectory(prefix="keywatt-") as folder:
        server = subprocess.Popen(
            ["node", HERE / "server.mjs", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with server:
            assert server.stdout
            assert server.stdin
            assert server.stdout.readline() == b"ready\n"
            url = f"postgresql://postgres:any@/postgres?host={folder}&sslmode=disable"
            with connect(url) as conn:
                migrate(conn)
            yield url
            server.stdin.close()
            server.wait(10)


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
            "   AND relname <> 'schema_migration'"
        ).fetchall()
        tables = sql.SQL(", ").join(sql.Identifier(name) for (name,) in names)
        conn.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))
        conn.execute("DROP MATERIALIZED VIEW load_hourly")
        conn.execute((FOLDER / "0005_rollups.timescale.sql").read_bytes())
