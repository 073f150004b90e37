"""Backups by the handbook's own commands: what is there afterwards is what was."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import storage
from benchmarks.servers import timescale_in_node
from benchmarks.storage_data import settled_columns
from keywatt.backup import back_up, restore
from keywatt.demo.site_parts import postgres_part
from keywatt.embedded import EmbeddedError, EmbeddedPostgres, binary
from keywatt.parts import Supervisor
from meters.reading import utc_us
from storage.database import connect
from storage.interval_store import store_intervals
from storage.intervals import load_daily, load_hourly, load_intervals, refresh_hourly
from storage.master import apply_site, load_accounts
from storage.migrate import is_timescale, migrate, pending
from storage.readings import load_readings
from storage.rollups import load_monthly
from tests.fix_database import TIMESCALE_URL, new_database
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, intervals, site, write

PAGE = Path(storage.__file__).parents[1] / "docs" / "handbook" / "backup.md"
DAY = timedelta(days=1)
POLICIES = """
    SELECT hypertable_name, proc_name, config - 'hypertable_id' - 'mat_hypertable_id'
      FROM timescaledb_information.jobs WHERE proc_name LIKE 'policy_%'
     ORDER BY 1, 2
"""


def blocks() -> list[str]:
    """Return the page's shell blocks."""
    text = PAGE.read_text("utf-8")
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def type_in(block: str, folder: Path, **environment: str) -> None:
    """Run a block of the page as a reader would, in a folder."""
    programs = [Path(sys.executable).parent, binary("pg_dump").parent]
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KEYWATT_")}
    done = subprocess.run(
        ["sh", "-eu", "-c", block],
        cwd=folder,
        env=kept | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def seed(store: Store) -> None:
    """Store readings, a late version and two months of intervals."""
    write(store, batch(50))
    with connect(store.url, autocommit=True) as conn:
        apply_site(conn, site())
        first = NOON - 40 * DAY
        energy = settled_columns(3, utc_us(first), 60).import_kwh.tolist()
        store_intervals(conn, 1, intervals(energy, first), settled_at=NOON)
        late = intervals([1.25] * 4, first)
        store_intervals(conn, 1, late, settled_at=NOON + DAY)
        refresh_hourly(conn, None, None)


def figures(url: str) -> list[object]:
    """Ask what pages ask, and what was believed before."""
    window = NOON - 50 * DAY, NOON + 50 * DAY
    with connect(url) as conn:
        now = load_intervals(conn, 1, *window)
        then = load_intervals(conn, 1, *window, as_of=NOON)
        return [
            load_accounts(conn),
            *(loaded.import_kwh.tobytes() for loaded in (now, then)),
            load_readings(conn, 1, *window).values.tobytes(),
            load_hourly(conn, 1, *window),
            load_daily(conn, 1, date(2026, 1, 1), date(2026, 4, 1)),
            load_monthly(conn, [1], date(2026, 1, 1), date(2026, 4, 1)),
            pending(conn),
            conn.execute("SELECT * FROM schema_migration ORDER BY name").fetchall(),
        ]


def test_a_dump_restores_to_the_same_figures(
    plain_database: str, postgres: str, tmp_path: Path
) -> None:
    seed(Store(plain_database))
    before = figures(plain_database)
    restored = re.sub(r"/keywatt_\w+", "/keywatt_restored", plain_database)
    given = {"RESTORED_URL": restored, "KEYWATT_DATABASE_URL": plain_database}
    server = {"PGHOST": postgres.partition("host=")[2], "PGUSER": "keywatt"}
    try:
        type_in(blocks()[0], tmp_path, **given, **server)
        assert figures(restored) == before
        # It lives: triggers stand, partitions are made, nothing is left to migrate.
        with connect(restored, autocommit=True) as conn:
            assert migrate(conn) == []
            store_intervals(conn, 1, intervals([7.0], NOON + 90 * DAY), settled_at=NOON)
            (day,) = load_daily(conn, 1, date(2026, 5, 1), date(2026, 6, 30))
            assert day.import_kwh == 7
    finally:
        with connect(postgres, autocommit=True) as conn:
            conn.execute("DROP DATABASE IF EXISTS keywatt_restored WITH (FORCE)")
    mode = (tmp_path / "keywatt.dump").stat().st_mode
    assert mode & 0o077 == 0


@contextmanager
def another_timescale(one: Store) -> Iterator[str]:
    """Yield an empty database on a server like that of another."""
    if one.copy:
        assert TIMESCALE_URL
        with new_database(TIMESCALE_URL) as url:
            yield url
        return
    with timescale_in_node() as url:
        yield url


def forget_pg_dump(url: str) -> None:
    """Undo what pg_dump sets in its session, which in WebAssembly is everybody's."""
    with connect(url, autocommit=True) as conn:
        conn.execute("RESET ALL")
        conn.execute("SET search_path TO public")
        conn.execute("SET restrict_nonsystem_relation_kind TO ''")
        conn.execute("SET TIME ZONE 'UTC'")


def test_a_dump_of_timescale_restores_to_the_same_figures(
    timescale: Store, tmp_path: Path
) -> None:
    seed(timescale)
    file = tmp_path / "keywatt.dump"
    # Without COPY, which the one in WebAssembly does not take.
    back_up(timescale.url, file, *[] if timescale.copy else ["--rows-per-insert=1000"])
    forget_pg_dump(timescale.url)
    before = figures(timescale.url)
    with another_timescale(timescale) as restored:
        restore(restored, file)
        forget_pg_dump(restored)
        assert figures(restored) == before
        late = intervals([2.0], NOON - 30 * DAY)
        with connect(restored, autocommit=True) as conn:
            store_intervals(conn, 1, late, settled_at=NOON + DAY)
            refresh_hourly(conn, None, None)
            assert is_timescale(conn)
            hours = load_hourly(conn, 1, NOON - 30 * DAY, NOON - 29 * DAY)
            policies = conn.execute(POLICIES).fetchall()
        with connect(timescale.url) as conn:
            assert policies == conn.execute(POLICIES).fetchall()
    assert hours[0].import_kwh != before[4][240].import_kwh


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "is not there, or is no file", id="none"),
        pytest.param(b"PGDMP no", "pg_restore failed", id="broken"),
    ],
)
def test_what_is_no_dump_is_refused(
    keywatt, empty_database: str, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "keywatt.dump"
    if content:
        file.write_bytes(content)
    answer = keywatt("database", "restore", str(file), database_url=empty_database)
    assert answer.code == 1
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_nothing_is_written_over(keywatt, plain_database: str, tmp_path: Path) -> None:
    file = str(tmp_path / "keywatt.dump")
    made = keywatt("database", "backup", file, "--json", database_url=plain_database)
    assert json.loads(made.out)["bytes"] == Path(file).stat().st_size > 10_000
    again = keywatt("database", "backup", file, database_url=plain_database)
    assert "is there already: name another file." in again.err
    full = keywatt("database", "restore", file, database_url=plain_database)
    assert "is not empty: make a new database (createdb)" in full.err
    assert (again.code, full.code) == (1, 1)


def test_a_password_is_on_no_command_line(plain_database: str, tmp_path: Path) -> None:
    """A pg_dump that tells how it was called and with which password."""
    (tmp_path / "pg_dump").write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 99" && exit\n'
        f'echo "$PGPASSWORD:$@" > {tmp_path}/called\nexit 1\n'
    )
    (tmp_path / "pg_dump").chmod(0o755)
    url = plain_database + "&password=tulip"
    done = subprocess.run(
        [sys.executable, "-m", "keywatt", "database", "backup", "new.dump"],
        cwd=tmp_path,
        env=os.environ
        | {"KEYWATT_DATABASE_URL": url, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    password, _, arguments = (tmp_path / "called").read_text().partition(":")
    assert password == "tulip"
    assert "tulip" not in arguments + done.stderr + done.stdout
    assert done.stderr == "pg_dump failed: it ended with code 1.\n"
    assert not list(tmp_path.glob("new.dump*"))


@contextmanager
def running(server: EmbeddedPostgres, logs: Path) -> Iterator[Supervisor]:
    """Run a server in a folder for the length of the block."""
    server.prepare()
    with Supervisor(logs, os.environ) as parts:
        parts.start(postgres_part(server))
        yield parts


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with blanks and a quote in its name, as people have them.

    Not in pytest's own, which the server's user may not enter.
    """
    with tempfile.TemporaryDirectory(prefix="keywatt-") as made:
        named = Path(made) / "it's a 100% site"
        named.mkdir()
        yield named


def test_back_to_a_moment(folder: Path, keywatt) -> None:
    archive, base = folder / "archive", folder / "base"
    server = EmbeddedPostgres(folder / "postgres", archive)
    *_, copying, recovering, cleaning = blocks()
    with running(server, folder / "logs") as parts:
        with connect(server.url) as conn:
            migrate(conn)
        seed(Store(server.url))
        settings = folder / ".keywatt" / "settings.toml"
        settings.parent.mkdir()
        settings.write_text(f'database_url = "{server.url}"\n')
        early = datetime.now(UTC) - timedelta(seconds=1)
        type_in(copying, folder)
        with connect(server.url, autocommit=True) as conn:
            before = intervals([2.0], NOON + 30 * DAY)
            store_intervals(conn, 1, before, settled_at=NOON)
            (moment,) = conn.execute("SELECT clock_timestamp()").fetchone()
            expected = figures(server.url)
            conn.execute("DELETE FROM energy_interval")
            conn.execute("DELETE FROM reading")
            wait_until_archived(conn)
        # The machine dies; only the copy and the archive are left.
        os.kill(int((server.folder / "postmaster.pid").read_text().split()[0]), 9)
        parts.stop()
    shutil.rmtree(server.folder)
    kept = sorted(archive.iterdir())
    for line in recovering.splitlines()[:1]:
        type_in(line, folder, MOMENT=moment.isoformat())
    restored = EmbeddedPostgres(folder / "restored" / "postgres", folder / "new")
    with running(restored, folder / "logs"):
        assert figures(restored.url) == expected
        with connect(restored.url, autocommit=True) as conn:
            again = intervals([3.0], NOON + 31 * DAY)
            store_intervals(conn, 1, again, settled_at=NOON)
    assert sorted(archive.iterdir()) == kept

    call = ["database", "recover", str(base), "--log", str(archive), "--into"]
    late = keywatt(*call, str(folder / "all"), "--json")
    assert late.code == 0
    with (
        running(EmbeddedPostgres(folder / "all"), folder / "logs"),
        connect(EmbeddedPostgres(folder / "all").url) as conn,
    ):
        assert load_daily(conn, 1, date(2026, 1, 1), date(2026, 12, 1)) == []

    for at, said in (
        (early, "base were copied ("),
        (datetime.now(UTC), "does not reach"),
    ):
        wrong = keywatt(*call, str(folder / "wrong"), "--to", at.isoformat())
        assert (wrong.code, wrong.err.count("\n")) == (1, 1)
        assert said in wrong.err
        assert not list(folder.glob("wrong*"))
    type_in(cleaning, folder)
    assert any(archive.iterdir())


def wait_until_archived(conn) -> None:
    """Have the server close the piece of its log in use, and copy it."""
    (piece,) = conn.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    said = "SELECT last_archived_wal, failed_count FROM pg_stat_archiver"
    while True:
        last, failed = conn.execute(said).fetchone()
        assert failed == 0
        if last and last >= piece:
            return
        conn.execute("SELECT pg_sleep(0.05)")


def test_a_new_database_does_not_take_the_log_of_another(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "000000010000000000000001.gz").touch()
    with pytest.raises(EmbeddedError, match="name an empty folder for it"):
        EmbeddedPostgres(tmp_path / "postgres", tmp_path / "archive").prepare()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["base", "--log", ".", "--into", "new"], "base is no copy of a server's"),
        (["base", "--log", ".", "--into", "new", "--to", "noon"], "noon is no time"),
    ],
)
def test_wrong_folders_and_times_are_told(
    keywatt, arguments: list[str], said: str
) -> None:
    answer = keywatt("database", "recover", *arguments)
    assert said in " ".join(answer.err.split())
    assert answer.code in {1, 2}
