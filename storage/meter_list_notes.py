"""What a meter list says that displays showed, stored with who and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.meter_entry import NOT_NOTED, Entry
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
    def opening(self) -> bool:
        """Whether what it showed when it came is another."""
        before = self.was.opening if self.was else None
        return (before or NOT_NOTED) != (self.now.opening or NOT_NOTED)

    @property
    def closing(self) -> bool:
        """Whether what it showed when it left is another."""
        before = self.was.closing if self.was else None
        return (before or NOT_NOTED) != (self.now.closing or NOT_NOTED)

    def rows(self) -> list[tuple[str, datetime, str, int | None, int | None]]:
        """Return what is another, register by register."""
        old = (self.was.opening, self.was.closing) if self.was else (None, None)
        was = zip(*(each or NOT_NOTED for each in old), strict=True)
        new = (self.now.opening or NOT_NOTED, self.now.closing or NOT_NOTED)
        return [
            (self.now.serial, self.now.installed_at, quantity, *is_)
            for quantity, before, is_ in zip(
                REGISTERS, was, zip(*new, strict=True), strict=True
            )
            if before != is_
        ]


def seats_of(planned: Plan) -> set[tuple[object, ...]]:
    """Return which seats were taken since when."""
    return {
        (*entry.seat, at)
        for sittings in planned.before.values()
        for at, entry in sittings.items()
    }


def leaves(was: Entry, is_: Entry, seats: set[tuple[object, ...]]) -> bool:
    """Whether its place must be empty before it comes to another."""
    taken = was.seat != is_.seat and (*is_.seat, is_.installed_at) in seats
    return was.place != is_.place or taken


def notes_of(planned: Plan) -> list[NotedChange]:
    """Return where the list says that displays showed something else."""
    seats = seats_of(planned)
    found = []
    for serial, after in planned.after.items():
        before = planned.before.get(serial, {})
        for at, entry in after.items():
            was = before.get(at)
            stays = was if was and not leaves(was, entry, seats) else None
            change = NotedChange(was=stays, now=entry)
            if change.opening or change.closing:
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
            opening=change.opening,
            closing=change.closing,
            now=now,
        )
