"""How meters and those who collect them fare: one line each, with a remedy."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from alerts.meter_clock import LIMIT_S
from keywatt.check import MOST_NAMED, Check, Verdict, named
from keywatt.faring import Faring, load_faring
from keywatt.lengths import in_words
from storage.health import load_meter_health
from storage.stated_multipliers import load_disagreements
from storage.watching import load_watched

LATE_AFTER = timedelta(minutes=15)
"""An interval without a reading in it: nothing can be settled."""


def examine_meters(
    conn: Connection[TupleRow], now: datetime, speed: float
) -> Iterator[Check]:
    """Look at collectors and meters; the database must have all its tables."""
    faring = load_faring(conn, now, speed)
    yield _collectors(faring)
    yield _meters(conn, now)
    yield _polling(faring)
    yield _events(faring)
    yield _clocks(conn, now)
    yield _ratios(conn, now)


def _collectors(faring: Faring) -> Check:
    gone = [beat for beat in faring.collectors if not faring.is_there(beat)]
    there = len(faring.collectors) - len(gone)
    if not gone:
        text = f"{there} there." if there else "None has said that it is there."
        return Check(verdict=Verdict.OK, subject="collectors", text=text)
    told = ", ".join(f"{b.collector} (last {b.beat_at:%Y-%m-%d %H:%M})" for b in gone)
    return Check(
        verdict=Verdict.WARN,
        subject="collectors",
        text=f"{there} there, not there: {told} UTC.",
        remedy="Start it again: keywatt collect, under the same KEYWATT_COLLECTOR_NAME",
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
    told = ", ".join(f"{m.serial} ({_since(m.late_s)})" for m in late[:MOST_NAMED])
    return Check(
        verdict=Verdict.WARN,
        subject="meters",
        text=named(f"{len(late)} of {len(meters)} are late: {told}.", late),
        remedy="Is keywatt collect running, and does it reach them? Its log says.",
    )


def _polling(faring: Faring) -> Check:
    failing = [one for one in faring.troubles if one.text]
    holes = len(faring.troubles) - len(failing)
    told = "; ".join(f"{m.serial}: {m.text}" for m in failing[:MOST_NAMED])
    sentences = []
    if failing:
        sentences.append(named(f"{len(failing)} are not read now: {told}.", failing))
    if holes:
        sentences.append(f"{holes} lack quantities of their type.")
    return Check(
        verdict=Verdict.WARN if failing else Verdict.OK,
        subject="polling",
        text=" ".join(sentences) or "No polled meter is in trouble.",
        remedy="keywatt status shows them all." if failing else None,
    )


def _events(faring: Faring) -> Check:
    events = faring.events
    if not events:
        text = "No meter says that something is wrong with it."
        return Check(verdict=Verdict.OK, subject="events", text=text)
    told = ", ".join(f"{one.serial} ({one.code})" for one in events[:MOST_NAMED])
    return Check(
        verdict=Verdict.WARN,
        subject="events",
        text=named(f"Meters say so of themselves: {told}.", events),
        remedy="keywatt status shows them all.",
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
    told = ", ".join(f"{m.serial} ({_off(m.drift_s)})" for m in wrong[:MOST_NAMED])
    count = f"{len(wrong)} of {len(given)}"
    return Check(
        verdict=Verdict.WARN,
        subject="clocks",
        text=named(f"{count} are off by more than {limit}: {told}.", wrong),
        remedy="Set the meter's clock: its energy comes into the wrong quarter-hour.",
    )


def _off(drift_s: float | None) -> str:
    drift_s = drift_s or 0.0
    how = "ahead" if drift_s > 0 else "behind"
    return f"{in_words(timedelta(seconds=abs(drift_s)))} {how}"


def _ratios(conn: Connection[TupleRow], now: datetime) -> Check:
    found = load_disagreements(conn, now)
    if not found:
        text = "No meter states another multiplier than was entered."
        return Check(verdict=Verdict.OK, subject="ratios", text=text)
    told = "; ".join(
        f"{m.serial} at {m.account}/{m.point} states {m.stated:g}, entered is "
        f"{m.entered:g}"
        for m in found[:MOST_NAMED]
    )
    return Check(
        verdict=Verdict.WARN,
        subject="ratios",
        text=named(f"Meters state another CT x PT: {told}.", found),
        remedy="Look at the transformers' plates; then correct the site file or meter.",
    )


def _since(late_s: float | None) -> str:
    if late_s is None:
        return "no reading ever"
    return f"silent for {in_words(timedelta(seconds=late_s))}"
