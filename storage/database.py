"""Reaching the database: connections, pools, and one sentence when it fails.

    DatabaseError            what a person can mend: address, rights, version
    └── MigrationError       (storage.migrate)

Every session runs in UTC. No message holds a password.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Self, TypeAlias

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

OLDEST_SERVER = 16
CONNECT_TIMEOUT_S = 10
_NEARLY_OPEN_S = 1.0
_PATIENCE: dict[str, str | int] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    # A line that swallows all that is said is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

Pool: TypeAlias = ConnectionPool[Connection[TupleRow]]


class DatabaseError(Exception):
    """The database cannot be used as it is; the text says what and how to mend it."""


def connect(url: str, *, autocommit: bool = False) -> Connection[TupleRow]:
    """Open a connection in UTC.

    Raises
    ------
    DatabaseError
        Wrong address, password, database or a too old server, in one sentence.

    """
    conninfo = _conninfo(url)
    try:
        conn = psycopg.connect(conninfo, autocommit=True)
    except psycopg.Error as exc:
        raise _connect_error(url, exc) from None
    try:
        _check_version(url, conn.info.server_version)
        if conn.info.parameter_status("TimeZone") != "UTC":
            conn.execute("SET TIME ZONE 'UTC'")
    except BaseException:
        conn.close()
        raise
    conn.autocommit = autocommit
    return conn


async def connect_async(
    url: str, *, autocommit: bool = False
) -> AsyncConnection[TupleRow]:
    """Open a connection as `connect` does, for the collector."""
    try:
        conn = await _opened(_conninfo(url))
    except psycopg.Error as exc:
        raise _connect_error(url, exc) from None
    try:
        _check_version(url, conn.info.server_version)
        if conn.info.parameter_status("TimeZone") != "UTC":
            await conn.execute("SET TIME ZONE 'UTC'")
        await conn.set_autocommit(autocommit)
    except BaseException:
        await conn.close()
        raise
    return conn


@asynccontextmanager
async def transaction_async(url: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Lend a connection for one transaction; it is closed however that ends.

    The driver leaves one open whose commit is cancelled.
    """
    conn = await connect_async(url)
    try:
        async with conn:
            yield conn
    finally:
        await conn.close()


async def _opened(conninfo: str) -> AsyncConnection[TupleRow]:
    """Open a connection; cancelled meanwhile, close it.

    The driver drops a connection unclosed that is cancelled when nearly open. Who is
    cancelled twice does not wait for it: it is closed once it is open.
    """
    opening = asyncio.create_task(AsyncConnection.connect(conninfo, autocommit=True))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_opened)
        await asyncio.wait([opening], timeout=_NEARLY_OPEN_S)
        await asyncio.sleep(0)  # until it is called
        raise


def _close_opened(opening: asyncio.Task[AsyncConnection[TupleRow]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().pgconn.finish()  # `close` could only be awaited


@contextmanager
def open_pool(url: str, *, max_size: int = 4) -> Iterator[Pool]:
    """Keep up to `max_size` connections for threads that share a database."""
    connect(url).close()  # a clear sentence now instead of a time-out later

    def to_utc(conn: Connection[TupleRow]) -> None:
        if conn.info.parameter_status("TimeZone") != "UTC":
            conn.execute("SET TIME ZONE 'UTC'")
            conn.commit()

    with ConnectionPool(
        _conninfo(url),
        min_size=1,
        max_size=max_size,
        configure=to_utc,
        check=ConnectionPool.check_connection,
    ) as pool:
        yield pool


class KeptConnections:
    """Connections kept open between jobs: a new one costs more than most jobs do.

    As many are kept as were in use at once. Closed at the end of a `with` block; one
    that is in use then is closed when it is given back.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection[TupleRow]] = []
        self._is_open = True
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Keep connections from now on."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        with self._lock:
            self._is_open = False
            idle, self._idle = self._idle, []
        for conn in idle:
            conn.close()

    @contextmanager
    def connection(self) -> Iterator[Connection[TupleRow]]:
        """Lend a connection, and commit at the end as `connect` does.

        After an error it is closed: nobody knows in what state it is.
        """
        conn = self._taken()
        try:
            yield conn
            conn.commit()
            conn.autocommit = False
        except BaseException:
            conn.close()
            raise
        with self._lock:
            if self._is_open:
                self._idle.append(conn)
                return
        conn.close()

    def _taken(self) -> Connection[TupleRow]:
        """Return one that still answers, or a new one."""
        with self._lock:
            conn = self._idle.pop() if self._idle else None
        if conn is not None:
            try:
                ConnectionPool.check_connection(conn)
            except psycopg.OperationalError:
                conn.close()
            else:
                return conn
        return connect(self._url)


def place(url: str) -> str:
    """Name the database for people: host, port and database, never a password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        return "the database"
    host = parts.get("host") or "the local socket"
    port = f":{parts['port']}" if parts.get("port") else ""
    name = parts.get("dbname") or parts.get("user") or "its default database"
    return f"{host}{port}/{name}"


def _conninfo(url: str) -> str:
    """Check the URL's form and add what it leaves open."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        # The driver's own message would repeat the text, password and all.
        raise DatabaseError(
            "The database URL cannot be read: it should look like "
            "postgresql://user:password@host:5432/keywatt."
        ) from None
    return make_conninfo(url, **{**_PATIENCE, **parts})


def _check_version(url: str, server_version: int) -> None:
    major = server_version // 10000
    if major < OLDEST_SERVER:
        raise DatabaseError(
            f"PostgreSQL {major} answers at {place(url)}; Keywatt needs "
            f"{OLDEST_SERVER} or newer: upgrade it or name another server "
            "in the database URL."
        )


def _connect_error(url: str, exc: psycopg.Error) -> DatabaseError:
    """Turn what libpq says into one sentence; its text holds no password."""
    parts = conninfo_to_dict(url)
    said, where = str(exc), place(url)
    first = said.partition("\n")[0].removeprefix("connection failed: ").rstrip(".")
    if "password authentication failed" in said or "no password supplied" in said:
        user = parts.get("user") or "the default user"
        text = (
            f"{where} refuses the password of user {user}: "
            "correct user or password in the database URL."
        )
    elif 'database "' in said and "does not exist" in said:
        text = (
            f"{where} does not exist on that server: create the database "
            "or correct its name in the database URL."
        )
    elif "resolve host" in said or "could not translate host" in said:
        text = (
            f"The host {parts.get('host')} of the database is not known: "
            "correct its name in the database URL."
        )
    elif "refused" in said or "No such file" in said or "timeout" in said:
        text = (
            f"No PostgreSQL answers at {where}: start it or correct "
            "host and port in the database URL."
        )
    else:
        text = f"{where} cannot be used: {first}."
    return DatabaseError(text)
