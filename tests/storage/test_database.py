import asyncio
import contextlib
import gc
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.errors import UndefinedTable

from storage.database import (
    DatabaseError,
    KeptConnections,
    connect,
    connect_async,
    open_pool,
    place,
    transaction_async,
)
from tests.collector.waiting import until


def sentence(url: str) -> str:
    """What is said when connecting fails; both ways of connecting say the same."""
    with pytest.raises(DatabaseError) as caught:
        connect(url)
    with pytest.raises(DatabaseError) as caught_async:
        asyncio.run(connect_async(url))
    assert str(caught.value) == str(caught_async.value)
    assert caught.value.__cause__ is None
    assert "sekret" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nothing_listens(free_port: int) -> None:
    assert sentence(f"postgresql://kw:sekret@127.0.0.1:{free_port}/keywatt") == (
        f"No PostgreSQL answers at 127.0.0.1:{free_port}/keywatt: start it or correct "
        "host and port in the database URL."
    )


def test_unknown_host() -> None:
    assert sentence("postgresql://kw:sekret@no-such-host.invalid/keywatt") == (
        "The host no-such-host.invalid of the database is not known: "
        "correct its name in the database URL."
    )


def test_unknown_database(postgres: str) -> None:
    url = urlsplit(postgres)._replace(path="/nowhere").geturl()
    assert sentence(url) == (
        f"{place(url)} does not exist on that server: create the database "
        "or correct its name in the database URL."
    )


def test_wrong_password(wrong_password_url: str) -> None:
    assert sentence(wrong_password_url) == (
        f"{place(wrong_password_url)} refuses the password of user locked: "
        "correct user or password in the database URL."
    )


def test_text_that_is_no_url() -> None:
    assert sentence("postgres//kw:sekret@host") == (
        "The database URL cannot be read: it should look like "
        "postgresql://user:password@host:5432/keywatt."
    )


def test_a_server_that_is_too_old(postgresql_15: int) -> None:
    url = f"postgresql://kw:sekret@127.0.0.1:{postgresql_15}/keywatt?sslmode=disable"
    assert sentence(url) == (
        f"PostgreSQL 15 answers at 127.0.0.1:{postgresql_15}/keywatt; Keywatt needs 16 "
        "or newer: upgrade it or name another server in the database URL."
    )


def far_away(url: str) -> str:
    """Return the URL of a database, its sessions in Shanghai unless told otherwise."""
    return make_conninfo(url, options="-c TimeZone=Asia/Shanghai")


def test_sessions_run_in_utc(database: str) -> None:
    url = far_away(database)
    with connect(url) as conn:
        assert conn.execute("SHOW TimeZone").fetchone() == ("UTC",)
        conn.rollback()
        assert conn.execute("SHOW TimeZone").fetchone() == ("UTC",)


def test_pooled_and_async_sessions_run_in_utc(database: str) -> None:
    url = far_away(database)
    with open_pool(url) as pool, pool.connection() as conn:
        assert conn.execute("SHOW TimeZone").fetchone() == ("UTC",)

    async def ask() -> object:
        async with await connect_async(url) as conn:
            return await (await conn.execute("SHOW TimeZone")).fetchone()

    assert asyncio.run(ask()) == ("UTC",)


def test_a_pool_fails_with_the_same_sentence(free_port: int) -> None:
    url = f"postgresql://kw@127.0.0.1:{free_port}/keywatt"
    with pytest.raises(DatabaseError, match="No PostgreSQL answers"), open_pool(url):
        pass


def test_a_place_is_named_without_its_password() -> None:
    assert place("postgresql://kw:sekret@db.example:5433/keywatt") == (
        "db.example:5433/keywatt"
    )


@pytest.fixture
def wrong_password_url(postgres: str) -> Iterator[str]:
    """URL of a user whom the server asks for a password, with a wrong one."""
    with connect(postgres, autocommit=True) as conn:
        conn.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
        hba = Path(conn.execute("SHOW hba_file").fetchone()[0])
        rules = hba.read_text()
        hba.write_text("local all locked scram-sha-256\n" + rules)
        conn.execute("SELECT pg_reload_conf()")
        yield urlsplit(postgres)._replace(netloc="locked:sekret@").geturl()
        hba.write_text(rules)
        conn.execute("SELECT pg_reload_conf()")
        conn.execute("DROP ROLE locked")


