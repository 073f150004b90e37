"""What a meter list says that displays showed, stored with who and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.meter_entry import NOT_NOTED, Entry, Noted
from accounts.meter_plan import Plan
from meters.quantity import REGISTERS
from storage.marking import mark_noted


@dataclass(frozen=True, kw_only=True, slots=True)
class NotedChange:
    """An installation whose notes are to be others."""

    was: Entry | None
    """None: it is new, so that all its days are settled anyway."""
    now: Entry

    @property
    def before(self) -> tuple[Noted, Noted]:
        """What was noted before: opening and closing."""
        was = self.was
        return (NOT_NOTED, NOT_NOTED) if was is None else (was.opening, was.closing)

    def rows(self) -> list[tuple[str, datetime, str, int | None, int | None]]:
        """Return what is another, register by register."""
        was = zip(*self.before, strict=True)
        is_ = zip(self.now.opening, self.now.closing, strict=True)
        return [
            (self.now.serial, self.now.installed_at, quantity, *after)
            for quantity, before, after in zip(REGISTERS, was, is_, strict=True)
            if before != after
        ]


class Seats:
    """Which seats were taken since when, before a list; most lists never ask."""

    def __init__(self, planned: Plan) -> None:
        self._planned = planned

    @cached_property
    def taken(self) -> set[tuple[object, ...]]:
        """Seats, each with the moment from which on."""
        return {
            (*entry.seat, at)
            for sittings in self._planned.before.values()
            for at, entry in sittings.items()
        }


def leaves(was: Entry, is_: Entry, seats: Seats) -> bool:
    """Whether its place must be empty before it comes to another."""
    if was.place != is_.place:
        return True
    return was.role != is_.role and (*is_.seat, is_.installed_at) in seats.taken


def notes_of(planned: Plan, seats: Seats) -> list[NotedChange]:
    """Return where the list says that displays showed something else."""
    found = []
    for serial, after in planned.after.items():
        before = planned.before.get(serial, {})
        for at, entry in after.items():
            was = before.get(at)
            if was is entry:
                continue
            if was is not None and leaves(was, entry, seats):
                was = None
            change = NotedChange(was=was, now=entry)
            if change.before != (entry.opening, entry.closing):
                found.append(change)
    return found


DELETE_NOTES = """
    DELETE FROM swap_reading
     USING installation JOIN meter USING (meter_id),
           unnest(%(serial)s::text[], %(installed_at)s::timestamptz[],
                  %(quantity)s::text[]) AS other (serial, installed_at, quantity)
     WHERE swap_reading.installation_id = installation.installation_id
       AND meter.serial = other.serial
       AND installation.installed_at = other.installed_at
       AND swap_reading.quantity = other.quantity
"""
INSERT_NOTES = """
    INSERT INTO swap_reading (installation_id, quantity, opening_counts, closing_counts,
                              entered_by, entered_at)
    SELECT installation_id, quantity, opening, closing, %(by)s, %(now)s
      FROM unnest(%(serial)s::text[], %(installed_at)s::timestamptz[],
                  %(quantity)s::text[], %(opening)s::bigint[], %(closing)s::bigint[])
           AS noted (serial, installed_at, quantity, opening, closing)
      JOIN meter USING (serial)
      JOIN installation USING (meter_id, installed_at)
     WHERE coalesce(opening, closing) IS NOT NULL
"""
SELECT_SITTING = """
    SELECT point_id, meter_id FROM installation JOIN meter USING (meter_id)
     WHERE serial = %(serial)s AND installed_at = %(installed_at)s
"""


def write_notes(
    conn: Connection[TupleRow],
    changes: Sequence[NotedChange],
    *,
    by: str,
    now: datetime,
) -> None:
    """Store what displays showed, and mark the days that it bears on."""
    rows = [row for change in changes for row in change.rows()]
    if not rows:
        return
    names = ("serial", "installed_at", "quantity", "opening", "closing")
    columns: dict[str, object] = {
        name: list(column)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    conn.execute(DELETE_NOTES, columns)
    conn.execute(INSERT_NOTES, columns | {"by": by, "now": now})
    for change in changes:
        if change.was is not None:
            _mark(conn, change, now)


def _mark(conn: Connection[TupleRow], change: NotedChange, now: datetime) -> None:
    sat = {"serial": change.now.serial, "installed_at": change.now.installed_at}
    for point_id, meter_id in conn.execute(SELECT_SITTING, sat).fetchall():
        mark_noted(
            conn,
            point_id,
            meter_id,
            change.now.installed_at,
            change.now.removed_at,
            opening=change.before[0] != change.now.opening,
            closing=change.before[1] != change.now.closing,
            now=now,
        )
