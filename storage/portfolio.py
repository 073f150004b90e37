"""Queries over many accounts at once: what the portfolio and account pages ask.

Long columns travel as the server's own binary numbers, one row a point, so that
hundreds of thousands of quarter-hours cost no Python object each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt
from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from meters.reading import utc_us
from storage.alerts import AlertEvent
from storage.binary import floats_of, times_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class PointLoad:
    """Settled load of one point; all arrays shape (n,), ascending in time."""

    point_id: int
    start_us: IntArray
    """Interval starts. [microseconds since 1970 UTC]"""
    load_kw: FloatArray
    """Mean power; NaN = missing."""
    estimated: BoolArray
    edited: BoolArray


# Of each day its curve where there is one, else its intervals: of a day that goes on.
SELECT_LOADS = """
    WITH uncurved AS MATERIALIZED (
        SELECT point_id, local_day, day_begins(local_day, time_zone) AS begins,
               day_begins(local_day + 1, time_zone) AS ends
          FROM energy_day AS day
          JOIN point USING (point_id)
          JOIN account USING (account_id)
         WHERE point_id = ANY(%(point_ids)s)
           AND local_day BETWEEN %(first)s AND %(last)s
           AND NOT EXISTS (SELECT FROM day_curve AS curve
                            WHERE (curve.point_id, curve.local_day)
                                = (day.point_id, day.local_day)))
    SELECT point_id, local_day, starts, load_kw, estimated
      FROM day_curve
     WHERE point_id = ANY(%(point_ids)s) AND local_day BETWEEN %(first)s AND %(last)s
     UNION ALL
    SELECT point_id, local_day, starts, load_kw, estimated
      FROM uncurved
     CROSS JOIN LATERAL curve_of_day(point_id, begins, ends)
"""

# A day's curve says what is not measured; of days on which people set anything, what
# they set. Day by day: without OFFSET the server reads all intervals of all points.
SELECT_EDITED = """
    SELECT point_id, string_agg(timestamptz_send(start), '')
      FROM (SELECT point_id, day_begins(local_day, time_zone) AS begins,
                   day_begins(local_day + 1, time_zone) AS ends
              FROM energy_day
              JOIN point USING (point_id)
              JOIN account USING (account_id)
             WHERE point_id = ANY(%(point_ids)s)
               AND local_day BETWEEN %(first)s AND %(last)s AND edited > 0) AS day
     CROSS JOIN LATERAL (
               SELECT start FROM energy_interval AS its
                WHERE its.point_id = day.point_id AND quality = 'edited'
                  AND start >= begins AND start < ends
               OFFSET 0) AS its
     GROUP BY point_id
"""


def load_loads(
    conn: Connection[TupleRow],
    point_ids: Sequence[int],
    start: datetime,
    stop: datetime,
) -> dict[int, PointLoad]:
    """Return the load of several points in [start, stop); without any, absent."""
    asked = {
        "point_ids": list(point_ids),
        "first": start.date() - _DAY,  # whatever the account's zone
        "last": stop.date() + _DAY,
    }
    with conn.cursor(binary=True) as cur:
        rows = cur.execute(SELECT_LOADS, asked).fetchall()
        edited_us = {
            point_id: times_of(starts)
            for point_id, starts in cur.execute(SELECT_EDITED, asked)
        }
    # Put in order here: the server would sort such long rows on its disk.
    rows.sort(key=itemgetter(0, 1))
    loads = {}
    for point_id, days in groupby(rows, itemgetter(0)):
        _, _, *columns = zip(*days, strict=True)
        starts, load_kw, unmeasured = (b"".join(column) for column in columns)
        start_us = times_of(starts)
        edited = np.isin(start_us, edited_us.get(point_id, ()))
        estimated = np.frombuffer(unmeasured, np.bool_) & ~edited
        # Whole days are read.
        within = slice(*np.searchsorted(start_us, [utc_us(start), utc_us(stop)]))
        if within.stop > within.start:
            loads[point_id] = PointLoad(
                point_id=point_id,
                start_us=start_us[within],
                load_kw=floats_of(load_kw)[within],
                estimated=estimated[within],
                edited=edited[within],
            )
    return loads


SELECT_DATA_SPANS = """
    SELECT point_id,
           (SELECT min(start) FROM energy_interval AS i
             WHERE i.point_id = p.point_id AND import_kwh IS NOT NULL),
           (SELECT max(start + length_min * interval '1 minute')
              FROM (SELECT start, length_min FROM energy_interval AS i
                     WHERE i.point_id = p.point_id AND import_kwh IS NOT NULL
                     ORDER BY start DESC LIMIT 1) AS newest)
      FROM unnest(%(point_ids)s::int[]) AS p (point_id)
