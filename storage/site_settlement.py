"""What a site file says for settlement, stored with who and when.

Multipliers by date, register notes at swaps, closures, time without supply. What is
there already is not written again; what is another than before has the days it bears
on settled again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.multiplier import differing_times
from accounts.site import SiteMeter
from accounts.supply import Closure, Outage
from meters.quantity import Quantity
from storage.closures import close, reopen
from storage.dirty import REACH_MIN
from storage.marking import mark_noted, mark_time
from storage.outages import change_reason, insert_outage, remove_outage
from storage.settlement_master import LEFT_FILE, list_closures, list_outages
from storage.site_installations import Sitting

FROM_FILE = " (site file)"
"""At the end of who entered it: what a file no longer holds goes, all else stays."""
_REACH = timedelta(minutes=REACH_MIN)
_Counts = tuple[int | None, int | None]
"""Opening and closing."""


@dataclass(frozen=True, slots=True)
class Entering:
    """Who enters what a file says, and when."""

    by: str
    now: datetime | None
    """None: the server's."""

    @classmethod
    def of_file(cls, by: str, now: datetime | None) -> "Entering":
        """Say that it came by a site file."""
        return cls(by.removesuffix(FROM_FILE) + FROM_FILE, now)


SELECT_CHANGES = """
    SELECT since, multiplier FROM multiplier_change
     WHERE installation_id = %(installation_id)s
"""
DELETE_CHANGE = """
    DELETE FROM multiplier_change
     WHERE installation_id = %(installation_id)s AND since = %(since)s
"""
UPSERT_CHANGE = """
    INSERT INTO multiplier_change (installation_id, since, multiplier, entered_by,
                                   entered_at)
    VALUES (%(installation_id)s, %(since)s, %(multiplier)s, %(by)s,
            coalesce(%(now)s, now()))
    ON CONFLICT (installation_id, since) DO UPDATE
       SET multiplier = excluded.multiplier, entered_by = excluded.entered_by,
           entered_at = excluded.entered_at
"""


def apply_details(
    conn: Connection[TupleRow],
    sitting: Sequence[tuple[Sitting, SiteMeter]],
    entering: Entering,
) -> None:
    """Store multipliers by date and register notes of a point's installations."""
    for installed, meter in sitting:
        changes = {each.since: each.multiplier for each in meter.multiplier_changes}
        _apply_changes(conn, installed, changes, entering)
        opening, closing = meter.opening_counts, meter.closing_counts
        notes = {
            quantity: (opening.get(quantity), closing.get(quantity))
            for quantity in opening.keys() | closing.keys()
        }
        apply_notes(conn, installed, notes, entering)


def _apply_changes(
    conn: Connection[TupleRow],
    installed: Sitting,
    entered: Mapping[datetime, Decimal],
    entering: Entering,
) -> None:
    row = {
        "installation_id": installed.installation_id,
        "by": entering.by,
        "now": entering.now,
    }
    stored: dict[datetime, Decimal] = dict(conn.execute(SELECT_CHANGES, row).fetchall())
    for since in stored.keys() - entered.keys():
        conn.execute(DELETE_CHANGE, row | {"since": since})
    for since, multiplier in entered.items():
        if stored.get(since) != multiplier:
            said = {"since": since, "multiplier": multiplier}
            conn.execute(UPSERT_CHANGE, row | said)
    for start, stop in differing_times(stored, entered):
        end = stop or installed.removed_at
        until = None if end is None else end + _REACH
        mark_time(conn, installed.point_id, start - _REACH, until, entering.now)


SELECT_NOTES = """
    SELECT quantity, opening_counts, closing_counts FROM swap_reading
     WHERE installation_id = %(installation_id)s
"""
DELETE_NOTE = """
    DELETE FROM swap_reading
     WHERE installation_id = %(installation_id)s AND quantity = %(quantity)s
"""
UPSERT_NOTE = """
    INSERT INTO swap_reading (installation_id, quantity, opening_counts, closing_counts,
                              entered_by, entered_at)
    VALUES (%(installation_id)s, %(quantity)s, %(opening)s, %(closing)s, %(by)s,
            coalesce(%(now)s, now()))
    ON CONFLICT (installation_id, quantity) DO UPDATE
       SET opening_counts = excluded.opening_counts,
           closing_counts = excluded.closing_counts,
           entered_by = excluded.entered_by, entered_at = excluded.entered_at
"""


def apply_notes(
    conn: Connection[TupleRow],
    installed: Sitting,
    entered: Mapping[Quantity, _Counts],
    entering: Entering,
) -> None:
    """Let what is noted of an installation's registers be what is entered."""
    row = {
        "installation_id": installed.installation_id,
        "by": entering.by,
        "now": entering.now,
    }
    stored: dict[str, _Counts] = {
        quantity: (opening, closing)
        for quantity, opening, closing in conn.execute(SELECT_NOTES, row)
    }
    none: _Counts = (None, None)
    changed = [False, False]
    for quantity in stored.keys() | entered.keys():
        was, is_ = stored.get(quantity, none), entered.get(Quantity(quantity), none)
        if was == is_:
            continue
        said = row | {"quantity": quantity, "opening": is_[0], "closing": is_[1]}
        conn.execute(DELETE_NOTE if is_ == none else UPSERT_NOTE, said)
        changed = [c or a != b for c, a, b in zip(changed, was, is_, strict=True)]
    opening, closing = changed
    mark_noted(
        conn,
        installed.point_id,
        installed.meter_id,
        installed.installed_at,
        installed.removed_at,
        opening=opening,
        closing=closing,
        now=entering.now,
    )


def apply_closures(
    conn: Connection[TupleRow],
    account_id: int,
    entered: Iterable[Closure],
    entering: Entering,
) -> None:
    """Let an account be closed on the days that a file says."""
    reasons = {day: each.reason for each in entered for day in each.days()}
    stored = list_closures(conn, account_id)
    ours = {one.day for one in stored if one.entered_by.endswith(FROM_FILE)}
    by, now = entering.by, entering.now
    left = sorted(ours - reasons.keys())
    reopen(conn, account_id, left, reason=LEFT_FILE, by=by, now=now)
    for day, reason in reasons.items():
        close(conn, account_id, [day], reason=reason, by=by, now=now)


def apply_outages(
    conn: Connection[TupleRow],
    point_id: int,
    entered: Iterable[Outage],
    entering: Entering,
) -> None:
    """Let a point be without supply when a file says so."""
    stored = {
        (one.start, one.stop, one.kind): one
        for one in list_outages(conn, point_id=point_id)
    }
    wanted: dict[tuple[datetime, datetime, str], Outage] = {
        (one.start, one.stop, one.kind): one for one in entered
    }
    by, now = entering.by, entering.now
    for when, there in stored.items():
        if not there.entered_by.endswith(FROM_FILE):
            continue
        outage = wanted.get(when)
        if outage is None:
            remove_outage(conn, there.outage_id, reason=LEFT_FILE, by=by, now=now)
        elif outage.reason != there.reason:
            change_reason(conn, there, outage, by=by, now=now)
    for when in wanted.keys() - stored.keys():
        insert_outage(conn, point_id, wanted[when], by=by, now=now)
