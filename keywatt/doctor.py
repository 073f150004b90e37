"""What is reachable, set up, late, waiting or refused: one line each, with a remedy."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from alerts.meter_clock import LIMIT_S
from collector.mqtt.broker import BrokerAddress, MqttError
from collector.mqtt.publish import connected
from keywatt import embedded
from keywatt.faring import Faring, load_faring
from keywatt.lengths import in_words
from keywatt.settings import Settings
from storage.database import DatabaseError, connect, place
from storage.health import (
    load_backlog,
    load_meter_health,
    load_outcomes,
    load_refused,
    load_server,
)
from storage.watching import load_watched

LATE_AFTER = timedelta(minutes=15)
"""An interval without a reading in it: nothing can be settled."""
_WAITING_LONG = timedelta(minutes=10)
_RECENTLY = timedelta(hours=24)
_LITTLE_SPACE, _NO_SPACE = 2_000_000_000, 200_000_000
_MOST_NAMED = 5


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at."""

    verdict: Verdict
    subject: str
    text: str
    remedy: str | None = None


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
    faring = load_faring(conn, now, speed)
    yield _collectors(faring)
    yield _meters(conn, now)
    yield _polling(faring)
    yield _events(faring)
    yield _clocks(conn, now)
    yield _settling(conn)
    yield _collected(conn, now)
    yield _quarantine(conn, now)


def _collectors(faring: Faring) -> Check:
    gone = [beat for beat in faring.collectors if not faring.is_there(beat)]
    there = len(faring.collectors) - len(gone)
    if not gone:
        text = f"{there} there." if there else "None has said that it is there."
        return Check(verdict=Verdict.OK, subject="collectors", text=text)
    named = ", ".join(f"{b.collector} (last {b.beat_at:%Y-%m-%d %H:%M})" for b in gone)
    return Check(
        verdict=Verdict.WARN,
        subject="collectors",
        text=f"{there} there, not there: {named} UTC.",
        remedy="Start it again: keywatt collect, under the same KEYWATT_COLLECTOR_NAME",
    )


def _polling(faring: Faring) -> Check:
    failing = [one for one in faring.troubles if one.text]
    holes = len(faring.troubles) - len(failing)
    named = "; ".join(f"{m.serial}: {m.text}" for m in failing[:_MOST_NAMED])
    sentences = []
    if failing:
        sentences.append(f"{len(failing)} are not read now: {named}.")
    sentences += _not_named(len(failing))
    if holes:
        sentences.append(f"{holes} lack quantities of their type.")
    return Check(
        verdict=Verdict.WARN if failing else Verdict.OK,
        subject="polling",
        text=" ".join(sentences) or "No polled meter is in trouble.",
        remedy="keywatt status shows them all." if failing else None,
    )


def _not_named(count: int) -> list[str]:
    """Say that some are not named where there are too many."""
    left = count - _MOST_NAMED
    return [f"Not named here: {left}."] if left > 0 else []


def _sentences(named: str, count: int) -> str:
    """Put what names the first of some before how many are not named."""
    return " ".join([named, *_not_named(count)])


def _events(faring: Faring) -> Check:
    events = faring.events
    if not events:
        text = "No meter says that something is wrong with it."
        return Check(verdict=Verdict.OK, subject="events", text=text)
    named = ", ".join(f"{one.serial} ({one.code})" for one in events[:_MOST_NAMED])
    return Check(
        verdict=Verdict.WARN,
        subject="events",
        text=_sentences(f"Meters say so of themselves: {named}.", len(events)),
        remedy="keywatt status shows them all.",
    )


def _meters(conn: Connection[TupleRow], now: datetime) -> Check:
    meters = load_meter_health(conn, now)
    if not meters:
        return Check(
            verdict=Verdict.WARN,
            subject="meters",
            text="None is entered.",
            remedy="Run: keywatt site apply FILE",
        )
    limit_s = LATE_AFTER.total_seconds()
    late = [m for m in meters if m.late_s is None or m.late_s > limit_s]
    if not late:
        return Check(
            verdict=Verdict.OK,
            subject="meters",
            text=f"All {len(meters)} gave a reading within {in_words(LATE_AFTER)}.",
        )
    named = ", ".join(f"{m.serial} ({_since(m.late_s)})" for m in late[:_MOST_NAMED])
    return Check(
        verdict=Verdict.WARN,
        subject="meters",
        text=_sentences(f"{len(late)} of {len(meters)} are late: {named}.", len(late)),
        remedy="Is keywatt collect running, and does it reach them? Its log says.",
    )


def _clocks(conn: Connection[TupleRow], now: datetime) -> Check:
    given = [m for m in load_watched(conn, now) if m.drift_s is not None]
    off = sorted(((abs(m.drift_s or 0.0), m) for m in given), key=lambda one: -one[0])
    wrong = [meter for off_s, meter in off if off_s > LIMIT_S]
    limit = in_words(timedelta(seconds=LIMIT_S))
    if not wrong:
        text = f"All {len(given)} that could be compared are within {limit}."
        return Check(
            verdict=Verdict.OK,
            subject="clocks",
            text=text if given else "No meter's clock could be compared yet.",
        )
    named = ", ".join(f"{m.serial} ({_off(m.drift_s)})" for m in wrong[:_MOST_NAMED])
    count = f"{len(wrong)} of {len(given)}"
    return Check(
        verdict=Verdict.WARN,
        subject="clocks",
        text=_sentences(f"{count} are off by more than {limit}: {named}.", len(wrong)),
        remedy="Set the meter's clock: its energy comes into the wrong quarter-hour.",
    )


def _off(drift_s: float | None) -> str:
    drift_s = drift_s or 0.0
    how = "ahead" if drift_s > 0 else "behind"
    return f"{in_words(timedelta(seconds=abs(drift_s)))} {how}"


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


def _since(late_s: float | None) -> str:
    if late_s is None:
        return "no reading ever"
    return f"silent for {in_words(timedelta(seconds=late_s))}"
