"""Entering time without supply, and taking it back: it stays, and counts no longer.

Errors: `storage.settlement_master.EntryError`, one sentence.
"""

from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Point
from accounts.supply import Outage
from storage.judging import judge_no_past
from storage.marking import mark_time
from storage.settlement_master import (
    REASON_CHANGED,
    EntryError,
    SupplyOutage,
    list_outages,
)

INSERT_OUTAGE = """
    INSERT INTO supply_outage (point_id, start, stop, kind, reason, entered_by,
                               entered_at)
    VALUES (%(point_id)s, %(start)s, %(stop)s, %(kind)s, %(reason)s, %(entered_by)s,
            coalesce(%(now)s, now()))
    RETURNING outage_id
"""
REMOVE_OUTAGE = """
    UPDATE supply_outage
       SET removed_by = %(by)s, removed_at = coalesce(%(now)s, now()),
           removed_why = %(why)s
     WHERE outage_id = %(outage_id)s AND removed_at IS NULL
"""
LOCK_POINT = "SELECT FROM point WHERE point_id = %(point_id)s FOR UPDATE"


def add_outage(
    conn: Connection[TupleRow],
    point: Point,
    outage: Outage,
    *,
    by: str,
    now: datetime | None = None,
) -> tuple[SupplyOutage, int]:
    """Enter time without supply at a point.

    Returns
    -------
    entered : SupplyOutage
    days : int
        How many days are settled again for it.

    Raises
    ------
    EntryError
        The same was entered before, or one of its kind that it overlaps.

    """
    with conn.transaction():
        conn.execute(LOCK_POINT, {"point_id": point.point_id})
        there = list_outages(conn, point_id=point.point_id)
        for one in there:
            if (one.start, one.stop, one.kind) == (
                outage.start,
                outage.stop,
                outage.kind,
            ):
                raise EntryError(
                    f"That outage of point {point.name} is entered already, as"
                    f" {one.outage_id} by {one.entered_by}; remove that one first if"
                    " its reason is to be another."
                )
            overlaps = one.start < outage.stop and outage.start < one.stop
            if overlaps and one.kind == outage.kind:
                raise EntryError(
                    f"Outage {one.outage_id} of point {point.name} is of that time in"
                    " part; remove it first, then enter the whole time as one."
                )
        return insert_outage(conn, point.point_id, outage, by=by, now=now)


def insert_outage(
    conn: Connection[TupleRow],
    point_id: int,
    outage: Outage,
    *,
    by: str,
    now: datetime | None,
) -> tuple[SupplyOutage, int]:
    """Store an outage and mark the days it bears on; the past is not judged again."""
    entered = _store(conn, point_id, outage, by=by, now=now)
    return entered, _mark(conn, entered, now)


def change_reason(
    conn: Connection[TupleRow],
    known: SupplyOutage,
    outage: Outage,
    *,
    by: str,
    now: datetime | None,
) -> None:
    """Let an outage have another reason: it is entered anew, the earlier one stays."""
    _end(conn, known.outage_id, why=REASON_CHANGED, by=by, now=now)
    _store(conn, known.point_id, outage, by=by, now=now)


def remove_outage(
    conn: Connection[TupleRow],
    outage_id: int,
    *,
    reason: str,
    by: str,
    now: datetime | None = None,
) -> tuple[SupplyOutage, int]:
    """Take back an outage; return it and how many days are settled again.

    Raises
    ------
    EntryError
        There is none of that number, it was removed before, or no reason is given.

    """
    if not reason.strip():
        raise EntryError(f"Removing outage {outage_id} needs a reason; give one.")
    with conn.transaction():
        found = list_outages(conn, outage_id=outage_id, removed_too=True)
        if not found:
            raise EntryError(
                f"There is no outage {outage_id}; “keywatt outage list” shows them."
            )
        if found[0].removed_at is not None:
            raise EntryError(
                f"Outage {outage_id} is removed already, by {found[0].removed_by}."
            )
        gone = _end(conn, outage_id, why=reason.strip(), by=by, now=now)
        return gone, _mark(conn, gone, now)


def _store(
    conn: Connection[TupleRow],
    point_id: int,
    outage: Outage,
    *,
    by: str,
    now: datetime | None,
) -> SupplyOutage:
    row = {
        "point_id": point_id,
        "start": outage.start,
        "stop": outage.stop,
        "kind": outage.kind,
        "reason": outage.reason,
        "entered_by": by,
        "now": now,
    }
    made = conn.execute(INSERT_OUTAGE, row).fetchone()
    if made is None:
        raise AssertionError("an insert returns its row")
    (entered,) = list_outages(conn, outage_id=made[0])
    return entered


def _end(
    conn: Connection[TupleRow],
    outage_id: int,
    *,
    why: str,
    by: str,
    now: datetime | None,
) -> SupplyOutage:
    row = {"outage_id": outage_id, "by": by, "why": why, "now": now}
    conn.execute(REMOVE_OUTAGE, row)
    (gone,) = list_outages(conn, outage_id=outage_id, removed_too=True)
    return gone


def _mark(
    conn: Connection[TupleRow], outage: SupplyOutage, now: datetime | None
) -> int:
    judge_no_past(conn, outage.point_id, outage.start)
    return mark_time(conn, outage.point_id, outage.start, outage.stop, now)
