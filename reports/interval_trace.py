"""Everything one interval came from: what a person asks who doubts a figure.

TraceError      there is no such point
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from accounts.calendar import SiteCalendar
from analytics.settlement.given import counts_of
from analytics.settlement.verdict import Verdict
from meters.quantity import COLUMN, Quantity
from meters.reading import ReadingBatch, from_utc_us, utc_us
from storage.bills import Bill, load_bills
from storage.edit_records import EditRecord, load_edits
from storage.import_records import ImportRecord, list_undone
from storage.imports import ImportedFile
from storage.master import load_account, load_points
from storage.meter_intervals import LONGEST_OWN, load_meter_intervals
from storage.readings import load_readings
from storage.settled_days import load_settled_days
from storage.settlement_master import (
    ClosedDay,
    SupplyOutage,
    load_closure,
    load_outages,
)
from storage.trace import (
    MeterThere,
    RefusedThen,
    Version,
    load_file_of,
    load_meters_there,
    load_refused_then,
    load_versions,
)

LENGTH = timedelta(minutes=15)
_NEIGHBOURS = 2
_REFUSED_BEFORE, _REFUSED_AFTER = timedelta(minutes=15), timedelta(hours=1)
"""What was refused is known by when it came: a little before, or late."""


class TraceError(LookupError):
    """There is no such point; the sentence names those there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedReading:
    """What a meter said; None = it did not say that."""

    measured_at: datetime
    received_at: datetime
    import_kwh: float | None
    """As the register showed it."""
    export_kwh: float | None
    lagging_kvarh: float | None
    leading_kvarh: float | None
    active_power_kw: float | None
    import_counts: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedOwn:
    """What a meter counted itself of a time that the interval lies in."""

    import_kwh: float
    """Before its multiplier."""
    starts_at: datetime
    length_min: int
    file: ImportedFile | None
    """The file that says so; None = the meter itself does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedMeter:
    """A meter that sat there, and what it said around the interval."""

    meter: MeterThere
    readings: tuple[TracedReading, ...]
    """In the interval and the nearest on either side."""
    own: TracedOwn | None


@dataclass(frozen=True, kw_only=True, slots=True)
class IntervalTrace:
    """One interval of a point, and all that led to it."""

    account: Account
    point: Point
    start: datetime
    stop: datetime
    local_day: date
    versions: tuple[Version, ...]
    """The newest first: what is believed now, if it was ever settled."""
    rules: str | None
    """Code of the rule set that judged its day."""
    verdicts: tuple[Verdict, ...]
    """What broke and touches it, then what held on its day."""
    edits: tuple[EditRecord, ...]
    """The oldest first, also what was undone."""
    meters: tuple[TracedMeter, ...]
    undone: tuple[ImportRecord, ...]
    """Imports that were taken back and had given something of it."""
    refused: tuple[RefusedThen, ...]
    outages: tuple[SupplyOutage, ...]
    """Those that touch it."""
    closure: ClosedDay | None
    """Why the site was closed on its day."""
    bills: tuple[Bill, ...]
    """Those that pin it."""

    @property
    def now(self) -> Version | None:
        """What is believed now."""
        return next((one for one in self.versions if one.replaced_at is None), None)


def interval_trace(
    conn: Connection[TupleRow], account: str | int, point: str, moment: datetime
) -> IntervalTrace:
    """Return what the quarter-hour of a moment came from.

    Parameters
    ----------
    conn : Connection
    account
        Its code or number.
    point
        Its name; a single point needs none: "".
    moment : datetime
        Aware; anywhere in the interval.

    Raises
    ------
    UnknownAccountError
        There is no such account.
    TraceError
        There is no such point.

    """
    owner = load_account(conn, account)
    found = _point(conn, owner, point)
    start = from_utc_us(utc_us(moment) // _us(LENGTH) * _us(LENGTH))
    stop, point_id = start + LENGTH, found.point_id
    local_day = SiteCalendar(owner.time_zone, owner.country).local_day(start)
    judged = load_settled_days(conn, point_id, local_day, local_day)
    there = load_meters_there(conn, point_id, start, stop)
    return IntervalTrace(
        account=owner,
        point=found,
        start=start,
        stop=stop,
        local_day=local_day,
        versions=tuple(load_versions(conn, point_id, start)),
        rules=judged[0].rules if judged else None,
        verdicts=_touching(judged[0].verdicts if judged else (), start, stop),
        edits=tuple(load_edits(conn, point_id, start, stop)),
        meters=tuple(_traced(conn, each, start, stop) for each in there),
        undone=tuple(list_undone(conn, point_id, start, stop)),
        refused=tuple(
            load_refused_then(
                conn,
                [each.meter_id for each in there],
                start - _REFUSED_BEFORE,
                stop + _REFUSED_AFTER,
            )
        ),
        outages=tuple(load_outages(conn, point_id, start, stop)),
        closure=load_closure(conn, owner.account_id, local_day),
        bills=tuple(
            bill
            for bill in load_bills(conn, owner.account_id)
            if bill.withdrawn_at is None and bill.starts_at <= start < bill.stops_at
        ),
    )


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _point(conn: Connection[TupleRow], account: Account, name: str) -> Point:
    points = load_points(conn, account.account_id)
    found = [one for one in points if one.name == name or not name]
    if len(found) != 1:
        known = ", ".join(one.name for one in points) or "none yet"
        wrong = f"No point of {account.code} is called {name}" if name else "Say which"
        raise TraceError(f"{wrong}; there are: {known}.")
    return found[0]


def _touching(
    verdicts: tuple[Verdict, ...], start: datetime, stop: datetime
) -> tuple[Verdict, ...]:
    touching = (
        one
        for one in verdicts
        if one.start_us < utc_us(stop) and one.stop_us > utc_us(start)
    )
    return tuple(sorted(touching, key=lambda one: -one.status))


def _traced(
    conn: Connection[TupleRow], there: MeterThere, start: datetime, stop: datetime
) -> TracedMeter:
    meter_id = there.meter_id
    said = load_readings(conn, meter_id, start, stop, beyond=_NEIGHBOURS)
    return TracedMeter(
        meter=there,
        readings=tuple(_readings(said, there)),
        own=_own(conn, meter_id, start),
    )


def _own(
    conn: Connection[TupleRow], meter_id: int, start: datetime
) -> TracedOwn | None:
    """Return the newest of its own intervals that hold this moment."""
    own = load_meter_intervals(
        conn, meter_id, start - LONGEST_OWN, start + timedelta.resolution
    )
    stop_us = own.start_us + own.length_min * _us(timedelta(minutes=1))
    holding = np.flatnonzero((stop_us > utc_us(start)) & ~np.isnan(own.import_kwh))
    if not holding.size:
        return None
    row = int(holding[-1])
    starts_at = from_utc_us(int(own.start_us[row]))
    return TracedOwn(
        import_kwh=float(own.import_kwh[row]),
        starts_at=starts_at,
        length_min=int(own.length_min[row]),
        file=load_file_of(conn, meter_id, starts_at),
    )


def _readings(said: ReadingBatch, there: MeterThere) -> list[TracedReading]:
    resolution = Fraction(repr(there.register_resolution))

    def known(row: int, quantity: Quantity) -> float | None:
        value = float(said.values[row, COLUMN[quantity]])
        return None if np.isnan(value) else value

    traced = []
    for row in range(len(said)):
        shown = known(row, Quantity.ENERGY_IMPORT_KWH)
        counts = None
        if shown is not None:
            counts = int(counts_of(np.array([shown]), resolution)[0])
        traced.append(
            TracedReading(
                measured_at=from_utc_us(said.measured_us[row]),
                received_at=from_utc_us(said.received_us[row]),
                import_kwh=shown,
                export_kwh=known(row, Quantity.ENERGY_EXPORT_KWH),
                lagging_kvarh=known(row, Quantity.ENERGY_LAGGING_KVARH),
                leading_kvarh=known(row, Quantity.ENERGY_LEADING_KVARH),
                active_power_kw=known(row, Quantity.ACTIVE_POWER_KW),
                import_counts=counts,
            )
        )
    return traced
