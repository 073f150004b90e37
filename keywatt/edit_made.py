"""Makes what a person asks for of edits: shows it, asks, stores, and settles."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from analytics.settlement.edited_values import EditedValues
from analytics.settlement.intervals import IntArray
from keywatt.settling import Settled, settle_point
from keywatt.settling.trial import settle_on_trial
from reports.edit_trial import Foreseen, foresee
from storage.edits import store_edit, undo_edit
from storage.intervals import refresh_hourly

_HOUR = timedelta(hours=1)


class Change(Protocol):
    """Stores or undoes an edit, and returns its number."""

    def __call__(self, at: datetime, *, on_trial: bool = False) -> int:
        """Do it at a time; on trial, it will be rolled back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a person asks for."""

    account: Account
    point: Point
    by: str
    why: str
    clock: Callable[[], datetime]
    """The site's."""
    billed_too: bool
    settle: bool
    """At once, without a worker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of it."""

    foreseen: Foreseen
    edit_id: int | None
    """None = nothing is stored."""
    settled: Settled | None
    """None = nobody asked for it."""


def setting(conn: Connection[TupleRow], order: Order, values: EditedValues) -> Change:
    """Return what stores an edit."""

    def change(at: datetime, *, on_trial: bool = False) -> int:
        return store_edit(
            conn,
            order.point.point_id,
            values,
            reason=order.why,
            by=order.by,
            at=at,
            billed_too=order.billed_too,
            zone=order.account.time_zone,
            on_trial=on_trial,
        )

    return change


def undoing(conn: Connection[TupleRow], order: Order, edit_id: int) -> Change:
    """Return what undoes an edit."""

    def change(at: datetime, *, on_trial: bool = False) -> int:
        del on_trial
        undo_edit(
            conn,
            edit_id,
            why=order.why,
            by=order.by,
            at=at,
            billed_too=order.billed_too,
            zone=order.account.time_zone,
        )
        return edit_id

    return change


def carry_out(
    conn: Connection[TupleRow],
    order: Order,
    start_us: IntArray,
    change: Change,
    *,
    approve: Callable[[Foreseen], bool],
) -> Outcome:
    """Show what a change would do, and make it if it is approved.

    Parameters
    ----------
    conn : Connection
    order : Order
    start_us : array, shape (k,)
        The intervals that it is about. [microseconds since 1970 UTC]
    change
        From `setting` or `undoing`.
    approve
        Is shown what would change; no transaction is open while it thinks.

    Raises
    ------
    EditError
        It cannot be; nothing is stored.

    """
    now = order.clock()
    foreseen = foresee(
        conn,
        order.account,
        order.point,
        start_us,
        now,
        change=lambda: change(now, on_trial=True),
        settle=settle_on_trial,
    )
    if not approve(foreseen):
        return Outcome(foreseen=foreseen, edit_id=None, settled=None)
    edit_id = change(order.clock())
    conn.commit()
    settled = _settle(conn, order) if order.settle else None
    return Outcome(foreseen=foreseen, edit_id=edit_id, settled=settled)


def _settle(conn: Connection[TupleRow], order: Order) -> Settled:
    now = order.clock()
    settled = settle_point(conn, order.point.point_id, now)
    if settled.first_start is not None:
        conn.autocommit = True
        refresh_hourly(conn, settled.first_start - _HOUR, now)
        conn.autocommit = False
    return settled
