"""Billed periods, each pinned to what was believed at a moment, with its sums.

BillError       a bill cannot be pinned or withdrawn; nothing is stored
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from analytics.settlement.intervals import FloatArray, Intervals, Quality
from storage.intervals import LoadSum, load_intervals


class BillError(ValueError):
    """A bill cannot be pinned or withdrawn; the sentence says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BilledEnergy(LoadSum):
    """What one point was billed."""

    point_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """A period that was billed."""

    bill_id: int
    account_id: int
    first_day: date
    last_day: date
    starts_at: datetime
    stops_at: datetime
    """Its bounds by the account's clock."""
    as_of: datetime
    note: str
    pinned_by: str
    pinned_at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    withdrawn_why: str | None


# Whoever settles a point holds this lock: what is on its way is part of the bill. So
# does who tries an edit, who looks at bills then: hence points before the account.
LOCK_POINTS = """
    SELECT point_id, pg_advisory_xact_lock(point_id, -2147483648)
      FROM (SELECT point_id FROM point WHERE account_id = %(account_id)s
             ORDER BY point_id) AS its
"""
SELECT_OVERLAPPING = """
    SELECT bill_id, first_day, last_day
      FROM billed_period
     WHERE account_id = %(account_id)s AND withdrawn_at IS NULL
       AND first_day <= %(last_day)s AND last_day >= %(first_day)s
     ORDER BY bill_id LIMIT 1
"""
SELECT_BOUNDS = """
    SELECT day_begins(%(first_day)s::date, time_zone),
           day_begins(%(last_day)s::date + 1, time_zone), time_zone
      FROM account WHERE account_id = %(account_id)s
       FOR UPDATE
"""
INSERT_BILL = """
    INSERT INTO billed_period (account_id, first_day, last_day, as_of, note, pinned_by,
                               pinned_at)
    VALUES (%(account_id)s, %(first_day)s, %(last_day)s, %(as_of)s, %(note)s, %(by)s,
            %(at)s)
    RETURNING bill_id
"""
INSERT_ENERGY = """
    INSERT INTO billed_energy (bill_id, point_id, import_kwh, export_kwh, lagging_kvarh,
                               leading_kvarh, max_import_kw, measured, estimated,
                               edited, missing)
    VALUES (%(bill_id)s, %(point_id)s, %(import_kwh)s, %(export_kwh)s,
            %(lagging_kvarh)s, %(leading_kvarh)s, %(max_import_kw)s, %(measured)s,
            %(estimated)s, %(edited)s, %(missing)s)
"""


def pin_bill(
    conn: Connection[TupleRow],
    account_id: int,
    first_day: date,
    last_day: date,
    *,
    as_of: datetime,
    by: str,
    note: str = "",
    at: datetime | None = None,
) -> int:
    """Pin what was believed of a period at a moment, and keep its sums.

    The caller owns the transaction.

    Parameters
    ----------
    conn : Connection
    account_id : int
    first_day, last_day : date
        Local days, both included.
    as_of : datetime
        The site's time at which the bill was made: not later than `at`.
    by
        Who.
    note
        Such as the bill's number elsewhere.
    at : datetime, optional
        The site's time now; `as_of` unless said.

    Returns
    -------
    int
        Number of the bill.

    Raises
    ------
    BillError
        The period is not over, another bill holds a part of it, or nobody is named.

    """
    asked = {
        "account_id": account_id,
        "first_day": first_day,
        "last_day": last_day,
        "as_of": as_of,
        "by": by,
        "note": note,
        "at": at or as_of,
    }
    points = conn.execute(LOCK_POINTS, asked).fetchall()
    row = conn.execute(SELECT_BOUNDS, asked).fetchone()
    if row is None:
        raise BillError(f"There is no account {account_id}.")
    bounds, zone = row[:2], ZoneInfo(row[2])
    _refuse(asked, bounds, zone, conn.execute(SELECT_OVERLAPPING, asked).fetchone())
    row = conn.execute(INSERT_BILL, asked).fetchone()
    bill_id = int(row[0]) if row else 0
    for point_id, _ in points:
        billed = load_intervals(conn, point_id, *bounds, as_of=as_of)
        sums = {"bill_id": bill_id, "point_id": point_id, **sums_of(billed)}
        conn.execute(INSERT_ENERGY, sums)
    return bill_id


def _refuse(
    asked: dict[str, object],
    bounds: tuple[datetime, ...],
    zone: ZoneInfo,
    other: tuple[int, date, date] | None,
) -> None:
    first_day, last_day = asked["first_day"], asked["last_day"]
    as_of, at = asked["as_of"], asked["at"]
    if not str(asked["by"]).strip():
        raise BillError("The bill has no name of who pins it; give one.")
    if bounds[1] <= bounds[0]:
        raise BillError(f"The bill ends on {last_day}, before {first_day}.")
    if not isinstance(as_of, datetime) or not isinstance(at, datetime):
        raise TypeError("a bill's moments are datetimes")
    told = f"{as_of.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    if as_of > at:
        raise BillError(
            f"Nobody knows yet what is believed at {told}; give an earlier moment."
        )
    if bounds[1] > as_of:
        raise BillError(f"{last_day} was not over at {told}; pin the bill later.")
    if other is not None:
        raise BillError(
            f"Bill {other[0]} of {other[1]} to {other[2]} pins a part of {first_day} "
            f"to {last_day}; withdraw it first."
        )


