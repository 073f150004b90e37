"""A meter list becomes master data: ten thousand lines in a few statements.

Everything is planned from what is stored (`accounts.meter_plan`) while nobody else may
change it, and then written set by set.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from psycopg import Connection
from psycopg.rows import TupleRow, dict_row

from accounts.meter_entry import NOT_NOTED, PARTICULARS, Entry, Refused
from accounts.meter_plan import Plan, Stored, plan
from meters.quantity import REGISTERS
from storage.dirty import REACH_MIN
from storage.meter_list_notes import Seats, leaves, notes_of, write_notes
from storage.site import LOCK_METERS

_REACH = timedelta(minutes=REACH_MIN)

SELECT_ENTRIES = """
    SELECT account.code AS account, point.name AS point, serial, profile, transport,
           framing, host, port, device, baud_rate, parity, stop_bits, unit,
           poll_every_s, installed_at, removed_at, ratio, register_digits,
           register_resolution, role, opening, closing
      FROM installation
      JOIN meter USING (meter_id)
      JOIN point USING (point_id)
      JOIN account USING (account_id)
      LEFT JOIN (SELECT installation_id,
                        array_agg(opening_counts ORDER BY nth) AS opening,
                        array_agg(closing_counts ORDER BY nth) AS closing
                   FROM (SELECT DISTINCT installation_id FROM swap_reading) AS noted
                  CROSS JOIN unnest(%(registers)s::text[])
                             WITH ORDINALITY AS register (quantity, nth)
                   LEFT JOIN swap_reading USING (installation_id, quantity)
                  GROUP BY installation_id) AS shown USING (installation_id)
     WHERE (%(since)s::timestamptz IS NULL OR coalesce(removed_at > %(since)s, true))
     ORDER BY account.code, point.name, installed_at
"""
SELECT_POINTS = """
    SELECT account.code, array_remove(array_agg(point.name), NULL)
      FROM account LEFT JOIN point USING (account_id)
     GROUP BY account.code
"""
ADD_POINTS = """
    INSERT INTO point (account_id, name)
    SELECT account_id, entered.point
      FROM unnest(%(account)s::text[], %(point)s::text[]) AS entered (account, point)
      JOIN account ON account.code = entered.account
     ORDER BY 1, 2
    ON CONFLICT (account_id, name) DO NOTHING
"""
UPSERT_METERS = """
    INSERT INTO meter (serial, profile, transport, framing, host, port, device,
                       baud_rate, parity, stop_bits, unit, poll_every_s)
    SELECT * FROM unnest(%(serial)s::text[], %(profile)s::text[], %(transport)s::text[],
                         %(framing)s::text[], %(host)s::text[], %(port)s::int[],
                         %(device)s::text[], %(baud_rate)s::int[], %(parity)s::text[],
                         %(stop_bits)s::int[], %(unit)s::int[],
                         %(poll_every_s)s::double precision[])
    ON CONFLICT (serial) DO UPDATE
       SET profile = excluded.profile, transport = excluded.transport,
           framing = excluded.framing, host = excluded.host, port = excluded.port,
           device = excluded.device, baud_rate = excluded.baud_rate,
           parity = excluded.parity, stop_bits = excluded.stop_bits,
           unit = excluded.unit, poll_every_s = excluded.poll_every_s
"""
DELETE_INSTALLATIONS = """
    DELETE FROM installation
     USING meter, unnest(%(serial)s::text[], %(installed_at)s::timestamptz[])
                  AS gone (serial, installed_at)
     WHERE meter.serial = gone.serial AND installation.meter_id = meter.meter_id
       AND installation.installed_at = gone.installed_at
