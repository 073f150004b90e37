"""Seconds to enter a list of ten thousand meters, and until a collector follows.

The list is read from its file and applied three times: from nothing, again unchanged,
and with a hundred changes (a moved, a changed, a new and a missing meter in turn). The
baseline is a bare COPY of the same rows into tables of the same layout, and the commit.
Then a running collector is watched: how long after the commit of the hundred changes it
polls the first new meter, and for how long its loop was away for that.

    python -m benchmarks.meter_list --json
"""

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.meter_entry import Entry
from accounts.meter_list import read_meter_list, write_meter_list
from accounts.meter_plan import Plan
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from collector.run import collect
from storage.database import connect
from storage.health import load_server
from storage.meter_list import apply_meter_list
from storage.migrate import migrate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
ADD_ACCOUNTS = """
    INSERT INTO account (code, name, sector, time_zone, country, manager, currency)
    SELECT 'a-' || n, 'Account ' || n, 'other', 'Asia/Shanghai', 'CN', 'Nobody', 'CNY'
      FROM generate_series(0, %(accounts)s - 1) AS n
"""
MAKE_BARE = """
    CREATE TABLE bare_point (LIKE point INCLUDING ALL);
    CREATE TABLE bare_meter (LIKE meter INCLUDING ALL);
    CREATE TABLE bare_installation (LIKE installation INCLUDING ALL)
"""
EMPTY_BARE = "TRUNCATE bare_point, bare_meter, bare_installation RESTART IDENTITY"
EMPTY = "TRUNCATE point, meter, installation RESTART IDENTITY CASCADE"
COPY_POINTS = "COPY bare_point (account_id, name) FROM STDIN"
COPY_METERS = """
    COPY bare_meter (serial, profile, transport, framing, host, port, device, baud_rate,
                     parity, stop_bits, unit, poll_every_s)
    FROM STDIN
"""
COPY_INSTALLATIONS = """
    COPY bare_installation (point_id, meter_id, installed_at, ratio, register_digits,
                            register_resolution)
    FROM STDIN
"""


def main() -> None:
    """Run and print."""
    logging.disable(logging.WARNING)  # that nobody answers
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--meters", type=int, default=10_000)
    parser.add_argument("--modbus", type=int, default=1_000, help="so many over Modbus")
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    lines = entries(given.meters, given.modbus, given.accounts)
    changed = with_changes(lines, given.changes)
    with tempfile.TemporaryDirectory() as folder, temporary_postgres() as url:
        files = Path(folder, "meters.csv"), Path(folder, "changed.csv")
        for file, content in zip(files, (lines, changed), strict=True):
            file.write_text(write_meter_list(content), "utf-8")
        with connect(url) as conn:
            migrate(conn)
            conn.execute(ADD_ACCOUNTS, {"accounts": given.accounts})
            conn.execute(MAKE_BARE)
            conn.commit()
            server = f"embedded PostgreSQL {load_server(conn).version}"
            seconds = measure(conn, files, lines, given.rounds)
        followed = asyncio.run(follow(url, *files))
    nothing, bare = seconds.pop("from nothing"), seconds.pop("bare COPY")
    more = {name.replace(" ", "_") + "_s": round(s, 3) for name, s in seconds.items()}
    if not given.json:
        print(
            f"from nothing {nothing:.2f} s, bare COPY {bare:.2f} s, {more | followed}"
        )
    report(
        Result(
            name="meter_list",
            value=nothing,
            unit="s",
            baseline=bare,
            settings=vars(given) | {"fsync": "on"},
            server=server,
            more=more | followed,
        )
    )


def entries(meters: int, modbus: int, accounts: int) -> list[Entry]:
    """Make meters, the first ones over Modbus, 50 behind a gateway; nobody answers."""
    return [
        Entry(
            account=f"a-{n % accounts}",
            point=f"Point {n}",
            serial=f"KW-{n}",
            profile="eastron-sdm630" if n < modbus else "keywatt-json",
            transport="modbus" if n < modbus else "mqtt",
            host="127.0.0.1" if n < modbus else None,
            port=20_000 + n // 50 if n < modbus else None,
            unit=n % 50 + 1 if n < modbus else None,
            poll_every_s=60.0,
            installed_at=SINCE,
            removed_at=None,
            ratio=1,
            register_digits=9,
            register_resolution=0.01,
        )
        for n in range(meters)
    ]