def sums_of(intervals: Intervals) -> dict[str, float | int | None]:
    """Return what intervals add up to, to the millionth, by the names of `LoadSum`."""
    power_kw = intervals.power_kw

    def total(column: FloatArray) -> float | None:
        known = column[~np.isnan(column)]
        return round(float(known.sum()), 6) if known.size else None

    known_kw = power_kw[~np.isnan(power_kw)]
    return {
        "import_kwh": total(intervals.import_kwh),
        "export_kwh": total(intervals.export_kwh),
        "lagging_kvarh": total(intervals.lagging_kvarh),
        "leading_kvarh": total(intervals.leading_kvarh),
        "max_import_kw": float(known_kw.max()) if known_kw.size else None,
        **{each.value: int((intervals.quality == each).sum()) for each in Quality},
    }


WITHDRAW_BILL = """
    UPDATE billed_period
       SET withdrawn_by = %(by)s, withdrawn_at = %(at)s, withdrawn_why = %(why)s
     WHERE bill_id = %(bill_id)s AND withdrawn_at IS NULL
    RETURNING bill_id
"""


def withdraw_bill(
    conn: Connection[TupleRow], bill_id: int, *, why: str, by: str, at: datetime
) -> None:
    """Let a bill pin nothing any more; it is kept.

    Raises
    ------
    BillError
        There is no such bill, it is withdrawn already, or who and why are not said.

    """
    for what, said in (("reason", why), ("name of who", by)):
        if not said.strip():
            raise BillError(f"Withdrawing bill {bill_id} needs a {what}; give one.")
    asked = {"bill_id": bill_id, "by": by, "at": at, "why": why.strip()}
    if conn.execute(WITHDRAW_BILL, asked).fetchone() is None:
        raise BillError(f"There is no bill {bill_id} that is not withdrawn already.")


SELECT_BILLS = """
    SELECT bill_id, account_id, first_day, last_day,
           day_begins(first_day, time_zone) AS starts_at,
           day_begins(last_day + 1, time_zone) AS stops_at,
           as_of, note, pinned_by, pinned_at, withdrawn_by, withdrawn_at,
           withdrawn_why
      FROM billed_period JOIN account USING (account_id)
     WHERE (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
       AND (%(bill_id)s::int IS NULL OR bill_id = %(bill_id)s)
     ORDER BY first_day, bill_id
"""


def load_bills(
    conn: Connection[TupleRow],
    account_id: int | None = None,
    *,
    bill_id: int | None = None,
) -> list[Bill]:
    """Return bills of an account, one bill, or all; withdrawn ones too."""
    asked = {"account_id": account_id, "bill_id": bill_id}
    with conn.cursor(row_factory=class_row(Bill)) as cur:
        return cur.execute(SELECT_BILLS, asked).fetchall()


SELECT_BILLED_ENERGY = """
    SELECT point_id, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
           max_import_kw, measured, estimated, edited, missing
      FROM billed_energy
     WHERE bill_id = %(bill_id)s
     ORDER BY point_id
"""


def load_billed_energy(conn: Connection[TupleRow], bill_id: int) -> list[BilledEnergy]:
    """Return what a bill says of each point."""
    with conn.cursor(row_factory=class_row(BilledEnergy)) as cur:
        return cur.execute(SELECT_BILLED_ENERGY, {"bill_id": bill_id}).fetchall()


SELECT_BILLED_KWH = """
    SELECT bill_id, sum(import_kwh) FROM billed_energy
     WHERE bill_id = ANY(%(bill_ids)s) GROUP BY bill_id
"""


def load_billed_kwh(
    conn: Connection[TupleRow], bill_ids: Sequence[int]
) -> dict[int, float | None]:
    """Return the import that bills were pinned with, of all their points. [kWh]."""
    asked = {"bill_ids": list(bill_ids)}
    return dict(conn.execute(SELECT_BILLED_KWH, asked).fetchall())


SELECT_PINNED_UNTIL = """
    SELECT max(as_of) FROM billed_period JOIN point USING (account_id)
     WHERE point_id = %(point_id)s AND as_of >= %(now)s
"""


def after_bills(conn: Connection[TupleRow], point_id: int, now: datetime) -> datetime:
    """Return when a point is settled that began to be settled at a time.

    A bill may have been pinned since, between two passes: what is stored after it was
    not believed yet at its moment.
    """
    asked = {"point_id": point_id, "now": now}
    row = conn.execute(SELECT_PINNED_UNTIL, asked).fetchone()
    as_of = row[0] if row else None
    return now if as_of is None else as_of + timedelta(microseconds=1)
