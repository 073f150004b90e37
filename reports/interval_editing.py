"""A person's figure for one interval, from a page: only at a point that is theirs."""

from datetime import datetime

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from analytics.settlement.edited_values import EditedValues, EditError
from meters.reading import utc_us
from reports.edit_trial import Foreseen, SettleOnTrial, foresee
from reports.interval_trace import LENGTH
from storage.edit_records import load_edits
from storage.edits import store_edit, undo_edit


def foresee_edit(
    conn: Connection[TupleRow],
    account: Account,
    point: Point,
    start: datetime,
    import_kwh: float,
    *,
    why: str,
    who: str,
    now: datetime,
    settle: SettleOnTrial,
) -> Foreseen:
    """Say what `edit_interval` would change and what the rules would say of it.

    The connection is rolled back.

    Raises
    ------
    EditError
        It cannot be, or a bill pins it.

    """
    return foresee(
        conn,
        account,
        point,
        np.array([utc_us(start)]),
        now,
        change=lambda: store_edit(
            conn,
            point.point_id,
            _values(start, import_kwh),
            reason=why,
            by=who,
            at=now,
            on_trial=True,
        ),
        settle=settle,
    )


def edit_interval(
    conn: Connection[TupleRow],
    point_id: int,
    start: datetime,
    import_kwh: float,
    *,
    why: str,
    who: str,
    now: datetime,
) -> int:
    """Set the import of one quarter-hour; return the edit's number.

    The caller owns the transaction. It shows once the day is settled again.

    Raises
    ------
    EditError
        It cannot be, or a bill pins it.

    """
    values = _values(start, import_kwh)
    return store_edit(conn, point_id, values, reason=why, by=who, at=now)


def _values(start: datetime, import_kwh: float) -> EditedValues:
    return EditedValues.of_import(np.array([utc_us(start)]), np.array([import_kwh]))


def undo(
    conn: Connection[TupleRow],
    point_id: int,
    start: datetime,
    edit_id: int,
    *,
    why: str,
    who: str,
    now: datetime,
) -> None:
    """Undo an edit of an interval, with all else that it set.

    Raises
    ------
    EditError
        It is no edit of this interval, it is undone already, or a bill pins it.

    """
    theirs = load_edits(conn, point_id, start, start + LENGTH)
    if edit_id not in {one.edit_id for one in theirs}:
        raise EditError(f"There is no edit {edit_id} of this interval.")
    undo_edit(conn, edit_id, why=why, by=who, at=now)
