"""Settles days to see what they would become, in a transaction that is taken back."""

from collections.abc import Collection
from datetime import date, datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from keywatt.settling.days import DAY
from keywatt.settling.master import load_master
from keywatt.settling.point import Run


def settle_on_trial(
    conn: Connection[TupleRow], point_id: int, days: Collection[date], now: datetime
) -> None:
    """Settle some days of a point just as a pass does, and commit nothing.

    What the caller did before in the transaction counts, such as an edit that it tries.
    It looks at what comes of it and rolls back. Days stay dirty.

    Parameters
    ----------
    conn : Connection
        Which has the point to itself (`storage.dirty.wait_for_point`).
    point_id : int
    days
        Local ones, none later than today.
    now : datetime
        The site's time.

    """
    run = Run(conn, load_master(conn, point_id), now)
    last = max(days)
    for _ in run.settle(days, last + DAY, last):
        pass
