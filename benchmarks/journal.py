"""Polled readings a second onto the disk and out again, against bare means.

Many pollers each append one reading after another, as they do in the collector; every
append returns when its reading is synced, so a group is at most one reading of each.
Bare SQLite (WAL, synchronous = FULL) inserts the same records, as many at a time as
there are pollers, and a bare file gets them in one write and one sync. Encoding is in
our figure and not in theirs. Then all is read back: by ours into columns ready to be
written, by SQLite as bytes. They take turns; medians of the rounds are compared.

    python -m benchmarks.journal --json
"""

import argparse
import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.report import Result, report
from collector.journal.frame import Frame
from collector.journal.journal import Journal
from collector.journal.record import decode_all, encode
from collector.parcel import Parcel
from meters.meter import Transport
from meters.quantity import QUANTITIES
from meters.reading import ReadingBatch, utc_us

START_US = utc_us(datetime(2026, 1, 1, tzinfo=UTC))
MOST_BYTES = 4_000_000_000

T = TypeVar("T")
Rates = dict[str, list[float]]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--pollers", type=int, default=1000, help="appending at once")
    parser.add_argument("--each", type=int, default=30, help="readings of a poller")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, help="on the disk to be measured; else the temporary one"
    )
    given = parser.parse_args()
    parcels = [make(n) for n in range(given.pollers * given.each)]
    records = [encode(parcel) for parcel in parcels]
    rates: Rates = {}
    for number in range(given.rounds):
        turns = [
            lambda folder: ours(folder, parcels, given.pollers),
            lambda folder: bare_sqlite(folder, records, given.pollers),
            lambda folder: bare_file(folder, records, given.pollers),
        ]
        for turn in turns if number % 2 else reversed(turns):
            measure(turn, given.folder, rates)
    middle = {name: statistics.median(each) for name, each in rates.items()}
    if not given.json:
        for name, rate in middle.items():
            print(f"{name:24}{rate:12.0f}")
    appended, bare = middle.pop("appended"), middle.pop("sqlite_appended")
    report(
        Result(
            name="journal",
            value=appended,
            unit="records/s",
            baseline=bare,
            settings={
                "pollers": given.pollers,
                "each": given.each,
                "rounds": given.rounds,
                "record_bytes": len(records[0]),
            },
            server=f"SQLite {sqlite3.sqlite_version}",
            more=middle | {"of_file": appended / middle["file_appended"]},
        )
    )


def make(number: int) -> Parcel:
    """Make one polled reading with all quantities."""
    values = np.random.default_rng(number).normal(100, 10, (1, len(QUANTITIES)))
    at = np.array([START_US + number], np.int64)
    batch = ReadingBatch(
        meter_id=np.array([number % 1000], np.int32),
        measured_us=at,
        received_us=at,
        values=values,
    )
    return Parcel(transport=Transport.MODBUS, batch=batch)


def measure(
    turn: Callable[[Path], dict[str, float]], folder: Path | None, rates: Rates
) -> None:
    """Take one turn in a folder of its own, and enter what it came to."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        for name, rate in turn(Path(own)).items():
            rates.setdefault(name, []).append(rate)


def ours(folder: Path, parcels: Sequence[Parcel], pollers: int) -> dict[str, float]:
    """Append as many pollers do, open again, and read all into columns."""
    return asyncio.run(_ours(folder / "journal", parcels, pollers))


async def _ours(
    folder: Path, parcels: Sequence[Parcel], pollers: int
) -> dict[str, float]:
    async def poll(own: Sequence[Parcel]) -> None:
        for parcel in own:
            await journal.append(parcel)

    journal = Journal.open(folder, most_bytes=MOST_BYTES)
    begun = time.perf_counter()
    await asyncio.gather(*(poll(parcels[n::pollers]) for n in range(pollers)))
    appended_s = time.perf_counter() - begun
    await journal.close()

    begun = time.perf_counter()
    journal = Journal.open(folder, most_bytes=MOST_BYTES)
    opened_s = time.perf_counter() - begun
    rows = 0
    while pieces := await journal.read():
        frames = [piece for piece in pieces if isinstance(piece, Frame)]
        (parcel,) = decode_all([frame.record for frame in frames])
        rows += len(parcel.batch)
    replayed_s = time.perf_counter() - begun
    journal.drop(frames[-1].mark)
    await journal.close()
    dropped_s = time.perf_counter() - begun - replayed_s
    if rows != len(parcels):
        raise SystemExit(f"{len(parcels)} readings went in, {rows} came out.")
    return {
        "appended": rows / appended_s,
        "replayed": rows / replayed_s,
        "opened_s": opened_s,
        "dropped_s": dropped_s,
    }


def bare_sqlite(
    folder: Path, records: Sequence[bytes], at_once: int
) -> dict[str, float]:
    """Insert the records, read them, and delete them."""
    conn = sqlite3.connect(folder / "bare.db", isolation_level=None)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")
    conn.execute("CREATE TABLE record (number integer PRIMARY KEY, body blob NOT NULL)")
    begun = time.perf_counter()
    for group in _groups(list(enumerate(records)), at_once):
        conn.execute("BEGIN")
        conn.executemany("INSERT INTO record VALUES (?, ?)", group)
        conn.execute("COMMIT")
    appended_s = time.perf_counter() - begun
    begun = time.perf_counter()
    count = sum(1 for _ in conn.execute("SELECT number, body FROM record ORDER BY 1"))
    replayed_s = time.perf_counter() - begun
    conn.execute("DELETE FROM record WHERE number < ?", (count,))
    dropped_s = time.perf_counter() - begun - replayed_s
    conn.close()
    return {
        "sqlite_appended": count / appended_s,
        "sqlite_replayed": count / replayed_s,
        "sqlite_dropped_s": dropped_s,
    }


def bare_file(folder: Path, records: Sequence[bytes], at_once: int) -> dict[str, float]:
    """Write the records one after another, syncing as often."""
    file = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT)
    begun = time.perf_counter()
    for group in _groups(records, at_once):
        os.write(file, b"".join(group))
        os.fdatasync(file)
    appended_s = time.perf_counter() - begun
    os.close(file)
    return {"file_appended": len(records) / appended_s}


def _groups(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[first : first + size] for first in range(0, len(items), size)]


if __name__ == "__main__":
    main()