"""
UPSERT_INSTALLATIONS = """
    INSERT INTO installation (point_id, meter_id, role, installed_at, removed_at, ratio,
                              register_digits, register_resolution)
    SELECT point_id, meter_id, role, installed_at, removed_at, ratio, register_digits,
           register_resolution
      FROM unnest(%(account)s::text[], %(point)s::text[], %(serial)s::text[],
                  %(installed_at)s::timestamptz[], %(removed_at)s::timestamptz[],
                  %(ratio)s::int[], %(register_digits)s::int[],
                  %(register_resolution)s::double precision[], %(role)s::text[])
           AS entered (account, point, serial, installed_at, removed_at, ratio,
                       register_digits, register_resolution, role)
      JOIN account ON account.code = entered.account
      JOIN point ON (point.account_id, point.name) = (account.account_id, entered.point)
      JOIN meter ON meter.serial = entered.serial
    ON CONFLICT (meter_id, installed_at) DO UPDATE
       SET role = excluded.role, removed_at = excluded.removed_at,
           ratio = excluded.ratio, register_digits = excluded.register_digits,
           register_resolution = excluded.register_resolution
"""
# Days with readings of the meter, or with settled intervals of the point, which the
# installation now or before tells how to settle.
MARK_DIRTY = """
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT DISTINCT touched.point_id, day::date
      FROM (SELECT point_id, meter_id, time_zone,
                   greatest(since, known.first) AT TIME ZONE time_zone AS since,
                   least(until, known.last) AT TIME ZONE time_zone AS until
              FROM unnest(%(account)s::text[], %(point)s::text[], %(serial)s::text[],
                          %(since)s::timestamptz[], %(until)s::timestamptz[])
                   AS entered (account, point, serial, since, until)
              JOIN account ON account.code = entered.account
              JOIN point ON (point.account_id, point.name)
                          = (account.account_id, entered.point)
              JOIN meter ON meter.serial = entered.serial
             CROSS JOIN LATERAL (
                   SELECT least((SELECT min(measured_at) FROM reading
                                  WHERE reading.meter_id = meter.meter_id),
                                (SELECT min(start) FROM energy_interval AS settled
                                  WHERE settled.point_id = point.point_id)) AS first,
                          greatest((SELECT max(measured_at) FROM reading
                                     WHERE reading.meter_id = meter.meter_id),
                                   (SELECT max(start) FROM energy_interval AS settled
                                     WHERE settled.point_id = point.point_id)) AS last
                   ) AS known
           ) AS touched
     CROSS JOIN generate_series(since::date::timestamp, until::date::timestamp,
                                interval '1 day') AS day
     WHERE EXISTS (SELECT FROM reading
                    WHERE reading.meter_id = touched.meter_id
                      AND measured_at >= day_begins(day::date, time_zone)
                      AND measured_at < day_begins(day::date + 1, time_zone))
        OR EXISTS (SELECT FROM energy_interval AS settled
                    WHERE settled.point_id = touched.point_id
                      AND start >= day_begins(day::date, time_zone)
                      AND start < day_begins(day::date + 1, time_zone))