"""


def load_data_spans(
    conn: Connection[TupleRow], point_ids: Sequence[int]
) -> dict[int, tuple[datetime | None, datetime | None]]:
    """Return from when until when each point has settled energy."""
    asked = {"point_ids": list(point_ids)}
    rows = conn.execute(SELECT_DATA_SPANS, asked).fetchall()
    return {point_id: (first, last) for point_id, first, last in rows}


SELECT_NEWEST_READINGS = """
    SELECT point_id, max(newest.measured_at)
      FROM installation
     CROSS JOIN LATERAL (
               SELECT measured_at FROM reading
                WHERE reading.meter_id = installation.meter_id
                  AND measured_at >= installed_at
                  AND measured_at < coalesce(removed_at, 'infinity')
                ORDER BY measured_at DESC LIMIT 1) AS newest
     WHERE point_id = ANY(%(point_ids)s)
     GROUP BY point_id
"""


def load_newest_readings(
    conn: Connection[TupleRow], point_ids: Sequence[int]
) -> dict[int, datetime]:
    """Return the newest measured time at each point; a point never read is absent."""
    asked = {"point_ids": list(point_ids)}
    return dict(conn.execute(SELECT_NEWEST_READINGS, asked).fetchall())


SELECT_ALERT_EVENTS = """
    SELECT event_id, alert_id, at, action, who, why
      FROM alert_event
     WHERE alert_id = ANY(%(alert_ids)s)
     ORDER BY alert_id, event_id
"""


def load_alert_events(
    conn: Connection[TupleRow], alert_ids: Sequence[int]
) -> list[AlertEvent]:
    """Return every step of several alerts, oldest first."""
    asked = {"alert_ids": list(alert_ids)}
    with conn.cursor(row_factory=class_row(AlertEvent)) as cur:
        return cur.execute(SELECT_ALERT_EVENTS, asked).fetchall()


@dataclass(frozen=True, kw_only=True)
class UnusualSpan:
    """Time of a point that is no example of its normal load."""

    point_id: int
    starts_at: datetime
    ends_at: datetime | None
    """None = still going on."""
    planned: bool
    """A planned change, or time without supply; otherwise an alert."""


SELECT_UNUSUAL = """
    SELECT point_id, opened_at AS starts_at, resolved_at AS ends_at, false AS planned
      FROM alert
     WHERE point_id = ANY(%(point_ids)s) AND kind = 'deviation'
       AND (resolved_at IS NULL OR resolved_at > %(start)s)
    UNION ALL
    SELECT point_id, starts_at, ends_at, true
      FROM planned_change
     WHERE point_id = ANY(%(point_ids)s) AND ends_at > %(start)s
    UNION ALL
    SELECT point_id, start, stop, true
      FROM supply_outage
     WHERE point_id = ANY(%(point_ids)s) AND stop > %(start)s AND removed_at IS NULL
"""


def load_unusual(
    conn: Connection[TupleRow], point_ids: Sequence[int], start: datetime
) -> list[UnusualSpan]:
    """Return alerts, planned changes and outages that reach beyond `start`."""
    asked = {"point_ids": list(point_ids), "start": start}
    with conn.cursor(row_factory=class_row(UnusualSpan)) as cur:
        return cur.execute(SELECT_UNUSUAL, asked).fetchall()