@pytest.fixture
def postgresql_15() -> Iterator[int]:
    """Port of something that greets as PostgreSQL 15 does, for two callers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        for _ in range(2):
            caller, _address = listener.accept()
            with caller:
                (length,) = struct.unpack(">i", caller.recv(4))
                caller.recv(length)
                caller.sendall(GREETING_15)
                caller.recv(100)  # until it hangs up

    thread = threading.Thread(target=greet)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(10)
    listener.close()


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


GREETING_15 = (
    message(b"R", struct.pack(">i", 0))  # authentication is not needed
    + message(b"S", b"server_version\x0015.18\0")
    + message(b"S", b"TimeZone\0UTC\0")
    + message(b"S", b"client_encoding\0UTF8\0")
    + message(b"K", struct.pack(">ii", 1, 1))
    + message(b"Z", b"I")
)


def test_a_kept_connection_is_lent_again_clean(database: str) -> None:
    with KeptConnections(database) as kept:
        with kept.connection() as conn:
            first = conn.info.backend_pid
            conn.execute("CREATE TABLE kept (n int)")
        with kept.connection() as conn:
            conn.commit()
            conn.autocommit = True
        with kept.connection() as conn, kept.connection() as other:
            assert conn.info.backend_pid == first
            assert not conn.autocommit
            assert other.info.backend_pid != first
            # What the first job did was committed.
            other.execute("SELECT FROM kept")
    assert conn.closed
    assert other.closed


def test_a_kept_connection_that_failed_or_died_is_not_lent_again(database: str) -> None:
    with KeptConnections(database) as kept:
        with pytest.raises(UndefinedTable), kept.connection() as conn:
            conn.execute("CREATE TABLE kept (n int); SELECT FROM no_such_table")
        assert conn.closed
        with kept.connection() as dying:
            pid = dying.info.backend_pid
        with connect(database, autocommit=True) as killer:
            killer.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        with kept.connection() as fresh:
            assert fresh.info.backend_pid != pid
            # What the broken job did was not.
            found = fresh.execute("SELECT to_regclass('kept')").fetchone()
            assert found == (None,)


def test_a_connection_given_back_after_the_end_is_closed(database: str) -> None:
    kept = KeptConnections(database)
    with kept:
        lending = kept.connection()
        conn = lending.__enter__()
    assert not conn.closed
    lending.__exit__(None, None, None)
    assert conn.closed


def test_a_connection_that_nobody_waits_for_is_closed(plain_database) -> None:
    """Cancelled at any moment, and a second time while it waits to close."""

    async def give_up(after_s: float, *, twice: bool) -> None:
        opening = asyncio.create_task(connect_async(plain_database))
        await asyncio.sleep(after_s)
        opening.cancel()
        if twice:
            await asyncio.sleep(0)
            opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await opening).close()

    async def run() -> None:
        for n in range(40):
            await give_up(n / 4000, twice=n % 2 == 0)
        await until(lambda: len(asyncio.all_tasks()) == 1)
        await asyncio.sleep(0)
        gc.collect()  # which warns of what is still open
        await until(lambda: others() == (0,))

    def others() -> tuple[int] | None:
        with connect(plain_database) as conn:
            return conn.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()

    asyncio.run(run())


def test_a_transaction_whose_commit_is_cancelled_leaves_nothing_open(
    plain_database,
) -> None:
    """The commit waits for its answer when the cancellation comes."""

    async def run() -> None:
        said: asyncio.Future[AsyncConnection] = (
            asyncio.get_running_loop().create_future()
        )

        async def work() -> None:
            async with transaction_async(plain_database) as conn:
                await conn.execute("CREATE TABLE kept ()")
                said.set_result(conn)

        task = asyncio.create_task(work())
        conn = await said
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert conn.closed

    asyncio.run(run())