"""
# What would be asked of the database row by row was planned for all rows at once.
SAY_CHECKED = "SELECT set_config('keywatt.checked', 'yes', true)"
SELECT_SERIALS = "SELECT serial FROM meter"


def load_entries(
    conn: Connection[TupleRow], since: datetime | None = None
) -> list[Entry]:
    """Return which meters sat where, by account, point and time.

    Parameters
    ----------
    conn : Connection
    since : datetime or None
        Only those that are there later than that; None = all there ever were.

    """
    asked = {"since": since, "registers": list(REGISTERS)}
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(SELECT_ENTRIES, asked).fetchall()
    return [
        Entry(**row | {when: tuple(row[when] or NOT_NOTED) for when in _NOTES})
        for row in rows
    ]


_NOTES = ("opening", "closing")


def apply_meter_list(
    conn: Connection[TupleRow],
    lines: Sequence[Entry],
    now: datetime,
    *,
    unread: Sequence[Refused] = (),
    remove_missing: bool = False,
    dry_run: bool = False,
    by: str = "keywatt",
) -> Plan:
    """Make the database say what a meter list says, in one transaction.

    What is there already stays as it is; a second time changes nothing. Accounts,
    tariffs and what a site file says of points stay in any case.

    Parameters
    ----------
    conn : Connection
    lines : sequence of Entry
        Each right by itself. Those that cannot stand beside others or beside what is
        stored are refused alone.
    now : datetime
        When meters that are missing leave.
    unread : sequence of Refused
        Lines of the list that are refused already.
    remove_missing : bool
        Whether meters that are not listed leave the accounts that are.
    dry_run : bool
        Only tell what would change.
    by : str
        Who enters what the displays showed.

    """
    with conn.transaction():
        conn.execute(LOCK_METERS)
        planned = plan(
            lines, _stored(conn), now, unread=unread, remove_missing=remove_missing
        )
        if not dry_run:
            seats = Seats(planned)
            _write(conn, planned, seats)
            write_notes(conn, notes_of(planned, seats), by=by, now=now)
    return planned


def _stored(conn: Connection[TupleRow]) -> Stored:
    points = conn.execute(SELECT_POINTS).fetchall()
    return Stored(
        points={account: set(names) for account, names in points},
        entries=load_entries(conn),
    )


@dataclass(frozen=True, slots=True)
class _Touched:
    """Time at a point that a meter's installation now tells otherwise."""

    account: str
    point: str
    serial: str
    since: datetime
    until: datetime | None


def _write(conn: Connection[TupleRow], planned: Plan, seats: Seats) -> None:
    """Write what is different after, in the order in which the tables need it."""
    gone, put, meters = [], [], []
    touched: list[_Touched] = []
    for serial, after in planned.after.items():
        before = planned.before.get(serial, {})
        listed = next((e for e in after.values() if e.line), None)
        if listed and listed.particulars not in {
            e.particulars for e in before.values()
        }:
            meters.append(listed)
        for at in before.keys() | after.keys():
            was, is_ = before.get(at), after.get(at)
            if was and is_ and was.terms == is_.terms:
                continue
            if was and (is_ is None or leaves(was, is_, seats)):
                gone.append(was)
            if is_:
                put.append(is_)
            touched += _touched(was, is_)
    if not (meters or put or gone):
        return
    there = {serial for (serial,) in conn.execute(SELECT_SERIALS).fetchall()}
    conn.execute(SAY_CHECKED)
    conn.execute(ADD_POINTS, _columns(put, ("account", "point")))
    conn.execute(UPSERT_METERS, _columns(meters, _METER))
    conn.execute(DELETE_INSTALLATIONS, _columns(gone, ("serial", "installed_at")))
    conn.execute(UPSERT_INSTALLATIONS, _columns(put, _INSTALLATION))
    old = [each for each in touched if each.serial in there]
    conn.execute(MARK_DIRTY, _columns(old, _TOUCHED))


_METER = ("serial", *PARTICULARS)
_INSTALLATION = (
    "account",
    "point",
    "serial",
    "installed_at",
    "removed_at",
    "ratio",
    "register_digits",
    "register_resolution",
    "role",
)
_TOUCHED = ("account", "point", "serial", "since", "until")


def _columns(rows: Sequence[object], names: Iterable[str]) -> dict[str, object]:
    """Return rows as one array a column."""
    return {name: list(map(attrgetter(name), rows)) for name in names}


def _touched(was: Entry | None, is_: Entry | None) -> list[_Touched]:
    """Return where and when an installation tells otherwise than before."""
    if was and is_ and was.course == is_.course:
        ends = (was.removed_at, is_.removed_at)
        if ends[0] == ends[1]:
            return []
        known = [end for end in ends if end is not None]
        until = max(known) if len(known) == len(ends) else None
        return [_span(is_, min(known), until)]
    return [
        _span(each, each.installed_at, each.removed_at) for each in (was, is_) if each
    ]


def _span(entry: Entry, since: datetime, until: datetime | None) -> _Touched:
    return _Touched(
        entry.account,
        entry.point,
        entry.serial,
        since - _REACH,
        None if until is None else until + _REACH,
    )
