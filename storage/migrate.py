"""Bring a database to the shape this version needs: numbered SQL files, each once.

A file `NNNN_name.sql` runs on every server; `NNNN_name.plain.sql` and
`NNNN_name.timescale.sql` are its two forms where TimescaleDB makes a difference. The
tables of procrastinate, which holds the background jobs, come from that library.

    MigrationError           the database and these files do not fit together
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from storage.database import DatabaseError

FOLDER = Path(__file__).parent / "migrations"
OLDEST_TIMESCALE = (2, 23)
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+(?:\.(plain|timescale))?\.sql$")
_JOBS_SCHEMA = "procrastinate/schema.sql"


class MigrationError(DatabaseError):
    """The database and the migration files do not fit together."""


class Flavour(StrEnum):
    """Which form of a migration a database takes."""

    PLAIN = "plain"
    TIMESCALE = "timescale"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: SQL that runs once, in one transaction."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrate(conn: Connection[TupleRow]) -> list[str]:
    """Apply what is not applied yet and return its names, oldest first.

    Each file is one transaction; several processes may call at once. The connection
    must not be in a transaction.

    Raises
    ------
    MigrationError
        An applied file was changed since, or the TimescaleDB is too old.

    """
    with _autocommit(conn), _alone(conn):
        _prepare(conn)
        applied = _applied(conn)
        todo = _todo(conn, applied)
        for migration in todo:
            with conn.transaction():
                conn.execute(migration.sql.encode())
                _record(conn, migration)
        return [migration.name for migration in todo]


def pending(conn: Connection[TupleRow]) -> list[str]:
    """Return the names that `migrate` would apply."""
    if not _has_ledger(conn):
        return [migration.name for migration in migrations(flavour(conn))]
    return [migration.name for migration in _todo(conn, _applied(conn))]


def flavour(conn: Connection[TupleRow]) -> Flavour:
    """Return which form of the migrations this database took, or would take."""
    if _has_ledger(conn):
        for name in _applied(conn):
            if name.endswith(".timescale.sql"):
                return Flavour.TIMESCALE
            if name.endswith(".plain.sql"):
                return Flavour.PLAIN
    version = _timescale_version(conn)
    return Flavour.PLAIN if version is None else Flavour.TIMESCALE


def is_timescale(conn: Connection[TupleRow]) -> bool:
    """Whether this database keeps its measurements in TimescaleDB's tables."""
    return flavour(conn) is Flavour.TIMESCALE


def migrations(for_flavour: Flavour, folder: Path = FOLDER) -> list[Migration]:
    """Return all steps for one kind of database, in their order."""
    ours = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None:
            raise MigrationError(
                f"{path.name} is no name for a migration: "
                "use NNNN_name.sql, NNNN_name.plain.sql or NNNN_name.timescale.sql."
            )
        if match[2] in (None, for_flavour):
            ours.append(Migration(path.name, path.read_text("utf-8")))
    jobs = (_jobs_folder() / "schema.sql").read_text("utf-8")
    return [*ours, Migration(_JOBS_SCHEMA, jobs)]


def _todo(conn: Connection[TupleRow], applied: dict[str, str]) -> list[Migration]:
    todo = []
    for migration in migrations(flavour(conn)):
        if migration.name not in applied:
            todo.append(migration)
        elif migration.name == _JOBS_SCHEMA:
            todo.extend(m for m in _jobs_migrations() if m.name not in applied)
        elif applied[migration.name] != migration.checksum:
            raise MigrationError(
                f"{migration.name} was changed after it was applied: restore the file "
                "and put the change in a new migration."
            )
    return todo


def _jobs_migrations() -> list[Migration]:
    """Return procrastinate's own steps between its releases, oldest first."""
    return [
        Migration(f"procrastinate/{path.name}", path.read_text("utf-8"))
        for path in sorted((_jobs_folder() / "migrations").glob("*.sql"))
    ]


def _jobs_folder() -> Path:
    """Return where procrastinate keeps its SQL.

    Found, not imported: that would take every service half a second at its start.
    """
    package = find_spec("procrastinate")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("procrastinate is not installed")
    return Path(package.origin).parent / "sql"


def _record(conn: Connection[TupleRow], migration: Migration) -> None:
    done = [migration]
    if migration.name == _JOBS_SCHEMA:
        done += _jobs_migrations()  # its schema.sql holds what they would do
    with conn.cursor() as cur:
        cur.executemany(
            "INSERT INTO schema_migration (name, checksum)"
            " VALUES (%(name)s, %(checksum)s)",
            [{"name": m.name, "checksum": m.checksum} for m in done],
        )


def _prepare(conn: Connection[TupleRow]) -> None:
    """Make the ledger, and the extension where the server offers it."""
    if _has_ledger(conn):
        return
    preloaded = conn.execute(
        "SELECT current_setting('shared_preload_libraries') LIKE '%%timescaledb%%'"
        "   AND EXISTS (SELECT FROM pg_available_extensions"
        "                WHERE name = 'timescaledb')",
        (),
    ).fetchone()
    if preloaded == (True,):
        conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    version = _timescale_version(conn)
    if version is not None and version < OLDEST_TIMESCALE:
        found, needed = (".".join(map(str, v)) for v in (version, OLDEST_TIMESCALE))
        raise MigrationError(
            f"TimescaleDB {found} is installed in this database; Keywatt needs "
            f"{needed} or newer: ALTER EXTENSION timescaledb UPDATE."
        )
    conn.execute(
        "CREATE TABLE schema_migration ("
        " name text PRIMARY KEY,"
        " checksum text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )


def _timescale_version(conn: Connection[TupleRow]) -> tuple[int, int] | None:
    row = conn.execute(
        "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    ).fetchone()
    if row is None:
        return None
    major, minor = str(row[0]).split(".")[:2]
    return int(major), int(minor)


def _has_ledger(conn: Connection[TupleRow]) -> bool:
    row = conn.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
    return row == (True,)


def _applied(conn: Connection[TupleRow]) -> dict[str, str]:
    rows = conn.execute("SELECT name, checksum FROM schema_migration").fetchall()
    return dict(rows)


@contextmanager
def _alone(conn: Connection[TupleRow]) -> Iterator[None]:
    """Hold off other processes that migrate the same database."""
    conn.execute("SELECT pg_advisory_lock(hashtext('keywatt migrate'))")
    try:
        yield
    finally:
        conn.execute("SELECT pg_advisory_unlock(hashtext('keywatt migrate'))")


@contextmanager
def _autocommit(conn: Connection[TupleRow]) -> Iterator[None]:
    """Let every transaction below be a real one."""
    before = conn.autocommit
    conn.autocommit = True
    try:
        yield
    finally:
        conn.autocommit = before
