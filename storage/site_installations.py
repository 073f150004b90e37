"""Which meters sit at a point, as a site file says; and which days that bears on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from accounts.site import MqttConnection, SiteMeter, SitePoint
from storage.dirty import REACH_MIN
from storage.marking import mark_time

_REACH = timedelta(minutes=REACH_MIN)

UPSERT_METER = """
    INSERT INTO meter (serial, profile, transport, framing, host, port, device,
                       baud_rate, parity, stop_bits, unit, poll_every_s)
    VALUES (%(serial)s, %(profile)s, %(transport)s, %(framing)s, %(host)s, %(port)s,
            %(device)s, %(baud_rate)s, %(parity)s, %(stop_bits)s, %(unit)s,
            %(poll_every_s)s)
    ON CONFLICT (serial) DO UPDATE
       SET profile = excluded.profile, transport = excluded.transport,
           framing = excluded.framing, host = excluded.host, port = excluded.port,
           device = excluded.device, baud_rate = excluded.baud_rate,
           parity = excluded.parity, stop_bits = excluded.stop_bits,
           unit = excluded.unit, poll_every_s = excluded.poll_every_s
    RETURNING meter_id
"""
# Those of the point, and those elsewhere of meters that come from there.
SELECT_SITTINGS = """
    SELECT installation_id, point_id, meter_id, role, installed_at, removed_at, ratio,
           register_digits, register_resolution
      FROM installation
     WHERE point_id = %(point_id)s
        OR (meter_id, installed_at) IN (
               SELECT * FROM unnest(%(meter_ids)s::int[],
                                    %(installed_at)s::timestamptz[]))
"""
DELETE_INSTALLATIONS = """
    DELETE FROM installation WHERE installation_id = ANY(%(installation_ids)s)
"""
UPSERT_INSTALLATION = """
    INSERT INTO installation AS old (point_id, meter_id, role, installed_at, removed_at,
                                     ratio, register_digits, register_resolution)
    VALUES (%(point_id)s, %(meter_id)s, %(role)s, %(installed_at)s, %(removed_at)s,
            %(ratio)s, %(register_digits)s, %(register_resolution)s)
    ON CONFLICT (meter_id, installed_at) DO UPDATE
       SET point_id = excluded.point_id, removed_at = excluded.removed_at,
           ratio = excluded.ratio, register_digits = excluded.register_digits,
           register_resolution = excluded.register_resolution
     WHERE (old.point_id, old.removed_at, old.ratio, old.register_digits,
            old.register_resolution)
           IS DISTINCT FROM
           (excluded.point_id, excluded.removed_at, excluded.ratio,
            excluded.register_digits, excluded.register_resolution)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sitting:
    """An installation as it is stored."""

    installation_id: int
    point_id: int
    meter_id: int
    role: str
    installed_at: datetime
    removed_at: datetime | None
    ratio: int
    register_digits: int
    register_resolution: float

    @property
    def terms(self) -> tuple[object, ...]:
        """What holds for all of its time."""
        return (
            self.point_id,
            self.role,
            self.ratio,
            self.register_digits,
            self.register_resolution,
        )


_Key = tuple[int, datetime]
"""Of an installation: meter and when it came."""
Placed = tuple[int, str, SiteMeter]
"""A meter's number, its role, and what was entered of it."""


def apply_installations(
    conn: Connection[TupleRow],
    point_id: int,
    point: SitePoint,
    now: datetime | None,
) -> list[tuple[Sitting, SiteMeter]]:
    """Let the meters of a point be those that a site file names.

    Returns
    -------
    list of (Sitting, SiteMeter)
        As it is stored now, beside what was entered.

    """
    roles = (("main", point.meters), ("check", point.check_meters))
    placed: list[Placed] = [
        (_apply_meter(conn, meter), role, meter)
        for role, meters in roles
        for meter in meters
    ]
    before = _sittings(conn, point_id, placed)
    role_of = {(id_, meter.installed_at): role for id_, role, meter in placed}
    gone = [
        s.installation_id for key, s in before.items() if role_of.get(key) != s.role
    ]
    conn.execute(DELETE_INSTALLATIONS, {"installation_ids": gone})
    for meter_id, role, meter in placed:
        conn.execute(UPSERT_INSTALLATION, _row(point_id, meter_id, role, meter))
    after = _sittings(conn, point_id, placed)
    for where, start, stop in _touched(before, after):
        mark_time(conn, where, start, stop, now)
    return [(after[id_, meter.installed_at], meter) for id_, _, meter in placed]


def _row(
    point_id: int, meter_id: int, role: str, meter: SiteMeter
) -> dict[str, object]:
    return {
        "point_id": point_id,
        "meter_id": meter_id,
        "role": role,
        "installed_at": meter.installed_at,
        "removed_at": meter.removed_at,
        "ratio": meter.ratio,
        "register_digits": meter.register_digits,
        "register_resolution": meter.register_resolution,
    }


def _sittings(
    conn: Connection[TupleRow], point_id: int, placed: Sequence[Placed]
) -> dict[_Key, Sitting]:
    asked = {
        "point_id": point_id,
        "meter_ids": [meter_id for meter_id, _, _ in placed],
        "installed_at": [meter.installed_at for _, _, meter in placed],
    }
    with conn.cursor(row_factory=class_row(Sitting)) as cur:
        found = cur.execute(SELECT_SITTINGS, asked).fetchall()
    return {(one.meter_id, one.installed_at): one for one in found}


def _touched(
    before: Mapping[_Key, Sitting], after: Mapping[_Key, Sitting]
) -> Iterator[tuple[int, datetime, datetime | None]]:
    """Return where and since when until when installations tell otherwise."""
    for key in before.keys() | after.keys():
        was, is_ = before.get(key), after.get(key)
        if was and is_ and was.terms == is_.terms:
            ends = (was.removed_at, is_.removed_at)
            if ends[0] != ends[1]:
                known = [end for end in ends if end is not None]
                stop = max(known) + _REACH if len(known) == len(ends) else None
                yield is_.point_id, min(known) - _REACH, stop
            continue
        spans = [_span(one) for one in (was, is_) if one is not None]
        yield from dict.fromkeys(spans)


def _span(sitting: Sitting) -> tuple[int, datetime, datetime | None]:
    """Return where and when the readings of a sitting tell of energy."""
    left = sitting.removed_at
    stop = None if left is None else left + _REACH
    return sitting.point_id, sitting.installed_at - _REACH, stop


def _apply_meter(conn: Connection[TupleRow], meter: SiteMeter) -> int:
    row: dict[str, object] = {
        "serial": meter.serial,
        "profile": meter.profile,
        "transport": meter.connection.transport,
        "framing": "tcp",
        "host": None,
        "port": None,
        "device": None,
        "baud_rate": 9600,
        "parity": "none",
        "stop_bits": 1,
        "unit": None,
    }
    if isinstance(meter.connection, MqttConnection):
        row["poll_every_s"] = meter.connection.report_every_s
    else:
        row |= meter.connection.model_dump()
    made = conn.execute(UPSERT_METER, row).fetchone()
    if made is None:
        raise AssertionError("an upsert returns its row")
    return int(made[0])
