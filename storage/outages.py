"""Entering time without supply, and taking it back.

Errors: `storage.settlement_master.EntryError`, one sentence.
"""

from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Point
from accounts.supply import Outage
from storage.marking import mark_time
from storage.settlement_master import EntryError, SupplyOutage, list_outages

INSERT_OUTAGE = """
    INSERT INTO supply_outage (point_id, start, stop, kind, reason, entered_by,
                               entered_at)
    VALUES (%(point_id)s, %(start)s, %(stop)s, %(kind)s, %(reason)s, %(entered_by)s,
            coalesce(%(now)s, now()))
    RETURNING outage_id
"""
DELETE_OUTAGE = "DELETE FROM supply_outage WHERE outage_id = %(outage_id)s"
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
    """Store an outage and mark the days it bears on."""
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
    return entered, mark_time(conn, point_id, outage.start, outage.stop, now)


def remove_outage(
    conn: Connection[TupleRow], outage_id: int, now: datetime | None = None
) -> tuple[SupplyOutage, int]:
    """Take back an outage; return what it was and how many days are settled again.

    Raises
    ------
    EntryError
        There is none of that number.

    """
    with conn.transaction():
        found = list_outages(conn, outage_id=outage_id)
        if not found:
            raise EntryError(
                f"There is no outage {outage_id}; “keywatt outage list” shows them."
            )
        conn.execute(DELETE_OUTAGE, {"outage_id": outage_id})
        (gone,) = found
        return gone, mark_time(conn, gone.point_id, gone.start, gone.stop, now)
