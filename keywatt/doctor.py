"""What is reachable, set up, late, waiting or refused: one line each, with a remedy."""

import asyncio
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from collector.mqtt.broker import BrokerAddress, MqttError
from collector.mqtt.publish import connected
from keywatt import embedded
from keywatt.check import Check, Verdict
from keywatt.doctor_meters import examine_meters
from keywatt.settings import Settings
from storage.database import DatabaseError, connect, place
from storage.health import (
    load_backlog,
    load_outcomes,
    load_refused,
    load_server,
)

_WAITING_LONG = timedelta(minutes=10)
_RECENTLY = timedelta(hours=24)
_LITTLE_SPACE, _NO_SPACE = 2_000_000_000, 200_000_000


def examine(settings: Settings, broker: BrokerAddress, now: datetime) -> list[Check]:
    """Look at everything that can be looked at from here.

    Parameters
    ----------
    settings : Settings
        With the database; without one, that is the first finding.
    broker : BrokerAddress
        Where MQTT meters publish.
    now : datetime
        Site time, by which lateness is judged.

    """
    checks = [*_database(settings, now), _broker(broker), _disk(settings.state_dir)]
    return [*checks, _embedded()]


def _database(settings: Settings, now: datetime) -> Iterator[Check]:
    try:
        url = settings.database()
        with connect(url) as conn:
            yield from _server(conn, url)
            yield from _data(conn, now, settings.site_clock().speed)
    except (DatabaseError, ValueError) as exc:
        yield Check(verdict=Verdict.FAIL, subject="database", text=str(exc))
    except psycopg.Error as exc:
        text = str(exc).partition("\n")[0]
        yield Check(verdict=Verdict.FAIL, subject="database", text=text)


def _server(conn: Connection[TupleRow], url: str) -> Iterator[Check]:
    server = load_server(conn)
    with_timescale = server.timescale_version
    kind = f" with TimescaleDB {with_timescale}" if with_timescale else ""
    size_mb = server.size_bytes / 1e6
    yield Check(
        verdict=Verdict.OK,
        subject="database",
        text=f"PostgreSQL {server.version}{kind} at {place(url)}, {size_mb:.0f} MB.",
    )
    pending = server.pending_migrations
    yield Check(
        verdict=Verdict.FAIL if pending else Verdict.OK,
        subject="migrations",
        text=f"{len(pending)} are missing." if pending else "All are applied.",
        remedy="Run: keywatt migrate" if pending else None,
    )


def _data(conn: Connection[TupleRow], now: datetime, speed: float) -> Iterator[Check]:
    if load_server(conn).pending_migrations:
        return  # the tables asked for below may not be there yet
    yield from examine_meters(conn, now, speed)
    yield _settling(conn)
    yield _collected(conn, now)
    yield _quarantine(conn, now)


def _settling(conn: Connection[TupleRow]) -> Check:
    backlog = load_backlog(conn)
    oldest = backlog.oldest_marked_at
    # Marked by the machine's clock, whatever the site's.
    waits_long = oldest is not None and datetime.now(UTC) - oldest > _WAITING_LONG
    return Check(
        verdict=Verdict.WARN if waits_long and backlog.days else Verdict.OK,
        subject="settling",
        text=f"{backlog.days} point-days wait.",
        remedy="Is keywatt work running?" if waits_long else None,
    )


def _collected(conn: Connection[TupleRow], now: datetime) -> Check:
    counts = load_outcomes(conn, now - _RECENTLY)
    listed = ", ".join(f"{c.transport} {c.outcome} {c.readings}" for c in counts)
    return Check(
        verdict=Verdict.OK if counts else Verdict.WARN,
        subject="readings",
        text=f"In 24 h: {listed}." if counts else "None arrived in 24 h.",
        remedy=None if counts else "Start: keywatt collect",
    )


def _quarantine(conn: Connection[TupleRow], now: datetime) -> Check:
    refused = load_refused(conn, now - _RECENTLY)
    if not refused:
        text = "Nothing was refused in 24 h."
        return Check(verdict=Verdict.OK, subject="quarantine", text=text)
    listed = ", ".join(f"{r.reason} {r.readings}" for r in refused)
    newest = max(refused, key=lambda r: r.newest_at)
    return Check(
        verdict=Verdict.WARN,
        subject="quarantine",
        text=f"Refused in 24 h: {listed}. The newest is of {newest.newest_source}: "
        f"{newest.newest_text}",
        remedy="Correct the meter or its profile; what was refused is kept.",
    )


def _broker(broker: BrokerAddress) -> Check:
    async def log_in() -> None:
        async with connected(broker, client_id=""):
            pass

    try:
        asyncio.run(log_in())
    except MqttError as exc:
        return Check(verdict=Verdict.FAIL, subject="broker", text=str(exc))
    return Check(verdict=Verdict.OK, subject="broker", text=f"Answers at {broker}.")


def _disk(folder: Path) -> Check:
    while not folder.exists():
        folder = folder.absolute().parent
    free = shutil.disk_usage(folder).free
    verdict = Verdict.OK
    if free < _LITTLE_SPACE:
        verdict = Verdict.WARN if free > _NO_SPACE else Verdict.FAIL
    return Check(
        verdict=verdict,
        subject="disk",
        text=f"{free / 1e9:.1f} GB are free at {folder.absolute()}.",
        remedy=None if verdict is Verdict.OK else "Make room.",
    )


def _embedded() -> Check:
    there = embedded.is_installed()
    return Check(
        verdict=Verdict.OK,
        subject="embedded",
        text="PostgreSQL and broker for keywatt demo are installed."
        if there
        else "keywatt demo has no PostgreSQL and broker of its own here.",
        remedy=None if there else f"To run it, {embedded.INSTALL}",
    )