def with_changes(lines: Sequence[Entry], count: int) -> list[Entry]:
    """Return the list with so many changes, spread over it."""
    out = list(lines)
    for number in range(count):
        place = number * (len(lines) // count)
        line = out[place]
        turn = number % 4
        if turn == 0:
            out[place] = replace(line, point=f"{line.point} B", installed_at=NOW)
        elif turn == 1:
            out[place] = replace(line, ratio=60)
        else:  # one that is new, where another is missing
            came = NOW if turn == 2 else SINCE + timedelta(days=1)
            out[place] = replace(line, serial=f"{line.serial}-B", installed_at=came)
    return out


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def enter(conn: Connection[TupleRow], file: Path) -> Plan:
    """Read a list and apply it, as the command does."""
    listed = read_meter_list(file)
    plan = apply_meter_list(
        conn, listed.entries, NOW, unread=listed.refused, remove_missing=True
    )
    if plan.refused:
        raise AssertionError(plan.refused[0].told(file))
    return plan


def measure(
    conn: Connection[TupleRow],
    files: tuple[Path, Path],
    lines: Sequence[Entry],
    rounds: int,
) -> dict[str, float]:
    """Return the median seconds of each kind of work; the list is there afterwards."""
    whole, changed = files
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        conn.execute(EMPTY)
        conn.execute(EMPTY_BARE)
        conn.commit()
        for name, work in (
            ("bare COPY", lambda: copy_bare(conn, lines)),
            ("reading the file", lambda: read_meter_list(whole)),
            ("from nothing", lambda: enter(conn, whole)),
            ("unchanged", lambda: enter(conn, whole)),
            ("with 100 changes", lambda: enter(conn, changed)),
        ):
            taken.setdefault(name, []).append(timed(work))
            conn.commit()
    return {name: statistics.median(each) for name, each in taken.items()}


def copy_bare(conn: Connection[TupleRow], lines: Sequence[Entry]) -> None:
    """Copy the same rows with nothing asked."""
    tables: tuple[tuple[str, Callable[[int, Entry], tuple[object, ...]]], ...] = (
        (COPY_POINTS, lambda _, e: (int(e.account[2:]) + 1, e.point)),
        (COPY_METERS, lambda _, e: (e.serial, *e.particulars)),
        (COPY_INSTALLATIONS, lambda n, e: (n, n, e.installed_at, *e.course[1:])),
    )
    with conn.cursor() as cur:
        for query, row in tables:
            with cur.copy(query.encode()) as copy:
                for number, entry in enumerate(lines, start=1):
                    copy.write_row(row(number, entry))
    conn.commit()


async def follow(url: str, whole: Path, changed: Path) -> dict[str, float]:
    """Return how long a running collector takes to follow the changes."""
    with connect(url) as conn:
        conn.execute(EMPTY)
        conn.commit()
        enter(conn, whole)
    ready = asyncio.Event()
    task = asyncio.create_task(collect(url, None, lambda: NOW, on_ready=ready.set))
    begin = time.perf_counter()
    pause = asyncio.create_task(longest_pause())
    await ready.wait()
    started_s = time.perf_counter() - begin
    start_pause_s = await stopped(pause)
    with connect(url) as conn:
        await asyncio.to_thread(enter, conn, changed)
    begin = time.perf_counter()
    pause = asyncio.create_task(longest_pause())
    while not has_come():  # noqa: ASYNC110 - the collector has no event for it
        await asyncio.sleep(0.005)
    followed_s = time.perf_counter() - begin
    follow_pause_s = await stopped(pause)
    task.cancel()
    await asyncio.wait([task])
    return {
        "collector_ready_s": round(started_s, 3),
        "collector_start_pause_s": round(start_pause_s, 3),
        "collector_follows_s": round(followed_s, 3),
        "collector_follow_pause_s": round(follow_pause_s, 3),
    }


def has_come() -> bool:
    """Whether the collector polls one of the new meters."""
    names = (task.get_name() for task in asyncio.all_tasks())
    return any(name.startswith("poll of") and name.endswith("-B") for name in names)


async def longest_pause() -> float:
    """Return, when cancelled, for how long the loop once was away."""
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return longest


async def stopped(pause: "asyncio.Task[float]") -> float:
    """Stop watching for pauses and return the longest."""
    await asyncio.sleep(0.01)
    pause.cancel()
    return await pause


if __name__ == "__main__":
    main()
